#include "runtime/crew.h"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <limits>
#include <optional>
#include <string>

#include "runtime/clock.h"
#include "runtime/epoll_loop.h"

namespace arena::runtime {
namespace {

constexpr int64_t kWindowNs = 100'000'000;
constexpr int64_t kQuietNs = 1'000'000'000;  // so long little to do: the loops go back
constexpr unsigned kBusyPermille = 800;
constexpr unsigned kQuietPermille = 200;
constexpr unsigned kRoomPermille = 400;  // worker 0 has room for more
constexpr int64_t kForeverMs = std::numeric_limits<int>::max();
constexpr unsigned kRounds = 2;

// Idle time of all processors so far, in the kernel's ticks of 10 ms. nullopt: it cannot be read.
std::optional<uint64_t> idle_ticks() {
  std::ifstream stat("/proc/stat");
  std::string name;
  uint64_t user = 0, nice = 0, system = 0, idle = 0;
  if (!(stat >> name >> user >> nice >> system >> idle)) return std::nullopt;
  return idle;
}

}  // namespace

struct Crew::Worker {
  explicit Worker(unsigned its_number) : number(its_number) {}
  int64_t busy_ns() const {
    int64_t sum = 0;
    for (const EpollLoop* loop : loops) sum += loop->busy_total_ns();
    return sum;
  }

  const unsigned number;
  std::vector<EpollLoop*> loops;  // the first watches the others
  int64_t now_ns = 0;     // when its last turn ended
  int64_t window_ns = 0;  // when it began
  int64_t window_busy_ns = 0;
  unsigned busy_windows = 0;
  int64_t quiet_since_ns = 0;
  std::optional<uint64_t> idle_ticks;

