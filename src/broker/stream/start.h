// Where a reader of a stream begins in one of its logs.
#pragma once

#include <cstdint>

#include "base/unique_function.h"
#include "broker/log.h"

namespace arena::broker {

struct LogStart {
  uint64_t offset = 0;
  Missing missing;  // of what was asked for
};

// Publishing cores' clocks and commits are so far apart at most: who asks by time reads from this much earlier on and
// leaves out what is older than asked.
inline constexpr int64_t kTimeSlackMs = 5000;

// At the owner of `log`.
void find_start(Shard& owner, const Log& log, const ReplayFrom& from, UniqueFunction<void(LogStart)> done);

}  // namespace arena::broker
