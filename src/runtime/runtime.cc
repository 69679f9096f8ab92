#include "runtime/runtime.h"

#include <cassert>
#include <condition_variable>
#include <mutex>
#include <string>

#include "runtime/crew.h"
#include "runtime/mailbox.h"
#include "runtime/threads.h"
#include "runtime/watchdog.h"

namespace arena::runtime {

// Lets the cores pass a point one after the other, and anyone wait until all have passed.
class CoreOrder {
 public:
  explicit CoreOrder(unsigned cores) : cores_(cores) {}

  template <typename Step>
  void pass(unsigned core, Step step) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return passed_ == core; });
    lock.unlock();  // the step may take long; nobody else is at it
    step();
    lock.lock();
    ++passed_;
    changed_.notify_all();
  }
  void wait_all() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return passed_ == cores_; });
  }

 private:
  const unsigned cores_;
  std::mutex mutex_;
  std::condition_variable changed_;
  unsigned passed_ = 0;
};

Runtime::Runtime(unsigned cores, uint64_t seed, const RuntimeOptions& options)
    : pool_(options.blocking),
      initialised_(std::make_unique<CoreOrder>(cores)),
      stood_still_(std::make_unique<CoreOrder>(cores)),
      torn_down_(std::make_unique<CoreOrder>(cores)),
      lag_threshold_ms_(options.lag_threshold_ms) {
  assert(cores >= 1 && cores <= 64);
  std::vector<Mailbox*> mailboxes;
  for (unsigned core = 0; core < cores; ++core) {
    mailboxes.push_back(mailboxes_.emplace_back(std::make_unique<Mailbox>()).get());
  }
  for (unsigned core = 0; core < cores; ++core) {
    loops_.push_back(std::make_unique<EpollLoop>(core, mailboxes, pool_, seed));
  }
  std::vector<EpollLoop*> all;
  for (const auto& one : loops_) all.push_back(one.get());
  crew_ = std::make_unique<Crew>(std::move(all), options.gather);
}

Runtime::~Runtime() {
  stop();
  join();
  pool_.stop();  // without start(): before the loops go, so that no result comes to a loop half gone
}

void Runtime::start(CoreCallback init, CoreCallback teardown) {
  assert(threads_.empty());
  {
    const SignalsBlocked blocked;
    for (unsigned core = 0; core < cores(); ++core) {
      threads_.emplace_back([this, core, init, teardown] { run_core(core, init, teardown); });
    }
  }
  initialised_->wait_all();
  if (lag_threshold_ms_ <= 0) return;
  std::vector<const Progress*> progress;
  for (const auto& one : loops_) progress.push_back(&one->progress());
  watchdog_ = std::make_unique<Watchdog>(std::move(progress), lag_threshold_ms_);
}

void Runtime::run_core(unsigned core, const CoreCallback& init, const CoreCallback& teardown) {
  name_this_thread(("arena-core-" + std::to_string(core)).c_str());
  EpollLoop& own = *loops_[core];
  initialised_->pass(core, [&] {
    if (init) init(own);
  });
  initialised_->wait_all();
  crew_->work(core);
  // Nobody tears down while another core or the pool may still touch what is shared.
  const bool last = core + 1 == cores();
  stood_still_->pass(core, [&] {
    if (last) pool_.stop();
  });
  stood_still_->wait_all();
  torn_down_->pass(core, [&] {
    if (teardown) teardown(own);
  });
  torn_down_->wait_all();
  own.close();
}

void Runtime::stop() {
  crew_->stop();
}

void Runtime::join() {
  for (std::thread& thread : threads_) {
    if (thread.joinable()) thread.join();
  }
  watchdog_.reset();
}

}  // namespace arena::runtime
