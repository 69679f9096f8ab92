// The real loop: epoll, the system's clocks, mailboxes between threads.
#pragma once

#include <sys/epoll.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/ring.h"
#include "base/spare_buffers.h"
#include "runtime/loop.h"
#include "runtime/progress.h"
#include "runtime/random.h"
#include "runtime/timer_wheel.h"
#include "runtime/turn_end.h"

namespace arena::runtime {

class BlockingPool;
class Mailbox;

// Told when a watched file descriptor is ready. May add, change and remove any descriptor, its own included.
class IoHandler {
 public:
  virtual ~IoHandler() = default;
  virtual void on_io(uint32_t events) = 0;  // EPOLLIN, EPOLLOUT, ...
};

// One turn: sleep in epoll_wait -> read the clocks -> io -> mail -> timers -> deferred tasks -> turn-end hooks.
// Posts to other cores are collected and handed over after each phase, one lock per destination.
// Everything but stop(), wake(), post_from_outside() and the statistics belongs to the thread that runs the loop (or, while
// none does, to the thread that made it); which thread that is may change between two turns. Use `Runtime` to make
// loops.
class EpollLoop final : public Loop {
 public:
  static constexpr std::size_t kReadBufferBytes = 256 << 10;

  // `mailboxes` has one per core, this loop's own at index `core`. They and the pool outlive the loop.
  EpollLoop(unsigned core, std::span<Mailbox* const> mailboxes, BlockingPool& pool, uint64_t seed);
  ~EpollLoop() override;  // close()
  EpollLoop(const EpollLoop&) = delete;
  EpollLoop& operator=(const EpollLoop&) = delete;

  unsigned core() const override { return core_; }
  unsigned cores() const override { return static_cast<unsigned>(mailboxes_.size()); }
  int64_t now_ms() const override { return now_ms_; }
  int64_t wall_ms() const override { return wall_ms_; }
  uint64_t random() override { return random_.next(); }
  void arm(Timer& timer, int64_t delay_ms) override;
  void defer(Task task) override { deferred_.push_back(std::move(task)); }
  void post(unsigned core, Task task) override;
  bool run_blocking(Lane lane, Task work, Task done) override;

  // Watches `fd`, level-triggered unless EPOLLET is asked for. False when the system refuses. `handler` must live
  // until remove(), after which it is not called any more, not even for events already fetched.
  bool add(int fd, uint32_t events, IoHandler& handler);
  void modify(int fd, uint32_t events, IoHandler& handler);
  void remove(int fd, IoHandler& handler);  // before the descriptor is closed

  // Scratch room for whoever reads from a descriptor; its content lasts until the next read on this loop.
  std::span<char> read_buffer() { return {read_buffer_.get(), kReadBufferBytes}; }
  // Buffers for what streams write in a turn: at 1 KB x 100 subscribers fresh ones were half of the CPU.
  SpareBuffers& spares() { return spares_; }
  // Calls the hook once at the end of this turn; asked again before then, nothing changes.
  void at_turn_end(TurnEnd& hook) {
    if (!hook.linked()) turn_ends_.push_back(hook);
  }
  // Closes a descriptor that is not watched, in this turn or a later one: closing a socket takes longer than most that a turn
  // has to do, and a crowd that leaves at once must not hold up those who stay.
  void close_soon(int fd) { to_close_.push_back(fd); }
  void adopt(LoopOwned& owned) { owned_.push_back(owned); }

  // Runs turns until stop().
  void run();
  // One turn that sleeps at most `sleep_max_ms`: for tests and for programs that wait for one thing. Returns when it ended.
  int64_t turn(int64_t sleep_max_ms);
  // For whoever turns several loops on one thread (Crew). They sleep together in one of them, which watches the others:
  // so what comes for that one takes a single system call to see, what comes for another two. now_ns: of the monotonic
  // clock, which is read once for all that follows on a waking up.
  void watch(EpollLoop& other);
  void unwatch(EpollLoop& other);
  // How long this one may sleep; unless that is 0, end_sleep() follows.
  int64_t prepare_sleep(int64_t now_ns);
  void end_sleep();
  // Sleeps, and fetches what there is to do; what there is for those it watches they know from then on.
  void sleep_for_all(int64_t timeout_ms) { fetch_events(timeout_ms); }
  // Is there anything to do?
  bool wants_turn(int64_t now_ns);
  // One turn without sleeping, with the events known already. Returns when it ended.
  int64_t turn_awake(int64_t now_ns);
  // Destroys the tasks and loop-owned objects that are left. Posts from others are destroyed from now on.
  void close();

  // Any thread.
  void stop();
  void post_from_outside(Task task);
  void wake();  // ends its sleep, or its next one
  unsigned busy_permille() const;  // of the last second
  Progress& progress() { return progress_; }
  // Time spent in turns so far. For the thread that turns it.
  int64_t busy_total_ns() const { return progress_.busy_total_ns(); }

 private:
  static constexpr int kEventsMax = 512;

  int64_t sleep_ms(int64_t sleep_max_ms, int64_t now_ns);
  void refresh_clocks(int64_t now_ns);
  bool wait(int64_t sleep_max_ms);
  void fetch_events(int64_t timeout_ms);
  void pass_on_events();
  int64_t run_phases(bool slept, int64_t began_ns);
  void dispatch_io();
  void run_mail();
  void run_deferred();
  void run_deferred_tasks();
  void close_some();
  void hand_over();
  Mailbox& mailbox() { return *mailboxes_[core_]; }

  const unsigned core_;
  const std::vector<Mailbox*> mailboxes_;
  BlockingPool& pool_;
  Random random_;
  int epoll_fd_;
  int64_t now_ms_ = 0;
  int64_t wall_ms_ = 0;
  TimerWheel wheel_;
  std::vector<Task> deferred_;
  std::vector<Task> mail_;
  std::vector<Task> own_mail_;             // posted by this core to itself
  std::vector<std::vector<Task>> outbox_;  // per destination
  uint64_t outbox_mask_ = 0;               // which destinations have something
  TurnEndList turn_ends_;
  Ring<int> to_close_;  // descriptors
  LoopOwnedList owned_;
  std::array<epoll_event, kEventsMax> events_;
  int events_count_ = 0;
  int events_next_ = 0;  // the first event of this batch not yet dispatched
  unsigned watched_ = 0;       // other loops
  bool has_events_ = false;    // not fetched yet, says the loop that watches this one
  std::unique_ptr<char[]> read_buffer_;
  SpareBuffers spares_;
  std::atomic<bool> stop_{false};
  Progress progress_;
};

}  // namespace arena::runtime
