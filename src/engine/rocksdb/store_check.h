// Reads everything in a folder that nobody uses, and names what is damaged. The store does not change.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "engine/rocksdb/examination.h"
#include "engine/rocksdb/folder.h"

namespace arena::engine {

struct Findings {
  std::string refused;  // why a server would not serve this store; empty: it would
  uint64_t files = 0;
  uint64_t blocks = 0;
  uint64_t messages = 0;
  uint64_t keys = 0;
  std::vector<Damage> damages;
  bool sound() const { return refused.empty() && damages.empty(); }
  // Nothing of it is lost, and a server that is started puts it in order.
  bool mended_at_start() const {
    return refused.empty() && std::all_of(damages.begin(), damages.end(), [](const Damage& one) { return one.mended_at_start; });
  }
};

// Blocks: reads everything. Fails when it cannot be looked at: no store, in use.
Result<Findings> check_store(const std::string& path);
// The same of a folder that is held and has been examined.
void check_contents(const StoreFolder& folder, Health& health, Findings& findings);

}  // namespace arena::engine
