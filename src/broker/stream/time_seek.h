// Finds a place in a log by time.
#pragma once

#include <cstdint>

#include "base/unique_function.h"
#include "broker/log.h"

namespace arena::broker {

// At the owner of `log`: the first offset from first() on whose message was published at `since_ms` (Unix) or later, or
// the end. Messages lie in the order they were stored in, which is about that of their times: some before it may be younger
// by as much as publishing cores' clocks and commits are apart.
void seek_time(Shard& owner, const Log& log, int64_t since_ms, UniqueFunction<void(uint64_t)> done);

// At the owner of `log`: hides what was published before `since_ms`, then calls done.
void hide_older(Shard& owner, Log& log, int64_t since_ms, UniqueFunction<void()> done);

}  // namespace arena::broker
