// RocksDB's notes of what it does, for people: the file LOG in its folder. Its own logger ends the process when it writes on
// after a write that failed, so on a disk that is full; here what cannot be written is left out.
#pragma once

#include <memory>
#include <string>

namespace rocksdb {
class Logger;
}

namespace arena::engine {

// `folder`: of the database; made if it is not there. The notes of before are kept as LOG.old.N, the newest four.
std::shared_ptr<rocksdb::Logger> open_notes(const std::string& folder);
// None are taken.
std::shared_ptr<rocksdb::Logger> no_notes();

}  // namespace arena::engine
