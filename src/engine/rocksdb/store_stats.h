// What is stored, counted. For a folder that nobody uses.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "engine/rocksdb/key_losses.h"
#include "engine/rocksdb/keys.h"

namespace arena::engine {

struct PartitionStats {
  PartitionId partition = 0;
  LogId log = LogId::inbox;
  uint64_t start = 0;
  uint64_t end = 0;
  uint64_t blocks = 0;
  uint64_t messages = 0;
  uint64_t bytes = 0;  // of the blocks
  uint64_t lost = 0;   // offsets at or above the start that were lost to damage earlier
  std::array<uint64_t, kSpaces> keys{};  // by Space, less one; last values without the broker's own, streams by declaration
  uint64_t own_retained = 0;
};

struct StoreStats {
  uint64_t format = 0;
  PartitionId partitions = 0;
  uint64_t sequence = 0;
  uint64_t file_bytes = 0;
  std::vector<PartitionStats> logs;  // by partition, then log
  PartitionStats total() const;
};

// Blocks: reads all there is. Fails when a server would refuse the store, too.
Result<StoreStats> read_stats(const std::string& path);

}  // namespace arena::engine
