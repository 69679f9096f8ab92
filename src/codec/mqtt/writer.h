// The two sinks of the encoder: one counts, one writes. Both take the same calls, so that a packet's length
// and its bytes come from one description.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "codec/mqtt/varint.h"

namespace arena::mqtt {

class Sizer {
 public:
  std::size_t bytes() const { return bytes_; }
  // False when the format cannot express what was put.
  bool fits() const { return fits_ && bytes_ <= kVarintMax; }

  void u8(uint8_t) { bytes_ += 1; }
  void u16(uint16_t) { bytes_ += 2; }
  void u32(uint32_t) { bytes_ += 4; }
  void varint(uint32_t value) {
    fits_ = fits_ && value <= kVarintMax;
    bytes_ += varint_bytes(value);
  }
  void raw(std::string_view bytes) { bytes_ += bytes.size(); }
  void text(std::string_view text) {
    fits_ = fits_ && text.size() <= 0xFFFF;
    bytes_ += 2 + text.size();
  }
  void block(const Sizer& inner) {
    fits_ = fits_ && inner.fits();
    bytes_ += inner.bytes_;
  }

 private:
  std::size_t bytes_ = 0;
  bool fits_ = true;
};

// Writes to memory that its maker has sized with a Sizer: no bounds are checked here.
class Writer {
 public:
  explicit Writer(char* to) : to_(to) {}

  void u8(uint8_t value) { *to_++ = static_cast<char>(value); }
  void u16(uint16_t value) {
    u8(static_cast<uint8_t>(value >> 8));
    u8(static_cast<uint8_t>(value));
  }
  void u32(uint32_t value) {
    u16(static_cast<uint16_t>(value >> 16));
    u16(static_cast<uint16_t>(value));
  }
  void varint(uint32_t value) {
    while (value >= 0x80) {
      u8(static_cast<uint8_t>(value | 0x80));
      value >>= 7;
    }
    u8(static_cast<uint8_t>(value));
  }
  void raw(std::string_view bytes) {
    if (bytes.empty()) return;
    std::memcpy(to_, bytes.data(), bytes.size());
    to_ += bytes.size();
  }
  void text(std::string_view text) {
    u16(static_cast<uint16_t>(text.size()));
    raw(text);
  }

 private:
  char* to_;
};

}  // namespace arena::mqtt
