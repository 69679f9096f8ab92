// The Variable Byte Integer: seven bits a byte, low ones first, at most four bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace arena::mqtt {

inline constexpr uint32_t kVarintMax = 268'435'455;

struct Varint {
  enum class State : uint8_t { complete, incomplete, too_long };
  State state = State::incomplete;
  uint8_t bytes = 0;   // read, when complete
  uint32_t value = 0;  // when complete
};

constexpr unsigned varint_bytes(uint32_t value) {
  return value < 128 ? 1 : value < 16'384 ? 2 : value < 2'097'152 ? 3 : 4;
}

// Reads from the front of `input`. A fifth byte is never looked at: four bytes that all announce another are
// too long.
inline Varint read_varint(std::string_view input) {
  Varint result;
  for (unsigned i = 0; i < 4; ++i) {
    if (i == input.size()) return result;
    const auto byte = static_cast<uint8_t>(input[i]);
    result.value |= static_cast<uint32_t>(byte & 0x7F) << (7 * i);
    if (byte < 0x80) {
      result.bytes = static_cast<uint8_t>(i + 1);
      result.state = Varint::State::complete;
      return result;
    }
  }
  result.state = Varint::State::too_long;
  return result;
}

// Padded forms are invalid in MQTT 5 [MQTT-1.5.5-1].
constexpr bool is_padded(const Varint& read) {
  return read.bytes > varint_bytes(read.value);
}

}  // namespace arena::mqtt
