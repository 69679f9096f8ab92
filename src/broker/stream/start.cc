#include "broker/stream/start.h"

#include <algorithm>
#include <utility>

#include "broker/stream/time_seek.h"

namespace arena::broker {

void find_start(Shard& owner, const Log& log, const ReplayFrom& from, UniqueFunction<void(LogStart)> done) {
  uint64_t asked = log.first();
  switch (from.kind) {
    case ReplayFrom::Kind::earliest: break;
    case ReplayFrom::Kind::latest: asked = log.end(); break;
    case ReplayFrom::Kind::offset: asked = from.offset; break;
    case ReplayFrom::Kind::after:
      asked = 0;  // a log that is not named had nothing then
      for (const auto& [seen, offset] : from.after) {
        if (seen == log.name()) asked = offset + 1;
      }
      break;
    case ReplayFrom::Kind::time:
      seek_time(owner, log, from.time_ms - kTimeSlackMs, [done = std::move(done)](uint64_t offset) mutable { done({offset, {}}); });
      return;
  }
  done({std::clamp(asked, log.first(), log.end()), log.missing_between(asked, log.first())});
}

}  // namespace arena::broker
