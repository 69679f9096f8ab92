// The disk engine: what is committed survives the process and, once the disk has it, power loss.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <vector>

#include "engine/rocksdb/rocks_disk.h"
#include "engine/store.h"
#include "runtime/loop.h"

namespace arena::engine {

// One core's door to the disk. Commits of a turn go to the commit thread together, and what came back from the disk
// is decoded here. Callbacks never run after the store is gone; what had not reached the commit thread by then never
// happened.
class RocksStore final : public Store {
 public:
  // The loop outlives the store.
  RocksStore(runtime::Loop& loop, std::shared_ptr<RocksDisk> disk);
  ~RocksStore() override;
  RocksStore(const RocksStore&) = delete;
  RocksStore& operator=(const RocksStore&) = delete;

  void commit(Batch batch, CommitDone done) override;
  void read(ReadRequest request, ReadDone done) override;
  LogBounds bounds(PartitionId partition, LogId log) const override;
  std::vector<OffsetRange> holes(PartitionId partition, LogId log) const override;
  std::vector<OffsetRange> lost(PartitionId partition, LogId log) const override;
  LogId newest_log() const override;
  uint64_t bytes_from(PartitionId partition, LogId log, uint64_t offset) const override;
  uint64_t offset_behind(PartitionId partition, LogId log, uint64_t offset, uint64_t bytes) const override;
  uint64_t written_at(PartitionId partition, LogId log, uint64_t offset) const override;
  uint64_t offset_written_after(PartitionId partition, LogId log, uint64_t written) const override;
  std::vector<KeyValue> scan(PartitionId partition, Space space, std::string_view first, std::string_view last,
                             std::size_t limit) const override;
  void trim(PartitionId partition, LogId log, uint64_t new_start) override;

 private:
  // A log as this core has been told of it: what was committed but not answered is not there yet.
  struct View {
    LogState* state = nullptr;
    uint64_t start = 0;
    uint64_t end = 0;
  };
  struct Read;
  struct Life {};
  using Alive = std::weak_ptr<Life>;

  View* view(LogName name) const;
  void enqueue(CommitEntry entry);
  void submit();
  void answer();
  void keep_house();
  void start_reads();
  void fetch(const std::shared_ptr<Read>& read);
  void take(const std::shared_ptr<Read>& read);
  void finish(const std::shared_ptr<Read>& read);
  static void on_mark_timer(void* self);

  runtime::Loop& loop_;
  std::shared_ptr<RocksDisk> disk_;
  std::shared_ptr<CommitDoor> door_ = std::make_shared<CommitDoor>();
  std::shared_ptr<Life> alive_ = std::make_shared<Life>();  // tasks hold it weakly
  mutable std::map<LogName, View> views_;
  std::vector<CommitEntry> outbox_;  // of this turn
  bool submitting_ = false;
  std::deque<std::shared_ptr<Read>> reads_;  // that wait for their turn
  std::size_t fetching_ = 0;
  runtime::Timer mark_timer_;
};

}  // namespace arena::engine
