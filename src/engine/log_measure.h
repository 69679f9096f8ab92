// What a store can tell besides, when it knows where the bytes of a log lie: found by a dynamic_cast of the Store.
#pragma once

#include <cstdint>

#include "engine/store.h"

namespace arena::engine {

// Called on the store's core. Exact at some offsets, at most 32 KB or a record apart, and in proportion between them; of what
// was there before a restart at most about 1 MB apart.
class LogMeasure {
 public:
  // About how many of bounds().bytes lie at or above `offset`.
  virtual uint64_t bytes_from(PartitionId partition, LogId log, uint64_t offset) const = 0;
  // The first offset behind about so many bytes that begin at `offset`; at most the end.
  virtual uint64_t offset_behind(PartitionId partition, LogId log, uint64_t offset, uint64_t bytes) const = 0;

 protected:
  ~LogMeasure() = default;
};

}  // namespace arena::engine
