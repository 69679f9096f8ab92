// What was rescued from table files that are taken out, back into the database.
#pragma once

#include <vector>

#include "base/result.h"
#include "engine/rocksdb/table_salvage.h"

namespace arena::engine {

class Database;

inline constexpr const char* kKeysFamily = "spaces";

// Blocks and index entries, nothing of another family: they are written once, so what was rescued is right. Blocks.
Status put_back_entries(Database& database, const SalvagedTable& file);

// Keys, which have many versions: `before`, the database with the damaged files in their place, says which one counts; null:
// those count that are missing. Blocks; the keys are in memory.
Status put_back_keys(Database& database, Database* before, const std::vector<SalvagedTable>& files);

}  // namespace arena::engine
