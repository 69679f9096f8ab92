// A copy of a store may be older than what its readers have seen of the store that it was made of, and offsets are never used
// twice: so when it is first opened, all its logs jump to one offset far above, its floor. Where they jumped from stands in
// the index; a log that has nothing there began at the floor.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/rocksdb/database.h"
#include "engine/rocksdb/folder.h"
#include "engine/rocksdb/log_table.h"

namespace arena::engine {

// What a log of a store with that floor has jumped over, rising.
std::vector<OffsetRange> stored_jumps(Database& database, LogName name, uint64_t floor);

// The floor of a store, as its index says where the file that should say it is damaged. Blocks.
uint64_t floor_of(const StoreFolder& folder, Database& database);

// All logs, after their recovery. On disk when this returns; what a crash broke off is done once more at the next start.
Status jump_over_what_may_have_been(Database& database, LogTable& logs, StoreFolder& folder);

}  // namespace arena::engine
