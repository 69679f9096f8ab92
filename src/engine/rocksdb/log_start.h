// Whether RocksDB's log goes on where the files end that its manifest names.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace rocksdb {
struct ColumnFamilyDescriptor;
struct DBOptions;
}  // namespace rocksdb

namespace arena::engine {

// A manifest that was cut names older files, and RocksDB would serve those with its newest log, and remove all files
// between. So before a database is opened, for its first record: reads the manifest and the log's beginning, and writes
// nothing. What else is wrong is left to the opening. Blocks.
Status check_log_start(const std::string& path, rocksdb::DBOptions options, const std::vector<rocksdb::ColumnFamilyDescriptor>& families);

}  // namespace arena::engine
