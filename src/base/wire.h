// Numbers and strings to bytes and back: big-endian, so that encoded numbers sort as they compare.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace arena {

template <std::unsigned_integral T>
void put_be(std::string& out, T value) {
  for (std::size_t i = sizeof(T); i-- > 0;) out.push_back(static_cast<char>((value >> (8 * i)) & 0xff));
}
// Length (32 bits), then the bytes.
inline void put_text(std::string& out, std::string_view text) {
  put_be(out, static_cast<uint32_t>(text.size()));
  out.append(text);
}

// Reads what the above wrote. After the first short read failed() stays true and every value is zero or empty.
class WireReader {
 public:
  explicit WireReader(std::string_view bytes) : rest_(bytes) {}

  template <std::unsigned_integral T>
  T be() {
    if (rest_.size() < sizeof(T)) return fail(), T{0};
    T value = 0;
    for (std::size_t i = 0; i < sizeof(T); ++i) value = static_cast<T>((value << 8) | static_cast<uint8_t>(rest_[i]));
    rest_.remove_prefix(sizeof(T));
    return value;
  }
  std::string_view text() {
    const std::size_t size = be<uint32_t>();
    if (rest_.size() < size) return fail(), std::string_view{};
    const std::string_view out = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return out;
  }
  bool failed() const { return failed_; }
  bool done() const { return rest_.empty() && !failed_; }
  std::string_view rest() const { return rest_; }

 private:
  void fail() {
    failed_ = true;
    rest_ = {};
  }
  std::string_view rest_;
  bool failed_ = false;
};

}  // namespace arena