  std::vector<EpollLoop*> given;  // by others; under the crew's mutex
  bool idle = false;              // the same
  std::condition_variable changed;
  std::atomic<bool> has_given{false};
  std::atomic<unsigned> permille{0};  // busy in the last window,
  std::atomic<int64_t> told_ns{0};    // which ended then
};

Crew::Crew(std::vector<EpollLoop*> loops, bool gather) : all_(std::move(loops)), gather_(gather) {
  for (unsigned number = 0; number < all_.size(); ++number) {
    workers_.push_back(std::make_unique<Worker>(number));
    Worker& worker = *workers_.back();
    if (!gather_) {
      set_loops(worker, {all_[number]});
    } else if (number == 0) {
      set_loops(worker, all_);
    } else {
      worker.idle = true;
    }
  }
}

Crew::~Crew() = default;

void Crew::stop() {
  stopping_ = true;
  for (EpollLoop* loop : all_) loop->stop();
  const std::lock_guard lock(mutex_);
  for (const auto& worker : workers_) worker->changed.notify_all();
}

unsigned Crew::working() const {
  const std::lock_guard lock(mutex_);
  return static_cast<unsigned>(std::count_if(workers_.begin(), workers_.end(), [](const auto& w) { return !w->idle; }));
}

void Crew::force(bool spread) {
  forced_ = spread ? Forced::spread : Forced::gather;
  for (EpollLoop* loop : all_) loop->wake();
}

void Crew::work(unsigned number) {
  Worker& me = *workers_[number];
  me.now_ns = monotonic_ns();
  begin_window(me, me.now_ns);
  while (!stopping_.load(std::memory_order_acquire)) {
    if (me.has_given.load(std::memory_order_acquire)) take_given(me);
    if (me.loops.empty()) {
      wait_for_loops(me);
      continue;
    }
    turn_loops(me);
    if (!gather_) continue;
    if (me.now_ns - me.window_ns >= kWindowNs || forced_ != Forced::nothing) close_window(me, me.now_ns);
  }
}

void Crew::turn_loops(Worker& me) {
  if (me.loops.size() == 1) {
    me.now_ns = me.loops.front()->turn(kForeverMs);
  } else {
    turn_all(me);
  }
}

// Sleeps for all, then turns those that have something to do.
void Crew::turn_all(Worker& me) {
  int64_t timeout_ms = kForeverMs;
  std::size_t prepared = 0;
  for (; prepared < me.loops.size() && timeout_ms > 0; ++prepared) {
    timeout_ms = std::min(timeout_ms, me.loops[prepared]->prepare_sleep(me.now_ns));
  }
  me.loops.front()->sleep_for_all(timeout_ms);
  for (std::size_t i = 0; i < prepared; ++i) me.loops[i]->end_sleep();
  me.now_ns = monotonic_ns();
  // What they post to each other is mostly answered in the second round, before the system is asked for more.
  bool turned = true;
  for (unsigned round = 0; round < kRounds && turned; ++round) {
    turned = false;
    for (EpollLoop* loop : me.loops) {
      if (!loop->wants_turn(me.now_ns)) continue;
      me.now_ns = loop->turn_awake(me.now_ns);
      turned = true;
    }
  }
}

// A single loop sleeps on its own: being watched costs something with every event.
void Crew::set_loops(Worker& me, std::vector<EpollLoop*> loops) {
  for (std::size_t i = 1; i < me.loops.size(); ++i) me.loops.front()->unwatch(*me.loops[i]);
  me.loops = std::move(loops);
  for (std::size_t i = 1; i < me.loops.size(); ++i) me.loops.front()->watch(*me.loops[i]);
}

void Crew::take_given(Worker& me) {
  std::vector<EpollLoop*> loops = me.loops;
  {
    const std::lock_guard lock(mutex_);
    me.has_given = false;
    loops.insert(loops.end(), me.given.begin(), me.given.end());
    me.given.clear();
  }
  set_loops(me, std::move(loops));
  me.now_ns = monotonic_ns();
  begin_window(me, me.now_ns);
}

void Crew::wait_for_loops(Worker& me) {
  std::unique_lock lock(mutex_);
  me.changed.wait(lock, [&] { return stopping_.load() || !me.given.empty(); });
}

void Crew::give(Worker& to, std::vector<EpollLoop*> loops) {
  {
    const std::lock_guard lock(mutex_);
    to.given.insert(to.given.end(), loops.begin(), loops.end());
    to.idle = false;
    to.has_given = true;
    to.changed.notify_all();
  }
  // Only worker 0 is ever given loops while it may sleep in one, which is always this.
  if (to.number == 0) all_.front()->wake();
}

// ---- who is busy ----

void Crew::begin_window(Worker& me, int64_t now_ns) {
  me.window_ns = now_ns;
  me.window_busy_ns = me.busy_ns();
}

void Crew::close_window(Worker& me, int64_t now_ns) {
  const int64_t busy_ns = me.busy_ns() - me.window_busy_ns;
  const auto permille = static_cast<unsigned>(busy_ns * 1000 / std::max<int64_t>(now_ns - me.window_ns, 1));
  me.permille = permille;
  me.told_ns = now_ns;
  if (should_spread(me, permille)) {
    spread(me);
  } else if (should_gather(me, permille, now_ns)) {
    gather(me);
  }
  begin_window(me, now_ns);
}

bool Crew::should_spread(Worker& me, unsigned permille) {
  if (me.loops.size() < 2 || forced_ == Forced::gather) return false;
  if (forced_ == Forced::spread) return true;
  if (permille < kBusyPermille) {
    me.busy_windows = 0;
    return false;
  }
  // Another thread helps only if a processor is there for it: a third of one was idle in this window.
  const std::optional<uint64_t> idle = idle_ticks();
  const std::optional<uint64_t> before = std::exchange(me.idle_ticks, idle);
  if (++me.busy_windows < 2) return false;
  return !idle || !before || *idle - *before >= 3;
}

bool Crew::should_gather(Worker& me, unsigned permille, int64_t now_ns) {
  if (me.number == 0 || forced_ == Forced::spread) return false;
  if (forced_ == Forced::gather) return true;
  if (permille >= kQuietPermille) {
    me.quiet_since_ns = 0;
    return false;
  }
  if (me.quiet_since_ns == 0) me.quiet_since_ns = me.window_ns;
  if (now_ns - me.quiet_since_ns < kQuietNs) return false;
  const Worker& first = *workers_.front();
  return now_ns - first.told_ns > kQuietNs || first.permille < kRoomPermille;
}

// The rear half goes, so that worker 0 keeps the first loop.
void Crew::spread(Worker& me) {
  Worker* to = nullptr;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& worker : workers_) {
      if (worker->idle) to = worker.get();
    }
    if (to == nullptr) return;
    to->idle = false;
  }
  const auto middle = me.loops.begin() + static_cast<std::ptrdiff_t>((me.loops.size() + 1) / 2);
  std::vector<EpollLoop*> rear(middle, me.loops.end());
  set_loops(me, {me.loops.begin(), middle});
  me.busy_windows = 0;
  give(*to, std::move(rear));
}

void Crew::gather(Worker& me) {
  std::vector<EpollLoop*> loops = me.loops;
  set_loops(me, {});
  me.quiet_since_ns = 0;
  {
    const std::lock_guard lock(mutex_);
    me.idle = true;
  }
  give(*workers_.front(), std::move(loops));
}

}  // namespace arena::runtime
