// All logs of the store, by name.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "engine/rocksdb/log_state.h"

namespace arena::engine {

// Any thread. A log, once there, stays at its address.
class LogTable {
 public:
  // `floor`: where a log begins that has never been written.
  LogTable(PartitionId partitions, uint64_t floor) : partitions_(partitions), floor_(floor) {}

  PartitionId partitions() const { return partitions_; }
  // Null when there is no such partition; else a log that has never been written is empty.
  LogState* find(LogName name) {
    if (name.partition >= partitions_) return nullptr;
    const std::lock_guard lock(mutex_);
    std::unique_ptr<LogState>& at = logs_[name];
    if (!at) {
      at = std::make_unique<LogState>(name);
      if (floor_ != 0) at->set_jumps({{0, floor_}});
      at->raise_over_jumps();
    }
    return at.get();
  }
  // Of those that are not there yet.
  void set_floor(uint64_t floor) {
    const std::lock_guard lock(mutex_);
    floor_ = floor;
  }
  std::vector<LogState*> all() {
    const std::lock_guard lock(mutex_);
    std::vector<LogState*> out;
    for (const auto& [name, log] : logs_) out.push_back(log.get());
    return out;
  }

 private:
  const PartitionId partitions_;
  std::mutex mutex_;
  uint64_t floor_;
  std::map<LogName, std::unique_ptr<LogState>> logs_;
};

}  // namespace arena::engine
