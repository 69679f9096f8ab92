// Threads for work that would block a loop.
#pragma once

#include <array>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

#include "runtime/loop.h"

namespace arena::runtime {

class Mailbox;

struct BlockingPoolOptions {
  std::size_t general_queue_max = 1024;  // jobs waiting, not those that run
  std::size_t password_queue_max = 64;
  std::size_t commit_queue_max = 4096;
};

// Three lanes that never wait for each other: general has two threads, password and commit one each, so that
// commits run in the order of submit(). Threads start with the first job of their lane.
class BlockingPool {
 public:
  explicit BlockingPool(const BlockingPoolOptions& options);
  ~BlockingPool();  // stop()
  BlockingPool(const BlockingPool&) = delete;
  BlockingPool& operator=(const BlockingPool&) = delete;

  // Any thread. Runs `work` on the lane, then puts `done` into `reply`, which must outlive the pool. False, and
  // neither runs, when the lane's queue is full or the pool has stopped.
  bool submit(Lane lane, Mailbox& reply, Task work, Task done);
  // Finishes what runs and all waiting commits, drops the other waiting jobs, ends the threads. Idempotent.
  void stop();

 private:
  struct Job {
    Task work;
    Task done;
    Mailbox* reply;
  };
  struct LaneState {
    const char* name = "";
    std::size_t queue_max = 0;
    unsigned threads_max = 1;
    bool drain_on_stop = false;
    bool behind_others = false;  // a flood of passwords keeps it busy for ever; nobody is to feel that
    std::mutex mutex;
    std::condition_variable wake;
    std::deque<Job> jobs;
    std::vector<std::thread> threads;
    bool stopping = false;
  };
  static void work_on(LaneState& lane);

  std::array<LaneState, 3> lanes_;
};

}  // namespace arena::runtime
