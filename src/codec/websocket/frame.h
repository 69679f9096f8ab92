// What stands around the bytes of a message (RFC 6455, section 5), and the codes of an end (section 7.4).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace arena::websocket {

enum class Opcode : uint8_t { continuation = 0, text = 1, binary = 2, close = 8, ping = 9, pong = 10 };

constexpr bool is_control(Opcode opcode) { return static_cast<uint8_t>(opcode) >= 8; }

// Who reads or writes: what a client sends is masked, what a server sends is not.
enum class Role : uint8_t { server, client };

enum class CloseCode : uint16_t {
  normal = 1000,
  going_away = 1001,
  protocol_error = 1002,
  unsupported = 1003,   // a kind of data that is not taken here
  no_code = 1005,       // never sent: the peer gave none
  bad_payload = 1007,   // text that is no UTF-8, compressed data that is none
  policy = 1008,
  too_big = 1009,
  internal = 1011,
};

// May this code stand in a frame that closes?
bool is_sendable(uint16_t code);

inline constexpr std::size_t kControlBytesMax = 125;
inline constexpr std::size_t kHeaderBytesMax = 14;

// Four bytes as they stand on the wire.
using MaskKey = uint32_t;

struct FrameHeader {
  Opcode opcode = Opcode::binary;
  uint64_t payload_bytes = 0;
  bool last = true;         // of its message
  bool compressed = false;  // the message is (RSV1, on its first frame)
  bool masked = false;
  MaskKey key = 0;
};

// Writes it to `out`, in its shortest form; how many bytes it has.
std::size_t encode_header(char* out, const FrameHeader& header);
constexpr std::size_t header_bytes(uint64_t payload_bytes, bool masked) {
  return (payload_bytes < 126 ? 2U : payload_bytes < 65536 ? 4U : 10U) + (masked ? 4U : 0U);
}

// Masks, or unmasks, which is the same; `to` may be `from`. `key` is the one for the first byte.
void mask(char* to, const char* from, std::size_t size, MaskKey key);
// The key for what follows so many bytes.
MaskKey advance(MaskKey key, std::size_t bytes);

// A whole frame behind `out`. `key` is of a client alone.
void append_frame(std::string& out, Opcode opcode, std::string_view payload, Role role, MaskKey key = 0);
// The frame that closes; a reason that does not fit is cut where a character ends. no_code: without either.
void append_close(std::string& out, CloseCode code, std::string_view reason, Role role, MaskKey key = 0);

}  // namespace arena::websocket
