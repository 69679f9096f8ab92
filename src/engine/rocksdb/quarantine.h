// Takes what is damaged out of a store, so that it opens and has all the rest, and writes down what was lost, so that
// readers are told.
#pragma once

#include <string>
#include <vector>

#include "engine/rocksdb/key_losses.h"
#include "engine/rocksdb/store_check.h"

namespace arena::engine {

struct LostOffsets {
  LogName log;
  uint64_t from = 0;
  uint64_t upto = 0;
  bool bound = false;  // how much was there is not known: at most up to here
};

struct Quarantined {
  Findings findings;                 // before
  std::vector<std::string> files;    // moved or copied into it
  std::vector<LostOffsets> lost;     // by this damage
  KeyLosses keys;                    // of sessions, streams, last values and the like
  bool deleted_may_return = false;   // where logs begin may be known as it was earlier: a purge, a limit may be undone
  bool manifest_was_made_again = false;
};

// Blocks. The folder must be used by nobody. `name`: of the folder in it that takes the damaged files; not made when
// the store is sound. Fails when the store is beyond help, or the disk full, with the reason: the store is as it was then, or,
// where the reason says so, to be put in order once more.
Result<Quarantined> quarantine_store(const std::string& path, const std::string& name);

}  // namespace arena::engine
