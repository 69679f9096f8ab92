#include "codec/websocket/decoder.h"

#include <algorithm>
#include <cstring>

#include "base/utf8.h"

namespace arena::websocket {
namespace {

constexpr Failure kReservedBits{CloseCode::protocol_error, "a reserved bit is set"};
constexpr Failure kReservedOpcode{CloseCode::protocol_error, "a reserved opcode"};
constexpr Failure kNotMasked{CloseCode::protocol_error, "a client masks its frames"};
constexpr Failure kMasked{CloseCode::protocol_error, "a server does not mask its frames"};
constexpr Failure kControlInPieces{CloseCode::protocol_error, "a control frame comes whole"};
constexpr Failure kControlTooLong{CloseCode::protocol_error, "a control frame has at most 125 bytes"};
constexpr Failure kNothingToContinue{CloseCode::protocol_error, "there is no message to continue"};
constexpr Failure kMessageUnderWay{CloseCode::protocol_error, "the message before has not ended"};
constexpr Failure kLongForm{CloseCode::protocol_error, "a length is given in its shortest form"};
constexpr Failure kBadLength{CloseCode::protocol_error, "no frame is so long"};
constexpr Failure kFrameTooBig{CloseCode::too_big, "a frame is larger than is taken here"};
constexpr Failure kMessageTooBig{CloseCode::too_big, "a message is larger than is taken here"};
constexpr Failure kBadCode{CloseCode::protocol_error, "not a code to close with"};
constexpr Failure kBadReason{CloseCode::bad_payload, "the reason is not UTF-8"};

uint64_t load_big_endian(const char* bytes, std::size_t size) {
  uint64_t value = 0;
  for (std::size_t i = 0; i < size; ++i) value = value << 8 | static_cast<uint8_t>(bytes[i]);
  return value;
}

bool is_known(uint8_t opcode) { return opcode <= 2 || (opcode >= 8 && opcode <= 10); }

}  // namespace

Decoder::Step Decoder::next(std::string_view& bytes) {
  if (failure_ != nullptr) return Step::failed;
  if (closed_) bytes = {};
  if (!in_frame_) control_.reset();
  while (true) {
    if (!in_frame_ && !read_header(bytes)) return failure_ != nullptr ? Step::failed : Step::more;
    if (is_control(opcode_)) return read_control(bytes);
    if (left_ == 0) {
      in_frame_ = false;
      if (!last_) continue;
      in_message_ = false;
      return Step::end;
    }
    if (bytes.empty()) return Step::more;
    const auto size = static_cast<std::size_t>(std::min<uint64_t>(left_, bytes.size()));
    piece_ = {bytes.substr(0, size), role_ == Role::server, key_};
    bytes.remove_prefix(size);
    left_ -= size;
    key_ = advance(key_, size);
    return Step::piece;
  }
}

// ---- headers

// False: there are fewer so far, and all of `bytes` is kept.
bool Decoder::take_header_bytes(std::string_view& bytes, std::size_t wanted) {
  const std::size_t taken = std::min(bytes.size(), wanted - std::min<std::size_t>(header_bytes_, wanted));
  bytes.copy(header_ + header_bytes_, taken);
  header_bytes_ = static_cast<uint8_t>(header_bytes_ + taken);
  bytes.remove_prefix(taken);
  return header_bytes_ >= wanted;
}

// True: a frame has begun.
bool Decoder::read_header(std::string_view& bytes) {
  if (!take_header_bytes(bytes, 2)) return false;
  if (const Failure* failure = check_start()) return fail(*failure), false;
  const auto short_length = static_cast<uint8_t>(header_[1] & 0x7F);
  const std::size_t length_bytes = short_length == 126 ? 2 : short_length == 127 ? 8 : 0;
  const std::size_t mask_bytes = role_ == Role::server ? sizeof(MaskKey) : 0;
  if (!take_header_bytes(bytes, 2 + length_bytes + mask_bytes)) return false;
  header_bytes_ = 0;
  std::memcpy(&key_, header_ + 2 + length_bytes, mask_bytes);
  const uint64_t length = length_bytes == 0 ? short_length : load_big_endian(header_ + 2, length_bytes);
  if (length_bytes != 0 && websocket::header_bytes(length, false) != 2 + length_bytes) return fail(kLongForm), false;
  if (const Failure* failure = begin_frame(length)) return fail(*failure), false;
  return true;
}

// What the first two bytes tell is refused before the rest is waited for.
const Failure* Decoder::check_start() const {
  const auto first = static_cast<uint8_t>(header_[0]);
  const auto second = static_cast<uint8_t>(header_[1]);
  const auto opcode = static_cast<uint8_t>(first & 0x0F);
  if (!is_known(opcode)) return &kReservedOpcode;
  const bool begins_message = opcode == 1 || opcode == 2;
  if ((first & 0x30) != 0) return &kReservedBits;
  if ((first & 0x40) != 0 && !(limits_->may_compress && begins_message)) return &kReservedBits;
  if (((second & 0x80) != 0) != (role_ == Role::server)) return role_ == Role::server ? &kNotMasked : &kMasked;
  if (opcode >= 8) {
    if ((first & 0x80) == 0) return &kControlInPieces;
    return (second & 0x7F) > kControlBytesMax ? &kControlTooLong : nullptr;
  }
  if (begins_message == in_message_) return in_message_ ? &kMessageUnderWay : &kNothingToContinue;
  return nullptr;
}

const Failure* Decoder::begin_frame(uint64_t payload_bytes) {
  if (payload_bytes >> 63 != 0) return &kBadLength;
  const auto first = static_cast<uint8_t>(header_[0]);
  opcode_ = static_cast<Opcode>(first & 0x0F);
  left_ = payload_bytes;
  in_frame_ = true;
  control_bytes_ = 0;
  if (is_control(opcode_) || payload_bytes == 0) ++idle_frames_;
  if (is_control(opcode_)) return nullptr;
  last_ = (first & 0x80) != 0;
  if (opcode_ != Opcode::continuation) {
    kind_ = opcode_;
    compressed_ = (first & 0x40) != 0;
    message_bytes_ = 0;
    in_message_ = true;
  }
  if (payload_bytes > limits_->frame_bytes_max) return &kFrameTooBig;
  if (payload_bytes > limits_->message_bytes_max - message_bytes_) return &kMessageTooBig;
  message_bytes_ += payload_bytes;
  return nullptr;
}

// ---- control frames

Decoder::Step Decoder::read_control(std::string_view& bytes) {
  if (left_ != 0 && bytes.empty()) return Step::more;
  if (!control_) control_ = std::make_unique<Control>();
  const auto size = static_cast<std::size_t>(std::min<uint64_t>(left_, bytes.size()));
  mask(control_->bytes + control_bytes_, bytes.data(), size, role_ == Role::server ? key_ : 0);
  key_ = advance(key_, size);
  bytes.remove_prefix(size);
  control_bytes_ = static_cast<uint8_t>(control_bytes_ + size);
  left_ -= size;
  return left_ == 0 ? finish_control() : Step::more;
}

Decoder::Step Decoder::finish_control() {
  in_frame_ = false;
  if (opcode_ == Opcode::ping) return Step::ping;
  if (opcode_ == Opcode::pong) return Step::pong;
  closed_ = true;
  if (control_bytes_ == 1 || (control_bytes_ >= 2 && !is_sendable(close_code()))) return fail(kBadCode);
  if (control_bytes_ > 2 && !is_utf8(control().substr(2))) return fail(kBadReason);
  return Step::close;
}

std::string_view Decoder::control() const { return control_ ? std::string_view(control_->bytes, control_bytes_) : std::string_view(); }

uint16_t Decoder::close_code() const {
  if (control_bytes_ < 2) return static_cast<uint16_t>(CloseCode::no_code);
  return static_cast<uint16_t>(load_big_endian(control_->bytes, 2));
}

Decoder::Step Decoder::fail(const Failure& failure) {
  failure_ = &failure;
  return Step::failed;
}

}  // namespace arena::websocket
