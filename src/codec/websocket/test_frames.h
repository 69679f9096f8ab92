// For tests and fuzzing: frames written the obvious way, and a naive reader of them that has all bytes at once.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/utf8.h"
#include "codec/websocket/decoder.h"

namespace arena::websocket::test {

struct RawFrame {
  unsigned first = 0x82;  // FIN, RSV, opcode
  std::string payload;
  bool masked = true;
  std::string key = "\x12\x34\x56\x78";
  unsigned length_form = 0;  // 0: the shortest; 126, 127: that one
};

inline std::string bytes_of(const RawFrame& frame) {
  const std::size_t size = frame.payload.size();
  const unsigned form = frame.length_form != 0 ? frame.length_form : size < 126 ? 0 : size < 65536 ? 126 : 127;
  std::string out(1, static_cast<char>(frame.first));
  out += static_cast<char>((frame.masked ? 0x80U : 0U) | (form == 0 ? static_cast<unsigned>(size) : form));
  for (int shift = form == 126 ? 8 : form == 127 ? 56 : -8; shift >= 0; shift -= 8) out += static_cast<char>(uint64_t{size} >> shift);
  if (!frame.masked) return out + frame.payload;
  out += frame.key;
  for (std::size_t i = 0; i < size; ++i) out += static_cast<char>(frame.payload[i] ^ frame.key[i % 4]);
  return out;
}

// What a stream of frames says, as text: one line for each message, control frame, and the end.
struct Heard {
  std::vector<std::string> lines;
  std::string unfinished;  // of a message that has no end yet
  friend bool operator==(const Heard&, const Heard&) = default;
};

inline Heard read_with(Decoder& decoder, std::string_view bytes, Heard heard = {}) {
  while (true) {
    switch (decoder.next(bytes)) {
      case Decoder::Step::more: return heard;
      case Decoder::Step::piece: {
        const std::size_t at = heard.unfinished.size();
        heard.unfinished.resize(at + decoder.piece().bytes.size());
        decoder.piece().copy_to(heard.unfinished.data() + at);
        break;
      }
      case Decoder::Step::end:
        heard.lines.push_back((decoder.kind() == Opcode::text ? "text " : "binary ") + std::string(decoder.compressed() ? "compressed " : "") + heard.unfinished);
        heard.unfinished.clear();
        break;
      case Decoder::Step::ping: heard.lines.push_back("ping " + std::string(decoder.control())); break;
      case Decoder::Step::pong: heard.lines.push_back("pong " + std::string(decoder.control())); break;
      case Decoder::Step::close: heard.lines.push_back("close " + std::to_string(decoder.close_code()) + std::string(decoder.control())); break;
      case Decoder::Step::failed:
        if (heard.lines.empty() || !heard.lines.back().starts_with("failed ")) {
          heard.lines.push_back("failed " + std::to_string(static_cast<int>(decoder.failure().code)));
        }
        return heard;
    }
  }
}

// The specification read again, slowly.
class NaiveReader {
 public:
  NaiveReader(Role role, const DecodeLimits& limits) : role_(role), limits_(limits) {}

  Heard read(const std::string& all) {
    all_ = all;
    while (!over_ && read_frame()) {
    }
    return heard_;
  }

 private:
  bool has(std::size_t bytes) const { return all_.size() - at_ >= bytes; }
  unsigned byte(std::size_t offset) const { return static_cast<uint8_t>(all_[at_ + offset]); }
  bool fail(int code) {
    heard_.lines.push_back("failed " + std::to_string(code));
    over_ = true;
    return false;
  }

  bool read_frame() {
    if (!has(2)) return false;
    const unsigned opcode = byte(0) & 15, first = byte(0), second = byte(1);
    const bool control = opcode >= 8, starts = opcode == 1 || opcode == 2, masked = (second & 128) != 0;
    if ((opcode > 2 && opcode < 8) || opcode > 10 || (first & 48) != 0) return fail(1002);
    if ((first & 64) != 0 && (!starts || !limits_.may_compress)) return fail(1002);
    if (masked != (role_ == Role::server)) return fail(1002);
    if (control && ((first & 128) == 0 || (second & 127) > 125)) return fail(1002);
    if (!control && starts == under_way_) return fail(1002);
    std::size_t header = 2;
    uint64_t length = second & 127;
    if (length >= 126) {
      const std::size_t more = length == 126 ? 2 : 8;
      if (!has(2 + more + (masked ? 4 : 0))) return false;
      length = 0;
      for (std::size_t i = 0; i < more; ++i) length = length * 256 + byte(2 + i);
      if (more == 2 ? length < 126 : length < 65536 || length >> 63 != 0) return fail(1002);
      header += more;
    }
    if (!has(header + (masked ? 4 : 0))) return false;
    std::string key(4, '\0');
    if (masked) key = all_.substr(at_ + header, 4), header += 4;
    if (!control) {
      if (starts) text_ = opcode == 1, compressed_ = (first & 64) != 0, message_ = 0, under_way_ = true;
      if (length > limits_.frame_bytes_max || length + message_ > limits_.message_bytes_max) return fail(1009);
      message_ += length;
    }
    at_ += header;
    const bool whole = has(length);
    std::string payload = all_.substr(at_, length);
    for (std::size_t i = 0; i < payload.size(); ++i) payload[i] = static_cast<char>(payload[i] ^ key[i % 4]);
    at_ += payload.size();
    if (!control) return take_data(payload, whole, (first & 128) != 0);
    return whole && take_control(opcode, payload);
  }

  bool take_data(const std::string& payload, bool whole, bool last) {
    heard_.unfinished += payload;
    if (!whole) return false;
    if (!last) return true;
    heard_.lines.push_back((text_ ? "text " : "binary ") + std::string(compressed_ ? "compressed " : "") + heard_.unfinished);
    heard_.unfinished.clear();
    under_way_ = false;
    return true;
  }

  bool take_control(unsigned opcode, const std::string& payload) {
    if (opcode != 8) {
      heard_.lines.push_back((opcode == 9 ? "ping " : "pong ") + payload);
      return true;
    }
    int code = 1005;
    if (payload.size() == 1) return fail(1002);
    if (payload.size() >= 2) {
      code = static_cast<uint8_t>(payload[0]) * 256 + static_cast<uint8_t>(payload[1]);
      const bool known = (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) || (code >= 3000 && code <= 4999);
      if (!known) return fail(1002);
      if (!is_utf8(payload.substr(2))) return fail(1007);
    }
    heard_.lines.push_back("close " + std::to_string(code) + payload);
    over_ = true;
    return false;
  }

  const Role role_;
  const DecodeLimits limits_;
  std::string all_;
  std::size_t at_ = 0;
  Heard heard_;
  uint64_t message_ = 0;
  bool under_way_ = false, text_ = false, compressed_ = false, over_ = false;
};

}  // namespace arena::websocket::test
