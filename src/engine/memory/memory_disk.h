// What survives of the memory engine when its stores are closed and opened again: a "disk" for one process, and for
// the simulator one that can fill up, fail and rot.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "engine/memory/memory_log.h"
#include "engine/store.h"

namespace arena::engine {

// One per process. Each partition is touched only by the core that owns it, so there is no lock; the budget and
// the faults are shared counters.
class MemoryDisk {
 public:
  using SpaceMap = std::map<std::string, std::string, std::less<>>;
  struct Partition {
    std::map<LogId, MemoryLog> logs;
    std::map<Space, SpaceMap> spaces;
  };

  // bytes_max 0: no limit.
  explicit MemoryDisk(PartitionId partitions, std::size_t bytes_max = 0);

  PartitionId partitions() const { return static_cast<PartitionId>(partitions_.size()); }
  // Null for a partition that does not exist.
  Partition* partition(PartitionId id);
  const Partition* partition(PartitionId id) const;

  // Commits that add bytes are refused as full from here on.
  void set_bytes_max(std::size_t bytes_max) { bytes_max_ = bytes_max; }
  std::size_t used_bytes() const { return used_bytes_; }
  bool has_room(std::size_t bytes) const { return bytes_max_ == 0 || used_bytes_ + bytes <= bytes_max_; }
  void account(std::size_t added, std::size_t freed) { used_bytes_ += added - freed; }
  // What was ever written to all logs.
  void count_written(uint64_t bytes) { written_bytes_ += bytes; }
  uint64_t written_bytes() const { return written_bytes_; }

  // The device fails after that many more commits, and stays failed until repaired.
  void fail_after(uint64_t commits) { commits_until_failure_ = static_cast<int64_t>(commits); }
  void repair() { commits_until_failure_ = kNeverFails; }
  bool failed() const { return commits_until_failure_ == 0; }
  void count_commit();
  // Commits are applied so much later, those that wait together; 0: in the next turn.
  void set_commit_delay_ms(int64_t delay_ms) { commit_delay_ms_ = delay_ms; }
  int64_t commit_delay_ms() const { return commit_delay_ms_; }
  // Damages the block that holds the offset; false if there is none.
  bool corrupt(PartitionId partition, LogId log, uint64_t offset);
  // MemoryLog::lose(); for a broker that is started behind it.
  void lose(PartitionId partition, LogId log, OffsetRange range);

 private:
  static constexpr int64_t kNeverFails = INT64_MAX;

  std::vector<std::unique_ptr<Partition>> partitions_;
  std::atomic<std::size_t> bytes_max_;
  std::atomic<std::size_t> used_bytes_{0};
  std::atomic<uint64_t> written_bytes_{0};
  std::atomic<int64_t> commits_until_failure_{kNeverFails};
  std::atomic<int64_t> commit_delay_ms_{0};
};

}  // namespace arena::engine
