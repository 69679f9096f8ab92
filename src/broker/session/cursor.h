// A reader's place in one (log, partition): a session's or a shared group's. CURSORS.md 2, 6, 7.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <set>

#include "engine/store.h"

namespace arena::broker {

// Below floor() everything is settled or not mine. One core only; no I/O.
class Cursor {
 public:
  // detached: nobody reads. behind: read the log from next(). live: take what is routed.
  enum class Seam : uint8_t { detached, behind, live };

  explicit Cursor(uint64_t next) : next_(next) {}

  uint64_t next() const { return next_; }
  uint64_t floor() const { return unsettled_.empty() ? next_ : std::min(next_, *unsettled_.begin()); }
  const std::set<uint64_t>& settled_above() const { return settled_; }
  std::size_t unsettled() const { return unsettled_.size(); }

  // The record at `offset` (>= next) is mine and goes out. False: it is settled, or out already, and only read again; leave it.
  bool take(uint64_t offset) {
    next_ = offset + 1;
    if (!settled_.empty() && settled_.contains(offset)) return prune(), false;
    const std::size_t before = unsettled_.size();
    unsettled_.emplace_hint(unsettled_.end(), offset);  // mostly the highest
    return unsettled_.size() != before;
  }
  // Nothing of mine lies below `offset` that was not taken.
  void advance(uint64_t offset) {
    if (offset > next_) next_ = offset;
    prune();
  }
  void settle(uint64_t offset) {
    const auto at = !unsettled_.empty() && *unsettled_.begin() == offset ? unsettled_.begin() : unsettled_.find(offset);
    if (at == unsettled_.end()) return;
    unsettled_.erase(at);
    if (offset >= floor()) settled_.insert(offset);  // else it is below already, as mostly
    prune();
  }
  // Gives back one that is not out: it will be read again. What lies above it may be out, and stays so.
  void untake(uint64_t offset) {
    unsettled_.erase(offset);
    if (offset < next_) next_ = offset;
  }
  // After a restart: known to be settled although above the floor.
  void restore_settled(uint64_t offset) { settled_.insert(offset); }

  Seam seam = Seam::detached;
  bool reading = false;         // a read is under way
  uint32_t generation = 0;      // answers to reads of an older generation are ignored
  std::optional<uint64_t> reported;  // the floor that the owner was told last

 private:
  void prune() {
    if (!settled_.empty()) settled_.erase(settled_.begin(), settled_.lower_bound(floor()));
  }

  uint64_t next_;                 // first offset not yet looked at
  std::set<uint64_t> unsettled_;  // taken and not settled; above next_ where something below was given back
  std::set<uint64_t> settled_;    // settled, at or above the floor
};

}  // namespace arena::broker
