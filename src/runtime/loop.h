// One loop per core: what everything above asks for time, timers, randomness, other cores and blocking work.
// Two implementations: EpollLoop (real) and SimLoop (virtual time, one thread, from a seed).
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/intrusive_list.h"
#include "base/unique_function.h"

namespace arena::runtime {

struct TimerTag;

// A timer embedded in its owner; at most one deadline at a time. Destroying it disarms it. The callback runs on
// the loop that armed it, after the deadline, never early. It may arm again, or destroy the timer.
class Timer : public ListNode<TimerTag> {
 public:
  using Callback = void (*)(void* context);
  Timer(Callback callback, void* context) : callback_(callback), context_(context) {}

  bool armed() const { return linked(); }
  void disarm() { unlink(); }
  int64_t deadline_ms() const { return deadline_ms_; }

  // For loops only.
  void set_deadline_ms(int64_t deadline_ms) { deadline_ms_ = deadline_ms; }
  void fire() { callback_(context_); }

 private:
  int64_t deadline_ms_ = 0;
  Callback callback_;
  void* context_;
};

// Blocking work is done in lanes, each with its own threads and bounded queue.
enum class Lane : uint8_t {
  general,   // DNS, files
  password,  // one thread: hashing is memory-hard on purpose
  commit,    // one thread: the store's group commit
};

// All methods are called on the loop's own thread.
class Loop {
 public:
  virtual ~Loop() = default;

  virtual unsigned core() const = 0;   // 0 .. cores()-1
  virtual unsigned cores() const = 0;  // fixed for the life of the process, at most 64
  // Monotonic milliseconds, as of the start of this turn of the loop.
  virtual int64_t now_ms() const = 0;
  // Unix milliseconds, as of the start of this turn.
  virtual int64_t wall_ms() const = 0;
  virtual uint64_t random() = 0;

  // Arms or re-arms: O(1). delay_ms <= 0 fires in the next turn.
  virtual void arm(Timer& timer, int64_t delay_ms) = 0;
  // Runs `task` at the end of this turn: after all that was readable has been read and all mail has been
  // handled, before sleeping. Tasks deferred by deferred tasks run in the same phase, after those before them.
  virtual void defer(Task task) = 0;
  // Runs `task` on another core (or in a later turn of this one). First in, first out per (from, to) pair.
  // Never blocks. Bounds are the caller's duty: credit is taken where a publish is admitted.
  virtual void post(unsigned core, Task task) = 0;
  // Runs `work` off the loop, then `done` on this loop. False, and neither runs, when the lane's queue is full.
  virtual bool run_blocking(Lane lane, Task work, Task done) = 0;
};

}  // namespace arena::runtime
