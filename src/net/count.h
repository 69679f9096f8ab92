// What a core counts.
#pragma once

#include <atomic>
#include <cstdint>

namespace arena::net {

// One writer, any reader.
class Count {
 public:
  void add() { value_.store(get() + 1, std::memory_order_relaxed); }
  void sub() { value_.store(get() - 1, std::memory_order_relaxed); }
  uint64_t get() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> value_{0};
};

}  // namespace arena::net
