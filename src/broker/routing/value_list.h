// The values under one filter: none and one cost no allocation, many are contiguous, and removal stays cheap
// however many there are. Values may be set aside: they stay in the list, and are counted instead of handed out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace arena::broker {

// A set of values in no particular order; 16 bytes. One core only.
class ValueList {
 public:
  using Value = uint64_t;

  ValueList() = default;
  ~ValueList() { clear(); }
  ValueList(ValueList&& other) noexcept;
  ValueList& operator=(ValueList&& other) noexcept;
  ValueList(const ValueList&) = delete;
  ValueList& operator=(const ValueList&) = delete;

  // False if the value is already there.
  bool add(Value value);
  // False if it is not there. Constant time: above a small size an index says where each value sits.
  bool remove(Value value);
  // A new value is not aside. False if it is not there. Constant time.
  bool set_aside(Value value, bool aside);
  // Those that are not aside.
  void append_to(std::vector<Value>& out) const;
  std::size_t aside() const;

  bool empty() const { return size_ == 0; }
  std::size_t size() const { return size_; }
  std::size_t heap_bytes() const;

  // One of them, aside or not; precondition: not empty.
  Value front() const;

 private:
  struct Many;
  void clear();

  union {
    Value one_ = 0;  // size_ == 1
    Many* many_;     // size_ > 1; owned
  };
  uint32_t size_ = 0;
  bool one_is_aside_ = false;  // size_ == 1

 public:
  uint8_t mark = 0;  // for whoever keeps the list; gone when the last value goes. Here, where there is room
};
static_assert(sizeof(ValueList) == 16);

}  // namespace arena::broker
