// Takes a packet's body apart. The first fault sticks; after it every read gives zero or nothing, so decoders
// are straight lines that ask once at their end.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/utf8.h"
#include "codec/mqtt/reason.h"
#include "codec/mqtt/varint.h"

namespace arena::mqtt {

struct Fault {
  Reason reason = Reason::success;
  std::string_view text;
};

// Views what it reads from: the bytes must outlive it and everything it returned.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}

  bool ok() const { return fault_.reason == Reason::success; }
  const Fault& fault() const { return fault_; }
  std::size_t left() const { return rest_.size(); }
  void fail(Reason reason, std::string_view text) {
    if (ok()) fault_ = {reason, text};
    rest_ = {};
  }
  void malformed(std::string_view text) { fail(Reason::malformed_packet, text); }
  void protocol_error(std::string_view text) { fail(Reason::protocol_error, text); }
  void adopt_fault(const Reader& part) {
    if (!part.ok()) fail(part.fault_.reason, part.fault_.text);
  }

  uint8_t u8() {
    if (!has(1)) return 0;
    const auto value = static_cast<uint8_t>(rest_[0]);
    rest_.remove_prefix(1);
    return value;
  }
  uint16_t u16() {
    if (!has(2)) return 0;
    const auto value = static_cast<uint16_t>(byte(0) << 8 | byte(1));
    rest_.remove_prefix(2);
    return value;
  }
  uint32_t u32() {
    if (!has(4)) return 0;
    const uint32_t value = byte(0) << 24 | byte(1) << 16 | byte(2) << 8 | byte(3);
    rest_.remove_prefix(4);
    return value;
  }
  // Only MQTT 5 has one inside a packet, so the shortest form is demanded [MQTT-1.5.5-1].
  uint32_t varint() {
    const Varint read = read_varint(rest_);
    if (read.state == Varint::State::incomplete) malformed("packet ends inside a field");
    if (read.state == Varint::State::too_long) malformed("variable byte integer of more than four bytes");
    if (!ok()) return 0;
    if (is_padded(read)) {
      malformed("variable byte integer not in its shortest form");
      return 0;
    }
    rest_.remove_prefix(read.bytes);
    return read.value;
  }
  std::string_view take(std::size_t bytes) {
    if (!has(bytes)) return {};
    const std::string_view taken = rest_.substr(0, bytes);
    rest_.remove_prefix(bytes);
    return taken;
  }
  // Two bytes of length, then that many.
  std::string_view binary() { return take(u16()); }
  std::string_view text() {
    const std::string_view value = binary();
    if (!is_utf8_without_nul(value)) {
      malformed("text is not well-formed UTF-8, or has U+0000");
      return {};
    }
    return value;
  }
  std::string_view rest() { return take(rest_.size()); }
  // Nothing may follow what the packet's type and length announce.
  void expect_end() {
    if (!rest_.empty()) malformed("bytes after the packet's last field");
  }

 private:
  bool has(std::size_t bytes) {
    if (rest_.size() >= bytes) return true;
    malformed("packet ends inside a field");
    return false;
  }
  uint32_t byte(std::size_t i) const { return static_cast<uint8_t>(rest_[i]); }

  std::string_view rest_;
  Fault fault_;
};

// Topics and response topics: at least one byte, no wildcard [MQTT-3.3.2-2, MQTT-3.3.2-14, MQTT-4.7.3-1].
inline bool is_topic_name(std::string_view text) {
  // Two fast searches; find_first_of would make one for each byte.
  return !text.empty() && text.find('+') == std::string_view::npos &&
         text.find('#') == std::string_view::npos;
}

}  // namespace arena::mqtt
