// What is known of the logs, made again from the index and from the blocks that came after it.
#pragma once

#include <cstdint>
#include <set>

#include "engine/rocksdb/database.h"
#include "engine/rocksdb/log_table.h"

namespace arena::engine {

struct Recovered {
  uint64_t logs = 0;
  uint64_t blocks_read = 0;
  uint64_t damaged = 0;  // blocks and index entries that cannot be read, and broken links between blocks
};

inline constexpr const char* kDamagedKeys = "a file that holds streams, sessions or last values is damaged";

// The logs that have blocks or an index. Fails when that cannot be told.
Status read_log_names(Database& database, std::set<LogName>& names);

// `floor`: of the store (jumps.h). Blocks. Fails only when it cannot be told where a log begins or ends.
Result<Recovered> recover_logs(Database& database, LogTable& logs, const HashKey& secret, uint64_t floor);

}  // namespace arena::engine
