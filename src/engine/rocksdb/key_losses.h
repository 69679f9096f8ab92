// The small keys: streams' declarations, sessions, last values and the like. What damage may have done to them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <set>
#include <string_view>
#include <vector>

#include "engine/store.h"

namespace arena::engine {

class Database;

inline constexpr std::size_t kSpaces = 7;  // Space: 1 to 7

// What stands between two keys of RocksDB's; all, where they are none.
std::set<Space> spaces_between(std::string_view smallest, std::string_view largest);

struct KeyLosses {
  bool gone = false;      // a file of them was damaged: what stood nowhere else is gone
  bool older = false;     // what was set last may be as it was before
  std::set<Space> kinds;  // that may be hit
  bool hit() const { return gone || older; }
  // `smallest`, `largest`: of the file, as RocksDB's manifest says; empty: not known.
  void note_lost_file(std::string_view smallest, std::string_view largest);
  void note_missing_writes();

  // What there is now. The rest is counted when something was hit.
  std::array<uint64_t, kSpaces> left{};  // by Space, less one; last values without the broker's own, streams by declaration
  // Logs of streams that no declaration names (any more), and what they hold.
  struct Undeclared {
    LogId log = LogId::inbox;
    uint64_t messages = 0;
  };
  std::vector<Undeclared> undeclared;
  uint64_t inbox_messages = 0;  // $inbox keeps them for sessions and groups
};

// Blocks.
void count_keys_left(Database& database, PartitionId partitions, KeyLosses& losses);

// Is a stored row one that an operator counts? Not so the broker's own last values, and rows of streams that declare none.
bool counts_as_key(PartitionId partition, Space space, std::string_view sealed);

}  // namespace arena::engine
