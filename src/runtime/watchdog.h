// Watches the loops from a thread of its own and tells when one is stuck, and in what.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>
#include <vector>

#include "base/unique_function.h"
#include "runtime/progress.h"

namespace arena::runtime {

struct BlockedTurn {
  unsigned core = 0;
  Phase phase = Phase::sleeping;  // where the turn was when it was noticed
  int64_t lasted_ms = 0;          // so far
};

// Reports every turn that lasts longer than `threshold_ms` once, while it still lasts. It samples four times per
// threshold, so a turn is noticed between 1 and 1.25 thresholds.
class Watchdog {
 public:
  using Report = UniqueFunction<void(const BlockedTurn&)>;

  // `loops` (by core) must outlive the watchdog. `report` is called on its thread; without one, the log is written.
  Watchdog(std::vector<const Progress*> loops, int64_t threshold_ms, Report report = {});
  ~Watchdog();
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

 private:
  struct Seen {
    const Progress* progress;
    uint64_t turn = 0;
    int64_t since_ms = 0;
    bool told = false;
  };
  void watch();
  void sample(unsigned core, Seen& seen, int64_t now_ms);

  std::vector<Seen> loops_;
  const int64_t threshold_ms_;
  Report report_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace arena::runtime
