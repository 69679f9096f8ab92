// A stream of packets. The first byte chooses the version and the end that reads; the rest is what it reads.
// Promises: nothing is read outside the input; what is decoded is encoded, in no more bytes, to something
// that is decoded as equal; a packet cut short is never taken for whole; the short ways of decoding, which take some
// packets, give what decode() gives.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "check.h"
#include "codec/mqtt/decoder.h"
#include "codec/mqtt/encoder.h"

using namespace arena;
using namespace arena::mqtt;

namespace {

struct Connection {
  Version version;
  Role receiver;
};

const DecodeLimits kLimits{.packet_bytes_max = 1 << 20};

// In memory of exactly its size, so that the address sanitizer sees a step too far.
DecodeResult decode_exactly(const std::vector<char>& bytes, Connection connection) {
  return decode({bytes.data(), bytes.size()}, connection.version, connection.receiver, kLimits);
}

void check_cut(std::string_view bytes, Connection connection) {
  for (const std::size_t size : {bytes.size() - 1, bytes.size() / 2}) {
    const std::vector<char> cut(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size));
    const DecodeResult result = decode_exactly(cut, connection);
    FUZZ_CHECK(std::holds_alternative<NeedMore>(result));
    FUZZ_CHECK(std::get<NeedMore>(result).bytes_min > size);
    FUZZ_CHECK(std::get<NeedMore>(result).bytes_min <= bytes.size());
  }
}

// In memory of exactly its size, like decode_exactly(): of the packet's if there is one.
void check_plain(std::string_view input, Connection connection, const Decoded* decoded) {
  if (decoded != nullptr) input = input.substr(0, decoded->consumed);
  const std::vector<char> bytes(input.begin(), input.end());
  const std::string_view exact(bytes.data(), bytes.size());
  const auto* as_publish = decoded == nullptr ? nullptr : std::get_if<Publish>(&decoded->packet);
  for (const std::string_view known : {std::string_view(), as_publish == nullptr ? "a" : as_publish->topic}) {
    const auto publish = decode_plain_publish(exact, known, connection.version, kLimits.packet_bytes_max);
    if (!publish) continue;
    const Publish packet{.dup = publish->dup,
                         .qos = publish->qos,
                         .packet_id = publish->packet_id,
                         .topic = publish->topic,
                         .payload = publish->payload};
    FUZZ_CHECK(decoded != nullptr && decoded->packet == Packet(packet) && decoded->consumed == publish->consumed);
  }
  if (const auto ack = decode_plain_ack(exact, kLimits.packet_bytes_max)) {
    const Ack packet{.type = ack->type, .packet_id = ack->packet_id};
    FUZZ_CHECK(decoded != nullptr && decoded->packet == Packet(packet) && decoded->consumed == kPlainAckBytes);
  }
}

void check_publish(const Publish& publish, Version version) {
  std::string frame;
  const std::optional<EncodedPublish> layout = encode_publish(frame, publish, version);
  FUZZ_CHECK(layout && layout->bytes == frame.size());
  std::string same = frame;
  set_packet_id(same.data(), *layout, publish.packet_id);
  set_message_expiry(same.data(), *layout, publish.properties.message_expiry_interval_s.value_or(0));
  set_dup(same.data(), publish.dup);
  FUZZ_CHECK(same == frame);
}

void check_encoding(const Decoded& decoded, Connection connection) {
  std::string again;
  FUZZ_CHECK(encode(again, decoded.packet, connection.version));
  FUZZ_CHECK(again.size() <= decoded.consumed);
  FUZZ_CHECK(encoded_size(decoded.packet, connection.version) == again.size());
  const DecodeResult result = decode(again, connection.version, connection.receiver, kLimits);
  FUZZ_CHECK(std::holds_alternative<Decoded>(result));
  FUZZ_CHECK(std::get<Decoded>(result).consumed == again.size());
  FUZZ_CHECK(std::get<Decoded>(result).packet == decoded.packet);
  std::string limited;
  const std::size_t bytes_max = again.size() / 2;
  if (encode_limited(limited, decoded.packet, connection.version, bytes_max)) {
    FUZZ_CHECK(limited.size() <= bytes_max);
    FUZZ_CHECK(
        std::holds_alternative<Decoded>(decode(limited, connection.version, connection.receiver, kLimits)));
  } else {
    FUZZ_CHECK(limited.empty());
  }
  FUZZ_CHECK(!describe(decoded.packet).empty());
  if (const auto* publish = std::get_if<Publish>(&decoded.packet))
    check_publish(*publish, connection.version);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const Connection connection{static_cast<Version>(3 + data[0] % 3),
                              data[0] / 3 % 2 == 0 ? Role::server : Role::client};
  const std::vector<char> input(data + 1, data + size);
  std::string_view rest(input.data(), input.size());
  if (connection.receiver == Role::server) (void)decode_connect(rest, kLimits);
  for (;;) {
    const DecodeResult result = decode(rest, connection.version, connection.receiver, kLimits);
    const auto* decoded = std::get_if<Decoded>(&result);
    check_plain(rest, connection, decoded);
    if (decoded == nullptr) return 0;
    FUZZ_CHECK(decoded->consumed >= 2 && decoded->consumed <= rest.size());
    check_cut(rest.substr(0, decoded->consumed), connection);
    check_encoding(*decoded, connection);
    rest.remove_prefix(decoded->consumed);
  }
}
