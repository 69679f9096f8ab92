// The index of a log, made again from its blocks after damage.
#pragma once

#include <optional>
#include <vector>

#include "engine/rocksdb/database.h"
#include "engine/rocksdb/quarantine.h"

namespace arena::engine {

// What is known of a log's losses from elsewhere.
struct LossHints {
  std::optional<uint64_t> removed_from;  // bases of blocks in files that were taken out: lowest
  std::optional<uint64_t> removed_last;  // and highest
  bool end_unknown = false;              // blocks may be missing at its end
  bool start_unknown = false;            // where it starts may be missing
  std::vector<OffsetRange> jumps;        // what it jumped over: there was nothing
};

// Removes blocks that cannot be read, writes the index anew, with what was lost, and adds that to `lost`.
Status rebuild_index(Database& database, const HashKey& secret, LogName name, const LossHints& hints,
                     std::vector<LostOffsets>& lost);

}  // namespace arena::engine
