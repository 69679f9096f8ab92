// What a loop tells other threads about itself: for the watchdog and for metrics.
#pragma once

#include <atomic>
#include <cstdint>
#include <string_view>

namespace arena::runtime {

enum class Phase : uint8_t { sleeping, io, mail, timers, deferred };
std::string_view to_string(Phase phase);

// Written by the loop's thread, read by any. Values are plain samples: nothing else is ordered by them.
class Progress {
 public:
  // The loop's thread.
  // `slept`: the time since the last turn was spent asleep, else in looking for more to do.
  void turn_began(int64_t now_ns, bool slept);
  void enter(Phase phase) { phase_.store(phase, std::memory_order_relaxed); }
  void turn_ended(int64_t now_ns);
  int64_t busy_total_ns() const { return busy_total_ns_; }

  // Any thread.
  uint64_t turn() const { return turn_.load(std::memory_order_acquire); }
  Phase phase() const { return phase_.load(std::memory_order_relaxed); }
  // Share of the last second that was not spent asleep, 0..1000.
  unsigned busy_permille(int64_t now_ns) const;
  // The longest turn since the last call.
  int64_t take_longest_turn_us() { return longest_turn_us_.exchange(0, std::memory_order_relaxed); }

 private:
  void close_window(int64_t now_ns);

  std::atomic<uint64_t> turn_{0};
  std::atomic<Phase> phase_{Phase::sleeping};
  std::atomic<unsigned> busy_permille_{0};
  std::atomic<int64_t> window_start_ns_{0};
  std::atomic<int64_t> longest_turn_us_{0};
  int64_t turn_start_ns_ = 0;
  int64_t turn_end_ns_ = 0;
  int64_t busy_ns_ = 0;
  int64_t busy_total_ns_ = 0;
};

}  // namespace arena::runtime
