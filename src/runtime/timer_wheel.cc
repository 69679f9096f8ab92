#include "runtime/timer_wheel.h"

#include <algorithm>
#include <bit>

namespace arena::runtime {
namespace {

constexpr int64_t kDeadlineMax = (int64_t{1} << 42) - 1;  // 139 years

}  // namespace

void TimerWheel::arm(Timer& timer, int64_t deadline_ms) {
  timer.set_deadline_ms(std::min(deadline_ms, kDeadlineMax));
  place(timer);
}

void TimerWheel::place(Timer& timer) {
  const int64_t deadline = timer.deadline_ms();
  if (deadline <= time_ms_) {
    overdue_.push_back(timer);
    return;
  }
  const auto differing = static_cast<uint64_t>(deadline ^ time_ms_);
  const unsigned level = (static_cast<unsigned>(std::bit_width(differing)) - 1) / kBits;
  const auto index = static_cast<unsigned>(static_cast<uint64_t>(deadline) >> (level * kBits)) & (kSlots - 1);
  levels_[level].slots[index].push_back(timer);
  levels_[level].occupied |= uint64_t{1} << index;
}

// The earliest occupied slot. Lower levels come first: everything in them shares with the wheel's time all digits
// above, so it is due before anything higher.
bool TimerWheel::first_slot(Slot& found) {
  for (unsigned n = 0; n < kLevels; ++n) {
    Level& level = levels_[n];
    while (level.occupied != 0) {
      const auto index = static_cast<unsigned>(std::countr_zero(level.occupied));
      if (level.slots[index].empty()) {
        level.occupied &= level.occupied - 1;  // its timers were disarmed
        continue;
      }
      const unsigned shift = n * kBits;
      const int64_t above = time_ms_ >> (shift + kBits) << (shift + kBits);
      found = Slot{n, index, above | int64_t{index} << shift};
      return true;
    }
  }
  return false;
}

int64_t TimerWheel::next_deadline_ms() {
  if (!overdue_.empty()) return time_ms_;
  Slot slot{};
  return first_slot(slot) ? slot.start_ms : kNever;
}

// Leaves the wheel at `now_ms` with all timers due by then in `due`.
void TimerWheel::collect_due(int64_t now_ms, List& due) {
  due.splice_back(overdue_);
  Slot slot{};
  while (first_slot(slot) && slot.start_ms <= now_ms) {
    time_ms_ = slot.start_ms;
    List moving;
    moving.splice_back(levels_[slot.level].slots[slot.index]);
    levels_[slot.level].occupied &= ~(uint64_t{1} << slot.index);
    while (!moving.empty()) {
      place(moving.pop_front());  // one level or more down, or due now
    }
    due.splice_back(overdue_);
  }
  time_ms_ = std::max(time_ms_, now_ms);
}

std::size_t TimerWheel::advance(int64_t now_ms, std::size_t fired_max) {
  List due;
  collect_due(now_ms, due);
  std::size_t fired = 0;
  while (!due.empty() && fired < fired_max) {
    ++fired;
    due.pop_front().fire();  // the timer may be gone after this
  }
  due.splice_back(overdue_);
  overdue_.splice_back(due);
  return fired;
}

}  // namespace arena::runtime
