// Bytes of a connection to the pieces of its messages, and to what its control frames say. No sockets, no clocks, and no
// copy: a piece is a view of what came.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "codec/websocket/frame.h"

namespace arena::websocket {

struct DecodeLimits {
  uint64_t frame_bytes_max = 16 << 20;
  uint64_t message_bytes_max = 64 << 20;  // all frames of a message, as they come
  bool may_compress = false;              // it was agreed that messages can be compressed
};

// Why a connection has to end, and what its last frame is to say.
struct Failure {
  CloseCode code;
  std::string_view text;
};

// Part of a message as it stands on the wire.
struct Piece {
  std::string_view bytes;
  bool masked = false;
  MaskKey key = 0;  // for the first byte

  void copy_to(char* out) const {
    if (masked) {
      mask(out, bytes.data(), bytes.size(), key);
    } else {
      bytes.copy(out, bytes.size());
    }
  }
};

// Reads what a peer sends to whoever has this role. After a failure, and behind a frame that closes, it reads nothing any more.
class Decoder {
 public:
  enum class Step : uint8_t {
    more,    // all bytes are taken
    piece,   // of a message
    end,     // of a message: all its pieces were there
    ping,
    pong,
    close,
    failed,
  };

  // The limits outlive it.
  Decoder(Role role, const DecodeLimits& limits) : limits_(&limits), role_(role) {}

  // Takes what it can off the front of `bytes`.
  Step next(std::string_view& bytes);

  // ---- of the step; views hold until the next
  const Piece& piece() const { return piece_; }
  Opcode kind() const { return kind_; }               // of the message: text or binary
  bool compressed() const { return compressed_; }
  std::string_view control() const;                   // what the ping, the pong or the close carries
  uint16_t close_code() const;                        // no_code: it has none
  const Failure& failure() const { return *failure_; }

  // A message has begun and is not at its end.
  bool in_message() const { return in_message_; }
  // Frames so far that carry nothing of a message: control frames, and those without payload. For who bounds them; wraps.
  uint32_t idle_frames() const { return idle_frames_; }

 private:
  struct Control {
    char bytes[kControlBytesMax];
  };

  bool read_header(std::string_view& bytes);
  bool take_header_bytes(std::string_view& bytes, std::size_t wanted);
  const Failure* check_start() const;
  const Failure* begin_frame(uint64_t payload_bytes);
  Step read_control(std::string_view& bytes);
  Step finish_control();
  Step fail(const Failure& failure);

  const DecodeLimits* limits_;
  const Failure* failure_ = nullptr;
  std::unique_ptr<Control> control_;  // while one is read and looked at
  Piece piece_;
  uint64_t left_ = 0;                 // of the frame's payload
  uint64_t message_bytes_ = 0;        // of the message's frames that have begun
  MaskKey key_ = 0;
  uint32_t idle_frames_ = 0;
  const Role role_;
  Opcode opcode_ = Opcode::binary;    // of the frame
  Opcode kind_ = Opcode::binary;
  uint8_t control_bytes_ = 0;
  uint8_t header_bytes_ = 0;          // of header_, while it is incomplete
  bool in_frame_ : 1 = false;
  bool last_ : 1 = false;             // the frame is, of its message
  bool in_message_ : 1 = false;
  bool compressed_ : 1 = false;
  bool closed_ : 1 = false;
  char header_[kHeaderBytesMax];
};

}  // namespace arena::websocket
