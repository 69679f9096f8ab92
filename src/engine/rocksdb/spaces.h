// The key spaces on disk.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/rocksdb/database.h"
#include "engine/store.h"

namespace arena::engine {

// A key and its value, of a stored row.
Result<KeyValue> decode_row(std::string_view sealed);

struct SpaceScan {
  std::vector<KeyValue> found;
  uint64_t damaged = 0;  // values that were left out
};

// Keys in [first, last), sorted, at most limit. Blocks.
SpaceScan scan_space(Database& database, PartitionId partition, Space space, std::string_view first,
                     std::string_view last, std::size_t limit);

// Puts the operations into the batch, in their order. Blocks when there is a range among them: then everything before
// must have been written.
void add_operations(Database& database, const HashKey& secret, PartitionId partition,
                    const std::vector<Operation>& operations, rocksdb::WriteBatch& batch);
bool has_range(const std::vector<Operation>& operations);

}  // namespace arena::engine
