// What waits for the commit thread, from all cores, and what goes back to each of them.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "engine/block.h"
#include "engine/rocksdb/keys.h"
#include "engine/store.h"

namespace arena::engine {

// Records of a commit, encoded on their core; the commit thread adds the predecessor's checksum.
struct PackedBlock {
  uint64_t base = 0;
  uint64_t end = 0;
  BlockWriter writer;
  std::vector<uint64_t> topics;  // hashes, each once
};

std::vector<PackedBlock> pack_blocks(const HashKey& secret, uint64_t base_offset, const std::vector<MessageRef>& records);

struct CommitDoor;

struct PackedAppend {
  LogId log = LogId::inbox;
  uint64_t base_offset = 0;
  std::vector<PackedBlock> blocks;  // never empty
};

struct Trim {
  LogId log = LogId::inbox;
  uint64_t to = 0;
};

struct CommitEntry {
  std::shared_ptr<CommitDoor> door;
  PartitionId partition = 0;
  std::vector<PackedAppend> appends;
  std::vector<Operation> operations;
  std::optional<Trim> trim;  // then nothing else is in it
  CommitStatus status = CommitStatus::failed;
  CommitDone done;
};

// A core's side of the queue. For CommitQueue only.
struct CommitDoor {
  uint64_t handed = 0;  // entries given to the queue
  uint64_t taken = 0;   // of them, taken by the commit thread
  std::vector<CommitEntry> finished;
};

// The commit thread's jobs each stand for the entries of one core's turn. The first one to run takes what all cores
// have handed over meanwhile into its group; the jobs whose entries went with it have nothing left to do, and only
// bring the answers home.
class CommitQueue {
 public:
  // From the door's core. Returns the ticket for take().
  uint64_t hand_over(CommitDoor& door, std::vector<CommitEntry>& entries) {
    const std::lock_guard lock(mutex_);
    door.handed += entries.size();
    for (CommitEntry& entry : entries) pending_.push_back(std::move(entry));
    entries.clear();
    return door.handed;
  }
  // The commit thread, as the next two: have the ticket's entries not been taken yet?
  bool waits(const CommitDoor& door, uint64_t ticket) {
    const std::lock_guard lock(mutex_);
    return door.taken < ticket;
  }
  // Everything that waits.
  std::vector<CommitEntry> take() {
    std::vector<CommitEntry> group;
    const std::lock_guard lock(mutex_);
    group.swap(pending_);
    for (CommitEntry& entry : group) ++entry.door->taken;
    return group;
  }
  void finish(std::vector<CommitEntry> group) {
    const std::lock_guard lock(mutex_);
    for (CommitEntry& entry : group) {
      // The door holds what is not collected any more when the broker ends: that must not hold the door.
      const std::shared_ptr<CommitDoor> door = std::move(entry.door);
      door->finished.push_back(std::move(entry));
    }
  }
  // From the door's core.
  std::vector<CommitEntry> collect(CommitDoor& door) {
    std::vector<CommitEntry> out;
    const std::lock_guard lock(mutex_);
    out.swap(door.finished);
    return out;
  }

 private:
  std::mutex mutex_;
  std::vector<CommitEntry> pending_;
};

}  // namespace arena::engine
