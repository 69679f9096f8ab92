// A file system for RocksDB that keeps what was not synced in the memory of the process: when it is killed, that is lost,
// as it is lost to a whole machine without power.
#pragma once

#include <rocksdb/env.h>

namespace arena::crash {

rocksdb::Env* unsynced_files();  // one for the process

}  // namespace arena::crash
