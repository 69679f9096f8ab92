#include "base/base64.h"

#include <algorithm>
#include <cstdint>

namespace arena {

namespace {
constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
}  // namespace

std::string base64(std::string_view bytes) {
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t left = std::min<std::size_t>(3, bytes.size() - i);
    uint32_t group = 0;
    for (std::size_t k = 0; k < 3; ++k) group = group << 8 | (k < left ? static_cast<unsigned char>(bytes[i + k]) : 0U);
    for (std::size_t k = 0; k < 4; ++k) out.push_back(k <= left ? kDigits[group >> (18 - 6 * k) & 63] : '=');
  }
  return out;
}

std::optional<std::string> base64_decode(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  const std::size_t padding = text.ends_with("==") ? 2 : text.ends_with('=') ? 1 : 0;
  std::string out;
  out.reserve(text.size() / 4 * 3);
  uint32_t group = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const std::size_t digit = i < text.size() - padding ? kDigits.find(text[i]) : 0;
    if (digit == std::string_view::npos) return std::nullopt;
    group = group << 6 | static_cast<uint32_t>(digit);
    if (i % 4 != 3) continue;
    for (int shift = 16; shift >= 0; shift -= 8) out.push_back(static_cast<char>(group >> shift & 255));
    group = 0;
  }
  // What the padding stands for was zero, or the same bytes had two texts.
  for (std::size_t i = 0; i < padding; ++i) {
    if (out.back() != 0) return std::nullopt;
    out.pop_back();
  }
  const std::size_t last_bits = padding == 0 ? 0 : padding == 1 ? 2 : 4;
  if (last_bits != 0 && (kDigits.find(text[text.size() - padding - 1]) & ((1U << last_bits) - 1)) != 0) return std::nullopt;
  return out;
}

}  // namespace arena
