// Copies of a store's folder: of a stopped one as it lies there, of one in use as of a moment.
#pragma once

#include <string>

#include "base/result.h"
#include "engine/rocksdb/database.h"

namespace arena::engine {

// Copies a store that nobody uses, and holds it meanwhile. `target` must not be there, or be empty. On disk when this
// returns; a copy that was broken off is no store. What its logs are given from then on lies far above what they have (jumps.h):
// the store that was copied goes on, too.
Status copy_stopped_store(const std::string& path, const std::string& target);
// The same of a folder that nobody can be using: a backup, a checkpoint.
Status copy_store(const std::string& path, const std::string& target);

// Is `target`, there or not, `path` or somewhere in it?
bool is_within(const std::string& path, const std::string& target);

// Everything that has been acknowledged so far, as a store in `name` below the folder of a store in use. Hard links and
// a copy of RocksDB's log: quick. Any thread.
Status make_checkpoint(Database& database, const std::string& path, const std::string& name);
// Removes what tools and checkpoints that were broken off have left behind.
void remove_checkpoints(const std::string& path);
inline constexpr const char* kCheckpointPrefix = "checkpoint-";

}  // namespace arena::engine
