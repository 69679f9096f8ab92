// When messages are due at a fixed rate, whatever comes back: latency is counted from then, so that a server
// which stalls cannot hide the messages that it kept from being sent.
#pragma once

#include <cstdint>

namespace arena::client {

class Schedule {
 public:
  Schedule() = default;
  // `rate` of all publishers together, a second.
  Schedule(int64_t began_ns, double rate) : began_ns_(began_ns), interval_ns_(1e9 / rate) {}
  // The n-th message, from 0.
  int64_t due_ns(uint64_t n) const {
    return began_ns_ + static_cast<int64_t>(static_cast<double>(n) * interval_ns_);
  }

 private:
  int64_t began_ns_ = 0;
  double interval_ns_ = 0;
};

}  // namespace arena::client
