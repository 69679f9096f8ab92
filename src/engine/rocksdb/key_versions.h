// The keys of the spaces, out of table files that RocksDB does not take together: of each the version that counts.
#pragma once

#include <map>
#include <string>

#include "base/result.h"
#include "engine/rocksdb/table_salvage.h"

namespace arena::engine {

class Database;

// Any thread; the keys are in memory.
class KeyVersions {
 public:
  // All tables of the family, in whatever order.
  void add(SalvagedTable table);
  // Makes the spaces of the database what the versions say; what it has must have been added. Blocks.
  Status write_to(Database& database) const;

 private:
  std::map<std::string, KeyVersion> newest_;
};

}  // namespace arena::engine
