#include "runtime/blocking_pool.h"

#include "runtime/mailbox.h"
#include "runtime/threads.h"

namespace arena::runtime {

BlockingPool::BlockingPool(const BlockingPoolOptions& options) {
  const auto set = [this](Lane which, const char* name, std::size_t queue_max, unsigned threads_max) {
    LaneState& lane = lanes_[static_cast<std::size_t>(which)];
    lane.name = name;
    lane.queue_max = queue_max;
    lane.threads_max = threads_max;
  };
  set(Lane::general, "arena-general", options.general_queue_max, 2);
  set(Lane::password, "arena-password", options.password_queue_max, 1);
  set(Lane::commit, "arena-commit", options.commit_queue_max, 1);
  lanes_[static_cast<std::size_t>(Lane::commit)].drain_on_stop = true;
  lanes_[static_cast<std::size_t>(Lane::password)].behind_others = true;
}

BlockingPool::~BlockingPool() { stop(); }

bool BlockingPool::submit(Lane which, Mailbox& reply, Task work, Task done) {
  LaneState& lane = lanes_[static_cast<std::size_t>(which)];
  {
    const std::lock_guard lock(lane.mutex);
    if (lane.stopping || lane.jobs.size() >= lane.queue_max) return false;
    lane.jobs.push_back(Job{std::move(work), std::move(done), &reply});
    if (lane.threads.size() < lane.threads_max) {
      const SignalsBlocked blocked;
      lane.threads.emplace_back([&lane] { work_on(lane); });
    }
  }
  lane.wake.notify_one();
  return true;
}

void BlockingPool::work_on(LaneState& lane) {
  name_this_thread(lane.name);
  if (lane.behind_others) put_this_thread_behind_others();
  std::unique_lock lock(lane.mutex);
  while (true) {
    lane.wake.wait(lock, [&lane] { return lane.stopping || !lane.jobs.empty(); });
    if (lane.jobs.empty()) return;
    {
      Job job = std::move(lane.jobs.front());
      lane.jobs.pop_front();
      lock.unlock();
      job.work();
      job.work = nullptr;  // before `done` can run elsewhere: what it captured is gone by then
      job.reply->push(std::move(job.done));
    }
    lock.lock();
  }
}

void BlockingPool::stop() {
  for (LaneState& lane : lanes_) {
    std::deque<Job> dropped;
    std::vector<std::thread> threads;
    {
      const std::lock_guard lock(lane.mutex);
      lane.stopping = true;
      if (!lane.drain_on_stop) lane.jobs.swap(dropped);
      threads.swap(lane.threads);
    }
    lane.wake.notify_all();
    for (std::thread& thread : threads) thread.join();
  }
}

}  // namespace arena::runtime
