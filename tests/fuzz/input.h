// The fuzzer's bytes as choices. When they run out every choice is the first, so that a cut input still means
// something.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace arena::fuzz {

class Input {
 public:
  Input(const uint8_t* data, std::size_t size) : data_(data), left_(size) {}

  bool empty() const { return left_ == 0; }
  uint8_t byte() {
    if (left_ == 0) return 0;
    --left_;
    return *data_++;
  }
  std::size_t below(std::size_t bound) { return byte() % bound; }
  bool flag() { return byte() % 2 != 0; }
  template <typename T, std::size_t N>
  const T& one_of(const T (&choices)[N]) {
    return choices[below(N)];
  }
  // At most so many bytes, in memory of their own.
  std::string text(std::size_t size_max) {
    const std::size_t size = size_max < left_ ? size_max : left_;
    std::string out(reinterpret_cast<const char*>(data_), size);
    data_ += size;
    left_ -= size;
    return out;
  }
  std::string rest() { return text(left_); }

  // A topic or filter of one to four levels out of `levels`; a byte above 240 stands for one of its own.
  template <std::size_t N>
  std::string levels(const std::string_view (&choices)[N]) {
    std::string out;
    const std::size_t depth = 1 + below(4);
    for (std::size_t i = 0; i < depth; ++i) {
      if (i > 0) out += '/';
      const uint8_t choice = byte();
      out += choice > 240 ? text(2) : std::string(choices[choice % N]);
    }
    return out;
  }

 private:
  const uint8_t* data_;
  std::size_t left_;
};

}  // namespace arena::fuzz
