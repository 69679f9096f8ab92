// Checks that a subscriber gets each publisher's messages once and in order.
#pragma once

#include <cstdint>

namespace arena::client {

class SequenceCheck {
 public:
  void see(uint64_t sequence) {
    if (sequence == next_) {
      ++next_;
    } else if (sequence > next_) {
      missing_ += sequence - next_;
      next_ = sequence + 1;
    } else if (missing_ > 0) {  // taken for one of those that were jumped over
      --missing_;
      ++reordered_;
    } else {
      ++duplicated_;
    }
  }
  // Given how many were sent.
  uint64_t lost(uint64_t sent) const { return missing_ + (sent > next_ ? sent - next_ : 0); }
  uint64_t duplicated() const { return duplicated_; }
  uint64_t reordered() const { return reordered_; }

 private:
  uint64_t next_ = 0;
  uint64_t missing_ = 0;
  uint64_t duplicated_ = 0;
  uint64_t reordered_ = 0;
};

}  // namespace arena::client
