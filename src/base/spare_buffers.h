// Buffers that whoever writes takes and hands back when what it wrote is out, so that output costs neither allocations nor
// fresh pages.
#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace arena {

// Keeps at most 64 buffers of at most 64 KB. One thread.
class SpareBuffers {
 public:
  static constexpr std::size_t kBytesMin = 512;

  // Gives an empty buffer that has no room yet some: one that was handed back, or a new one of kBytesMin.
  void prepare(std::string& buffer) {
    if (buffer.capacity() >= kBytesMin) return;
    if (spares_.empty()) {
      buffer.reserve(kBytesMin);
    } else {
      buffer = std::move(spares_.back());
      spares_.pop_back();
    }
  }
  // What is in it is gone.
  void give(std::string buffer) {
    if (buffer.capacity() < kBytesMin || buffer.capacity() > kBytesMax || spares_.size() >= kSparesMax) return;
    buffer.clear();
    spares_.push_back(std::move(buffer));
  }

 private:
  static constexpr std::size_t kBytesMax = 64 << 10;
  static constexpr std::size_t kSparesMax = 64;

  std::vector<std::string> spares_;
};

}  // namespace arena
