// What a client sends over WebSocket. Byte 0 chooses limits and how it is cut. Promises: it is read as a naive reader of the
// specification reads it, however it is cut; messages that come compressed stay within their bounds; text is UTF-8; a message
// that is compressed and inflated is the same again.
#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "check.h"
#include "codec/websocket/message_reader.h"
#include "codec/websocket/test_frames.h"

using namespace arena;
using namespace arena::websocket;

namespace {

constexpr uint64_t kInflatedMax = 200'000;

class Cuts {
 public:
  explicit Cuts(uint8_t choice) : choice_(choice), state_(choice + 1U) {}
  std::size_t next() {
    if (choice_ % 4 == 0) return 1;
    state_ = state_ * 1664525U + 1013904223U;
    return 1 + (state_ >> 16) % (choice_ % 4 == 1 ? 4 : 60);
  }

 private:
  uint8_t choice_;
  uint32_t state_;
};

MessageLimits limits_of(uint8_t choice) {
  MessageLimits limits;
  limits.decode.may_compress = (choice & 16) != 0;
  limits.decode.frame_bytes_max = (choice & 32) != 0 ? 300 : 100'000;
  limits.decode.message_bytes_max = (choice & 64) != 0 ? 500 : 100'000;
  limits.inflate.bytes_max = kInflatedMax;
  limits.inflate.ratio_max = 20;
  return limits;
}

test::Heard frames_of(std::string_view stream, const DecodeLimits& limits, Cuts* cuts) {
  Decoder decoder(Role::server, limits);
  test::Heard heard;
  while (!stream.empty()) {
    const std::string piece(stream.substr(0, cuts == nullptr ? stream.size() : cuts->next()));
    stream.remove_prefix(piece.size());
    heard = test::read_with(decoder, piece, std::move(heard));
  }
  return heard;
}

std::vector<std::string> messages_of(std::string_view stream, const MessageLimits& limits, Cuts* cuts) {
  MessageReader reader(Role::server, limits);
  std::vector<std::string> lines;
  bool over = false;
  while (!stream.empty() && !over) {
    const std::string piece(stream.substr(0, cuts == nullptr ? stream.size() : cuts->next()));
    stream.remove_prefix(piece.size());
    std::string_view left = piece;
    for (MessageReader::Step step = reader.next(left); step != MessageReader::Step::more && !over; step = reader.next(left)) {
      if (step == MessageReader::Step::message) {
        std::string message = reader.take_message();
        FUZZ_CHECK(message.size() <= kInflatedMax);
        FUZZ_CHECK(reader.kind() != Opcode::text || is_utf8(message));
        lines.push_back(std::move(message));
      } else if (step == MessageReader::Step::failed) {
        lines.push_back("failed");  // of several reasons, how it is cut decides which is seen first
        over = true;
      }
    }
  }
  return lines;
}

void check_comes_back(const std::string& message) {
  std::string compressed, again;
  Deflater({15}).deflate(message, compressed);
  Inflater inflater({.bytes_max = kInflatedMax, .ratio_max = 2000});
  FUZZ_CHECK(inflater.take(compressed, again) == Inflated::good);
  FUZZ_CHECK(inflater.finish(again) == Inflated::good);
  FUZZ_CHECK(again == message);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, std::size_t size) {
  if (size < 1) return 0;
  const MessageLimits limits = limits_of(data[0]);
  const std::string stream(reinterpret_cast<const char*>(data) + 1, size - 1);
  const test::Heard expected = test::NaiveReader(Role::server, limits.decode).read(stream);
  Cuts cuts(data[0]), more_cuts(data[0]);
  FUZZ_CHECK(frames_of(stream, limits.decode, nullptr) == expected);
  FUZZ_CHECK(frames_of(stream, limits.decode, &cuts) == expected);
  const std::vector<std::string> whole = messages_of(stream, limits, nullptr);
  FUZZ_CHECK(messages_of(stream, limits, &more_cuts) == whole);
  if (!whole.empty()) check_comes_back(whole.front());
  std::string answer;
  agree_to_deflate(stream, answer);
  return 0;
}
