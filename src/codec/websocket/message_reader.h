// Bytes of a connection to whole messages: joined, inflated, and text checked while it comes.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "base/utf8.h"
#include "codec/websocket/decoder.h"
#include "codec/websocket/deflate.h"

namespace arena::websocket {

struct MessageLimits {
  DecodeLimits decode;     // of what comes
  InflateLimits inflate;   // of what it becomes
};

// Between messages it holds nothing.
class MessageReader {
 public:
  enum class Step : uint8_t { more, message, ping, pong, close, failed };

  // The limits outlive it.
  MessageReader(Role role, const MessageLimits& limits) : limits_(limits), decoder_(role, limits.decode) {}

  // Takes what it can off the front of `bytes`.
  Step next(std::string_view& bytes);

  // ---- of the step
  Opcode kind() const { return decoder_.kind(); }
  bool compressed() const { return decoder_.compressed(); }  // it came so
  std::string take_message() { return std::exchange(message_, {}); }
  std::string_view control() const { return decoder_.control(); }
  uint16_t close_code() const { return decoder_.close_code(); }
  const Failure& failure() const { return failure_ != nullptr ? *failure_ : decoder_.failure(); }
  uint32_t idle_frames() const { return decoder_.idle_frames(); }

 private:
  const Failure* take_piece(const Piece& piece);
  const Failure* inflate_piece(Piece piece);
  const Failure* check_text(std::size_t from);
  const Failure* finish();

  const MessageLimits& limits_;
  Decoder decoder_;
  std::unique_ptr<Inflater> inflater_;  // while a compressed message comes
  Utf8Checker text_;
  std::string message_;
  const Failure* failure_ = nullptr;
};

}  // namespace arena::websocket
