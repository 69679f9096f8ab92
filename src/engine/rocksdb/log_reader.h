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
  std::optional<uint32_t> link;       // without a topic: checksum of the block that was fetched before
};

struct FetchedBlock {
  std::string bytes;    // not checked
  uint64_t base = 0;    // by its key
  uint64_t behind = 0;  // where the log goes on
};

struct Fetched {
  std::vector<FetchedBlock> blocks;
  uint64_t next = 0;  // everything wanted below it was fetched
  Status status = Unit{};  // failed: what is between the last block, or `damaged_from` if that is above it, and `next` cannot be read
  uint64_t damaged_from = 0;
  std::optional<uint32_t> link;  // for the next request
};

Fetched fetch_blocks(Database& database, const LogState& log, const FetchRequest& request);

}  // namespace arena::engine
