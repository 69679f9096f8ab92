// The memory engine: the whole contract of engine/store.h without a device. For tests, the simulator, and servers
// that need nothing to survive the process.
#pragma once

#include <memory>
#include <vector>

#include "engine/memory/memory_disk.h"
#include "engine/store.h"
#include "runtime/loop.h"

namespace arena::engine {

// One core's door to the disk. A commit is applied in a later turn of the loop, like everything, in the order of
// the calls; what waits when the store is destroyed never happened and its callbacks never run: a crash.
class MemoryStore final : public Store {
 public:
  // Both outlive the store.
  MemoryStore(runtime::Loop& loop, MemoryDisk& disk);
  ~MemoryStore() override;

  void commit(Batch batch, CommitDone done) override;
  void read(ReadRequest request, ReadDone done) override;
  LogBounds bounds(PartitionId partition, LogId log) const override;
  std::vector<OffsetRange> holes(PartitionId partition, LogId log) const override { return lost(partition, log); }
  std::vector<OffsetRange> lost(PartitionId partition, LogId log) const override;
  LogId newest_log() const override;
  std::vector<KeyValue> scan(PartitionId partition, Space space, std::string_view first, std::string_view last,
                             std::size_t limit) const override;
  void trim(PartitionId partition, LogId log, uint64_t new_start) override;
  uint64_t bytes_from(PartitionId partition, LogId log, uint64_t offset) const override;
  uint64_t offset_behind(PartitionId partition, LogId log, uint64_t offset, uint64_t bytes) const override;
  uint64_t written_at(PartitionId partition, LogId log, uint64_t offset) const override;
  uint64_t offset_written_after(PartitionId partition, LogId log, uint64_t written) const override;

 private:
  struct Queue;
  void enqueue(Task task);
  const MemoryLog* find(PartitionId partition, LogId log) const;

  MemoryDisk& disk_;
  runtime::Loop& loop_;
  std::shared_ptr<Queue> queue_;  // the loop holds it weakly
};

}  // namespace arena::engine
