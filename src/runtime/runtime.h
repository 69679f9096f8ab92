// The threads of the process: one loop per core, the blocking pool, the watchdog.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "runtime/blocking_pool.h"
#include "runtime/epoll_loop.h"

namespace arena::runtime {

class CoreOrder;
class Crew;
class Watchdog;

struct RuntimeOptions {
  BlockingPoolOptions blocking{};
  int64_t lag_threshold_ms = 200;  // a longer turn is written to the log; 0: nobody watches
  bool gather = true;  // loops share a thread while one has the time for them; false: each has its own always
};

// Owns the loops from construction to destruction. Two ways of use: start() makes a thread for every loop, of which few
// work at low load (crew.h); without
// start(), the making thread may drive loop(0) itself with run() or turn().
// Threads block asynchronous signals; SIGTERM, SIGINT, SIGHUP are the main thread's to wait for.
class Runtime {
 public:
  using CoreCallback = std::function<void(EpollLoop&)>;

  // 1 to 64 cores. The seed is for ids and jitter, not for secrets.
  Runtime(unsigned cores, uint64_t seed, const RuntimeOptions& options = {});
  ~Runtime();  // stop() and join()
  Runtime(const Runtime&) = delete;
  Runtime& operator=(const Runtime&) = delete;

  unsigned cores() const { return static_cast<unsigned>(loops_.size()); }
  EpollLoop& loop(unsigned core) { return *loops_[core]; }
  Crew& crew() { return *crew_; }

  // Calls `init` for core 0, then 1, ..., each on a thread of its own, and returns when all have run; only then do the
  // loops turn. At the end, when every loop stands still and blocking work has ended, `teardown` is called the same
  // way: there each core destroys what it owns.
  void start(CoreCallback init, CoreCallback teardown = {});
  // Any thread; returns at once.
  void stop();
  // Waits until all threads have ended. Not from a loop.
  void join();

 private:
  void run_core(unsigned core, const CoreCallback& init, const CoreCallback& teardown);

  std::vector<std::unique_ptr<Mailbox>> mailboxes_;  // first, so that they outlive whoever posts
  BlockingPool pool_;
  std::vector<std::unique_ptr<EpollLoop>> loops_;
  std::unique_ptr<CoreOrder> initialised_;
  std::unique_ptr<CoreOrder> stood_still_;
  std::unique_ptr<CoreOrder> torn_down_;
  std::unique_ptr<Crew> crew_;
  std::vector<std::thread> threads_;
  std::unique_ptr<Watchdog> watchdog_;
  int64_t lag_threshold_ms_;
};

}  // namespace arena::runtime
