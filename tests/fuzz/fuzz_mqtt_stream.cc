// What one client of one version (FUZZ_MQTT_VERSION: 3, 4 or 5) sends to a whole broker, after a CONNECT if
// it has none of its own. Byte 0 chooses how the stream is cut. Promises: cut at any bytes it is answered as
// in one piece; every answer is a packet of that version, and none comes after the end; nothing of the
// connection is left behind.
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>

#include "check.h"
#include "gateway/mqtt/test_door.h"

using namespace arena;
using namespace arena::gateway::mqtt;
namespace am = arena::mqtt;

namespace {

constexpr auto kVersion = static_cast<am::Version>(FUZZ_MQTT_VERSION);

// Small limits, so that they are reached.
Options door_options() {
  Options options;
  options.packet_bytes_max = 2000;
  options.connect_bytes_max = 500;
  options.receive_max = 4;
  options.topic_alias_max = 4;
  options.user_properties_max = 8;
  options.client_id_bytes_max = 64;
  options.topics.depth_max = 16;
  options.acks_pending_max = 8;
  return options;
}

std::string connect_bytes() {
  am::Connect packet;
  packet.version = kVersion;
  packet.client_id = "f";
  packet.clean_start = true;
  if (kVersion == am::Version::v5) {
    packet.properties.receive_maximum = 5;
    packet.properties.topic_alias_maximum = 3;
    packet.properties.maximum_packet_size = 1000;
  }
  std::string bytes;
  FUZZ_CHECK(am::encode(bytes, packet, kVersion));
  return bytes;
}

// How many bytes come next. Deterministic, so that a finding repeats.
class Cuts {
 public:
  explicit Cuts(uint8_t choice) : choice_(choice), state_(choice + 1u) {}
  std::size_t next() {
    if (choice_ % 4 == 0) return 1;
    state_ = state_ * 1664525u + 1013904223u;
    return 1 + (state_ >> 16) % (choice_ % 4 == 1 ? 4 : 40);
  }
  // Does the broker get a turn in between?
  bool turns() const { return choice_ >= 128; }

 private:
  uint8_t choice_;
  uint32_t state_;
};

struct Heard {
  std::string bytes;
  bool closed = false;
};

void check_left_nothing(test::DoorWorld& world) {
  FUZZ_CHECK(world.connections() == 0);
  FUZZ_CHECK(world.admission.connections() == 0);
  FUZZ_CHECK(world.admission.half_open() == 0);
}

void feed(test::DoorWorld& world, test::Wire& wire, std::string_view bytes, Cuts* cuts) {
  while (!bytes.empty()) {
    const std::string_view piece = bytes.substr(0, cuts == nullptr ? bytes.size() : cuts->next());
    bytes.remove_prefix(piece.size());
    wire.to_server += piece;
    if (wire.stream != nullptr) wire.stream->pump();
    if (cuts != nullptr && cuts->turns()) world.run_ms(1);
  }
}

// Of the CONNECT in front, if it is one.
std::size_t connect_size(std::string_view stream) {
  const am::DecodeResult result = am::decode_connect(stream, {});
  const auto* decoded = std::get_if<am::Decoded>(&result);
  return decoded == nullptr ? stream.size() : decoded->consumed;
}

// Each password costs a tenth of a second, by intention.
bool has_credentials(std::string_view stream) {
  const am::DecodeResult result = am::decode_connect(stream, {});
  const auto* decoded = std::get_if<am::Decoded>(&result);
  if (decoded == nullptr) return false;
  const auto& connect = std::get<am::Connect>(decoded->packet);
  return connect.user_name || connect.password;
}

// `cuts` null: in one piece. The broker gets a turn behind the CONNECT, or what comes behind it might be
// handled in the same turn or in the next, and answered sooner or later than its end.
Heard talk(std::string_view stream, Cuts* cuts) {
  broker::Options core_options;
  core_options.partitions = 2;
  core_options.queued_bytes_per_session_max = 4000;
  test::DoorWorld world(1, door_options(), core_options);
  const std::shared_ptr<test::Wire> wire = world.accept(0, "127.0.0.1");
  const std::size_t first = cuts != nullptr && cuts->turns() ? stream.size() : connect_size(stream);
  feed(world, *wire, stream.substr(0, first), cuts);
  world.run_ms(20);
  feed(world, *wire, stream.substr(first), cuts);
  world.run_ms(50);
  if (wire->stream != nullptr) wire->stream->collect();
  const Heard heard{wire->to_client, wire->closed};
  if (wire->stream != nullptr) wire->stream->finish(net::CloseReason::reset);
  world.run_ms(50);
  check_left_nothing(world);
  return heard;
}

// Refusals of a CONNECT are in the version that it claims.
bool is_packet(std::string_view bytes, am::Version version, std::size_t& size, bool& last) {
  const am::DecodeResult result = am::decode(bytes, version, am::Role::client, {});
  const auto* decoded = std::get_if<am::Decoded>(&result);
  if (decoded == nullptr) return false;
  size = decoded->consumed;
  last = std::holds_alternative<am::Disconnect>(decoded->packet);
  return true;
}

void check_answers(const Heard& heard, bool own_connect) {
  std::string_view rest = heard.bytes;
  bool last = false;
  while (!rest.empty()) {
    FUZZ_CHECK(!last);
    std::size_t size = 0;
    bool good = is_packet(rest, kVersion, size, last);
    if (!good && own_connect) {
      good = is_packet(rest, am::Version::v5, size, last) || is_packet(rest, am::Version::v3_1_1, size, last);
    }
    FUZZ_CHECK(good);
    rest.remove_prefix(size);
  }
  FUZZ_CHECK(!last || heard.closed);
}

}  // namespace

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  GTEST_FLAG_SET(break_on_failure, true);
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  std::string stream(reinterpret_cast<const char*>(data) + 1, size - 1);
  const bool own_connect = data[1] >> 4 == 1;
  if (!own_connect) stream.insert(0, connect_bytes());
  if (has_credentials(stream)) return -1;
  Cuts cuts(data[0]);
  const Heard whole = talk(stream, nullptr);
  const Heard cut = talk(stream, &cuts);
  check_answers(whole, own_connect);
  check_answers(cut, own_connect);
  if (!cuts.turns()) FUZZ_CHECK(whole.bytes == cut.bytes && whole.closed == cut.closed);
  return 0;
}
