// The timers of one loop: arming, disarming and firing are O(1) however many there are.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>

#include "base/intrusive_list.h"
#include "runtime/loop.h"

namespace arena::runtime {

// Seven levels of 64 slots; a slot of level n spans 64^n ms. A timer sits at the level of the highest base-64 digit
// in which its deadline differs from the wheel's time, so that it moves down at most six times before it fires.
// Times are monotonic milliseconds in [0, 2^42). Owns no timer: a timer that dies unlinks itself, which is why a
// slot's "occupied" bit may be stale. One thread.
class TimerWheel {
 public:
  static constexpr int64_t kNever = std::numeric_limits<int64_t>::max();

  explicit TimerWheel(int64_t now_ms) : time_ms_(now_ms) {}

  // A deadline at or before the time of the last advance() fires in the next advance().
  void arm(Timer& timer, int64_t deadline_ms);
  // Fires the timers due at `now_ms`, in the order of their deadlines, at most so many; returns how many. The others, and
  // timers armed by callbacks, wait for the next call, even when they are due. Callbacks may arm, disarm and destroy any
  // timer.
  std::size_t advance(int64_t now_ms, std::size_t fired_max = SIZE_MAX);
  // No timer fires before this; kNever when there is none. It can be earlier than the first deadline (the wheel
  // wants to move timers down), so a loop that wakes then may find nothing to fire.
  int64_t next_deadline_ms();

 private:
  using List = IntrusiveList<Timer, TimerTag>;
  static constexpr unsigned kLevels = 7;
  static constexpr unsigned kBits = 6;
  static constexpr unsigned kSlots = 1u << kBits;
  struct Level {
    uint64_t occupied = 0;
    std::array<List, kSlots> slots;
  };
  struct Slot {
    unsigned level;
    unsigned index;
    int64_t start_ms;
  };

  void place(Timer& timer);
  bool first_slot(Slot& found);
  void collect_due(int64_t now_ms, List& due);

  int64_t time_ms_;
  List overdue_;
  std::array<Level, kLevels> levels_;
};

}  // namespace arena::runtime
