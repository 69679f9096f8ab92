// Which thread turns which loop: one turns them all while it has the time for it, and more join as it runs out.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

namespace arena::runtime {

class EpollLoop;

// Waking a sleeping thread for a message costs several times the send it was woken for, so at low load the loops share
// a thread: mail between them needs no system call, and nobody else is woken. A worker that is busy for most of two
// windows, on a machine that has processor time to spare, gives half of its loops to an idle worker; one that has
// had little to do for a second gives its loops back to worker 0. Loops move whole, between two turns: what lives on
// them does not notice. docs/decisions/0010.
class Crew {
 public:
  // One worker per loop. gather false: each keeps to its own loop. Before the workers' threads start.
  Crew(std::vector<EpollLoop*> loops, bool gather);
  ~Crew();
  Crew(const Crew&) = delete;
  Crew& operator=(const Crew&) = delete;

  // For the thread of that worker: turns loops until stop().
  void work(unsigned worker);
  // Any thread.
  void stop();
  // How many workers have loops. Any thread; for tests and statistics.
  unsigned working() const;
  // From now on each worker has one loop, or worker 0 has all, whatever the load; for tests. Any thread.
  void force(bool spread);

 private:
  enum class Forced : uint8_t { nothing, spread, gather };
  struct Worker;

  void turn_loops(Worker& me);
  void turn_all(Worker& me);
  void take_given(Worker& me);
  void wait_for_loops(Worker& me);
  void set_loops(Worker& me, std::vector<EpollLoop*> loops);
  void begin_window(Worker& me, int64_t now_ns);
  void close_window(Worker& me, int64_t now_ns);
  bool should_spread(Worker& me, unsigned permille);
  bool should_gather(Worker& me, unsigned permille, int64_t now_ns);
  void spread(Worker& me);
  void gather(Worker& me);
  void give(Worker& to, std::vector<EpollLoop*> loops);

  std::vector<EpollLoop*> all_;
  const bool gather_;
  std::atomic<bool> stopping_{false};
  std::atomic<Forced> forced_{Forced::nothing};
  mutable std::mutex mutex_;  // guards what workers give each other
  std::vector<std::unique_ptr<Worker>> workers_;
};

}  // namespace arena::runtime
