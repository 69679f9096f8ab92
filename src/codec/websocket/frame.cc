#include "codec/websocket/frame.h"

#include <array>
#include <bit>
#include <cstring>

namespace arena::websocket {
namespace {

constexpr uint8_t kLast = 0x80;
constexpr uint8_t kCompressed = 0x40;
constexpr uint8_t kMasked = 0x80;

void store_big_endian(char* out, uint64_t value, std::size_t bytes) {
  for (std::size_t i = 0; i < bytes; ++i) out[i] = static_cast<char>(value >> (8 * (bytes - 1 - i)));
}

}  // namespace

bool is_sendable(uint16_t code) {
  if (code >= 3000) return code <= 4999;
  return code >= 1000 && code <= 1014 && code != 1004 && code != 1005 && code != 1006;
}

std::size_t encode_header(char* out, const FrameHeader& header) {
  out[0] = static_cast<char>(static_cast<uint8_t>(header.opcode) | (header.last ? kLast : 0) | (header.compressed ? kCompressed : 0));
  const uint8_t mask_bit = header.masked ? kMasked : 0;
  std::size_t size = 2;
  if (header.payload_bytes < 126) {
    out[1] = static_cast<char>(mask_bit | header.payload_bytes);
  } else if (header.payload_bytes < 65536) {
    out[1] = static_cast<char>(mask_bit | 126);
    store_big_endian(out + 2, header.payload_bytes, 2);
    size = 4;
  } else {
    out[1] = static_cast<char>(mask_bit | 127);
    store_big_endian(out + 2, header.payload_bytes, 8);
    size = 10;
  }
  if (!header.masked) return size;
  std::memcpy(out + size, &header.key, sizeof header.key);
  return size + sizeof header.key;
}

// Four words a step, loaded before any is stored: the compiler makes vectors of them even where `to` is `from`.
void mask(char* to, const char* from, std::size_t size, MaskKey key) {
  const uint64_t wide = uint64_t{key} << 32 | key;
  std::array<uint64_t, 4> words;
  for (; size >= sizeof words; size -= sizeof words, to += sizeof words, from += sizeof words) {
    std::memcpy(words.data(), from, sizeof words);
    for (uint64_t& word : words) word ^= wide;
    std::memcpy(to, words.data(), sizeof words);
  }
  for (; size >= sizeof wide; size -= sizeof wide, to += sizeof wide, from += sizeof wide) {
    std::memcpy(words.data(), from, sizeof wide);
    words[0] ^= wide;
    std::memcpy(to, words.data(), sizeof wide);
  }
  std::array<char, 4> bytes;
  std::memcpy(bytes.data(), &key, sizeof key);
  for (std::size_t i = 0; i < size; ++i) to[i] = static_cast<char>(from[i] ^ bytes[i % 4]);
}

MaskKey advance(MaskKey key, std::size_t bytes) {
  const int bits = static_cast<int>(bytes % 4) * 8;
  if constexpr (std::endian::native == std::endian::little) return std::rotr(key, bits);
  return std::rotl(key, bits);
}

void append_frame(std::string& out, Opcode opcode, std::string_view payload, Role role, MaskKey key) {
  FrameHeader header;
  header.opcode = opcode;
  header.payload_bytes = payload.size();
  header.masked = role == Role::client;
  header.key = key;
  std::array<char, kHeaderBytesMax> bytes;
  out.append(bytes.data(), encode_header(bytes.data(), header));
  const std::size_t at = out.size();
  out.append(payload);
  if (header.masked) mask(out.data() + at, out.data() + at, payload.size(), key);
}

void append_close(std::string& out, CloseCode code, std::string_view reason, Role role, MaskKey key) {
  std::string payload;
  if (code != CloseCode::no_code) {
    payload.resize(2);
    store_big_endian(payload.data(), static_cast<uint16_t>(code), 2);
    std::size_t size = std::min(reason.size(), kControlBytesMax - 2);
    while (size < reason.size() && size > 0 && (static_cast<uint8_t>(reason[size]) & 0xC0) == 0x80) --size;
    payload += reason.substr(0, size);
  }
  append_frame(out, Opcode::close, payload, role, key);
}

}  // namespace arena::websocket
