#include "runtime/watchdog.h"

#include <algorithm>
#include <chrono>

#include "base/log.h"
#include "runtime/clock.h"
#include "runtime/threads.h"

namespace arena::runtime {
namespace {

void log_blocked(const BlockedTurn& blocked) {
  log::warn("runtime", "loop is blocked",
            {{"core", blocked.core}, {"phase", to_string(blocked.phase)}, {"lasted_ms", blocked.lasted_ms}});
}

}  // namespace

Watchdog::Watchdog(std::vector<const Progress*> loops, int64_t threshold_ms, Report report)
    : threshold_ms_(threshold_ms), report_(std::move(report)) {
  for (const Progress* progress : loops) loops_.push_back(Seen{progress});
  if (!report_) report_ = log_blocked;
  const SignalsBlocked blocked;
  thread_ = std::thread([this] { watch(); });
}

Watchdog::~Watchdog() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

void Watchdog::watch() {
  name_this_thread("arena-watchdog");
  const auto pause = std::chrono::milliseconds(std::max<int64_t>(threshold_ms_ / 4, 1));
  std::unique_lock lock(mutex_);
  while (!wake_.wait_for(lock, pause, [this] { return stopping_; })) {
    const int64_t now_ms = monotonic_ns() / 1'000'000;
    for (unsigned core = 0; core < loops_.size(); ++core) sample(core, loops_[core], now_ms);
  }
}

void Watchdog::sample(unsigned core, Seen& seen, int64_t now_ms) {
  const uint64_t turn = seen.progress->turn();
  const Phase phase = seen.progress->phase();
  if (turn != seen.turn || phase == Phase::sleeping) {
    seen.turn = turn;
    seen.since_ms = now_ms;
    seen.told = false;
    return;
  }
  const int64_t lasted_ms = now_ms - seen.since_ms;
  if (seen.told || lasted_ms <= threshold_ms_) return;
  seen.told = true;
  report_(BlockedTurn{core, phase, lasted_ms});
}

}  // namespace arena::runtime
