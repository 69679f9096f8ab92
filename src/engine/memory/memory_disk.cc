#include "engine/memory/memory_disk.h"

namespace arena::engine {

MemoryDisk::MemoryDisk(PartitionId partitions, std::size_t bytes_max) : bytes_max_(bytes_max) {
  for (PartitionId id = 0; id < partitions; ++id) partitions_.push_back(std::make_unique<Partition>());
}

MemoryDisk::Partition* MemoryDisk::partition(PartitionId id) {
  return id < partitions_.size() ? partitions_[id].get() : nullptr;
}

const MemoryDisk::Partition* MemoryDisk::partition(PartitionId id) const {
  return id < partitions_.size() ? partitions_[id].get() : nullptr;
}

void MemoryDisk::count_commit() {
  int64_t left = commits_until_failure_;
  while (left != kNeverFails && left > 0 && !commits_until_failure_.compare_exchange_weak(left, left - 1)) {
  }
}

bool MemoryDisk::corrupt(PartitionId id, LogId log, uint64_t offset) {
  Partition* at = partition(id);
  if (at == nullptr) return false;
  const auto found = at->logs.find(log);
  return found != at->logs.end() && found->second.corrupt(offset);
}

void MemoryDisk::lose(PartitionId id, LogId log, OffsetRange range) {
  if (Partition* at = partition(id)) at->logs[log].lose(range);
}

}  // namespace arena::engine
