// Fetches blocks from the disk. Blocks, so off the loop.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/rocksdb/database.h"
#include "engine/rocksdb/log_state.h"

namespace arena::engine {

struct FetchRequest {
  uint64_t from = 0;
  uint64_t upto = 0;  // exclusive
  std::size_t bytes_max = 256 << 10;  // stops after the block that passes this
  std::optional<uint64_t> topic;      // hash: only blocks that have it, by the index
};

struct FetchedBlock {
  std::string bytes;    // not checked
  uint64_t behind = 0;  // where the log goes on
};

struct Fetched {
  std::vector<FetchedBlock> blocks;
  uint64_t next = 0;  // everything wanted below it was fetched
  Status status = Unit{};  // failed: between the last block and `next` the disk cannot be read
};

Fetched fetch_blocks(Database& database, const LogState& log, const FetchRequest& request);

}  // namespace arena::engine
