#include "base/utf8.h"

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace arena {
namespace {

constexpr uint64_t kHighBits = 0x8080808080808080;

bool is_continuation(unsigned char byte) { return (byte & 0xC0) == 0x80; }

// Length of the well-formed sequence that begins at `p` (a byte >= 0x80), or 0. Table 3-7 of the Unicode standard:
// only the second byte's range depends on the first; that is where overlong forms and surrogates are refused.
std::size_t sequence_length(const unsigned char* p, std::size_t left) {
  const unsigned char first = p[0];
  if (first < 0xC2 || first > 0xF4 || left < 2) return 0;
  if (first < 0xE0) return is_continuation(p[1]) ? 2 : 0;
  unsigned char low = 0x80;
  unsigned char high = 0xBF;
  if (first == 0xE0) low = 0xA0;
  if (first == 0xED) high = 0x9F;
  if (first == 0xF0) low = 0x90;
  if (first == 0xF4) high = 0x8F;
  if (p[1] < low || p[1] > high) return 0;
  if (left < 3 || !is_continuation(p[2])) return 0;
  if (first < 0xF0) return 3;
  return left >= 4 && is_continuation(p[3]) ? 4 : 0;
}

// How many bytes in front are ASCII; eight a step.
std::size_t ascii_length(const unsigned char* p, std::size_t size) {
  std::size_t length = 0;
  while (size - length >= sizeof(uint64_t)) {
    uint64_t word;
    std::memcpy(&word, p + length, sizeof word);
    if ((word & kHighBits) != 0) break;
    length += sizeof word;
  }
  while (length < size && p[length] < 0x80) ++length;
  return length;
}

}  // namespace

bool is_utf8(std::string_view text) {
  const auto* p = reinterpret_cast<const unsigned char*>(text.data());
  std::size_t left = text.size();
  while (left > 0) {
    // Nearly all topics are ASCII: eight bytes a step.
    while (left >= sizeof(uint64_t)) {
      uint64_t word;
      std::memcpy(&word, p, sizeof word);
      if ((word & kHighBits) != 0) break;
      p += sizeof word;
      left -= sizeof word;
    }
    if (left == 0) return true;
    const std::size_t length = *p < 0x80 ? 1 : sequence_length(p, left);
    if (length == 0) return false;
    p += length;
    left -= length;
  }
  return true;
}

bool is_utf8_without_nul(std::string_view text) {
  if (text.empty()) return true;
  return std::memchr(text.data(), 0, text.size()) == nullptr && is_utf8(text);
}

bool Utf8Checker::take(std::string_view piece) {
  const auto* p = reinterpret_cast<const unsigned char*>(piece.data());
  const unsigned char* const end = p + piece.size();
  while (p != end) {
    if (left_ == 0) {
      p += ascii_length(p, static_cast<std::size_t>(end - p));
      if (p == end) return true;
      const unsigned char first = *p++;
      if (first < 0xC2 || first > 0xF4) return false;
      left_ = first < 0xE0 ? 1 : first < 0xF0 ? 2 : 3;
      low_ = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80;
      high_ = first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF;
    } else {
      const unsigned char next = *p++;
      if (next < low_ || next > high_) return false;
      --left_;
      low_ = 0x80;
      high_ = 0xBF;
    }
  }
  return true;
}

}  // namespace arena
