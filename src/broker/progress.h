// How far a producer is: its highest number, and those below it that are still to come, as they were refused or never seen.
#pragma once

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <map>

namespace arena::broker {

class Progress {
 public:
  uint64_t last() const { return last_; }
  // In how many pieces it is.
  std::size_t gaps() const { return missing_.size(); }
  // First and last number of each.
  const std::map<uint64_t, uint64_t>& missing() const { return missing_; }
  bool has(uint64_t number) const {
    const auto after = missing_.upper_bound(number);
    return number <= last_ && (after == missing_.begin() || std::prev(after)->second < number);
  }

  // False: it was there.
  bool add(uint64_t number) {
    if (has(number)) return false;
    if (number > last_) {
      if (number > last_ + 1) miss(last_ + 1, number - 1);
      last_ = number;
      return true;
    }
    const auto at = std::prev(missing_.upper_bound(number));
    const auto [first, last] = *at;
    missing_.erase(at);
    if (first < number) missing_.emplace(first, number - 1);
    if (number < last) missing_.emplace(number + 1, last);
    return true;
  }
  void remove(uint64_t number) {
    if (has(number)) miss(number, number);
  }
  // As it was stored.
  void restore(uint64_t last) { last_ = last; }
  void miss(uint64_t first, uint64_t last) {
    const auto after = missing_.upper_bound(first);
    if (after != missing_.begin() && std::prev(after)->second + 1 == first) {
      std::prev(after)->second = last;
    } else {
      missing_.emplace(first, last);
    }
  }

 private:
  uint64_t last_ = 0;
  std::map<uint64_t, uint64_t> missing_;
};

}  // namespace arena::broker
