// For tests of engines: a loop that turns only when told to, in one thread, with time that stands still.
#pragma once

#include <deque>
#include <utility>

#include "runtime/loop.h"

namespace arena::engine {

class ManualLoop final : public runtime::Loop {
 public:
  unsigned core() const override { return 0; }
  unsigned cores() const override { return 1; }
  int64_t now_ms() const override { return 1'000; }
  int64_t wall_ms() const override { return 1'700'000'000'000; }
  uint64_t random() override { return random_ = random_ * 6364136223846793005u + 1442695040888963407u; }
  void arm(runtime::Timer&, int64_t) override {}  // time stands still
  void defer(Task task) override { tasks_.push_back(std::move(task)); }
  void post(unsigned, Task task) override { tasks_.push_back(std::move(task)); }
  bool run_blocking(runtime::Lane, Task work, Task done) override {
    tasks_.push_back([work = std::move(work), done = std::move(done)]() mutable {
      work();
      done();
    });
    return true;
  }

  // Runs what was waiting when the turn began. False if nothing was.
  bool turn() {
    std::deque<Task> tasks;
    tasks.swap(tasks_);
    for (Task& task : tasks) task();
    return !tasks.empty();
  }
  void run_until_idle() {
    while (turn()) {
    }
  }

 private:
  std::deque<Task> tasks_;
  uint64_t random_ = 1;
};

}  // namespace arena::engine
