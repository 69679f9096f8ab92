// Text for objects of which there are many: a pointer, and nothing behind it while it is empty, where a std::string
// takes 32 bytes.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace arena {

// Never changed, only replaced; less than 4 GiB. Copying it copies the text.
class Text {
 public:
  Text() = default;
  Text(std::string_view text) {
    if (text.empty()) return;
    const auto size = static_cast<uint32_t>(text.size());
    bytes_ = std::make_unique_for_overwrite<char[]>(sizeof size + text.size());
    std::memcpy(bytes_.get(), &size, sizeof size);
    std::memcpy(bytes_.get() + sizeof size, text.data(), text.size());
  }
  Text(const char* text) : Text(std::string_view(text)) {}
  Text(const std::string& text) : Text(std::string_view(text)) {}
  Text(const Text& other) : Text(other.view()) {}
  Text(Text&&) noexcept = default;
  Text& operator=(Text other) noexcept {
    bytes_ = std::move(other.bytes_);
    return *this;
  }
  ~Text() = default;

  std::string_view view() const {
    uint32_t size = 0;
    if (bytes_ == nullptr) return {};
    std::memcpy(&size, bytes_.get(), sizeof size);
    return {bytes_.get() + sizeof size, size};
  }
  operator std::string_view() const { return view(); }
  bool empty() const { return bytes_ == nullptr; }
  std::size_t heap_bytes() const { return bytes_ == nullptr ? 0 : sizeof(uint32_t) + view().size(); }

  friend bool operator==(const Text& a, const Text& b) { return a.view() == b.view(); }
  friend bool operator==(const Text& a, std::string_view b) { return a.view() == b; }
  friend std::strong_ordering operator<=>(const Text& a, const Text& b) { return a.view() <=> b.view(); }

 private:
  std::unique_ptr<char[]> bytes_;  // its size, then itself
};

}  // namespace arena
