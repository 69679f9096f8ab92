// All logs of the store, by name.
#pragma once

#include <map>
#include <memory>
#include <mutex>

#include "engine/rocksdb/log_state.h"

namespace arena::engine {

// Any thread. A log, once there, stays at its address.
class LogTable {
 public:
  explicit LogTable(PartitionId partitions) : partitions_(partitions) {}

  PartitionId partitions() const { return partitions_; }
  // Null when there is no such partition; else a log that has never been written is empty.
  LogState* find(LogName name) {
    if (name.partition >= partitions_) return nullptr;
    const std::lock_guard lock(mutex_);
    std::unique_ptr<LogState>& at = logs_[name];
    if (!at) at = std::make_unique<LogState>(name);
    return at.get();
  }

 private:
  const PartitionId partitions_;
  std::mutex mutex_;
  std::map<LogName, std::unique_ptr<LogState>> logs_;
};

}  // namespace arena::engine
