// The disk engine's one store in a process: a folder with RocksDB in it, and what all cores share of it.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

#include "base/unique_function.h"
#include "engine/rocksdb/commit_queue.h"
#include "engine/rocksdb/database.h"
#include "engine/rocksdb/folder.h"
#include "engine/rocksdb/group_writer.h"
#include "engine/rocksdb/log_table.h"

namespace arena::engine {

struct RocksOptions {
  std::string path;  // made if it is not there
  PartitionId partitions = 16;
  // With less free space no message is stored; with less than half of it, nothing that adds to the store.
  uint64_t reserve_bytes = 256 << 20;
  // For tests: another file system, which outlives the disk, files written after so few bytes, and another idea of
  // the free space.
  rocksdb::Env* env = nullptr;
  uint64_t write_buffer_bytes = 0;  // 0: as pinned
  UniqueFunction<uint64_t()> free_bytes;
};

// One per process and folder. Owned by the server; what runs off the loops holds it weakly and is over, or never
// begins, when the disk is gone.
class RocksDisk {
 public:
  // Blocks. Recovers what is there; the reason of a failure names the path and a way out.
  static Result<std::shared_ptr<RocksDisk>> open(RocksOptions options);
  ~RocksDisk();
  RocksDisk(const RocksDisk&) = delete;
  RocksDisk& operator=(const RocksDisk&) = delete;

  // ---- any thread
  PartitionId partitions() const { return logs_.partitions(); }
  const HashKey& secret() const { return folder_.secret(); }
  Database& database() { return *database_; }
  LogTable& logs() { return logs_; }
  CommitQueue& queue() { return queue_; }
  bool failed() const { return writer_->failed(); }
  // False: topics must be looked for without it.
  bool index_is_whole() const { return index_is_whole_; }
  // Values and blocks that could not be read since the start, recovery included.
  uint64_t damaged() const { return damaged_; }
  void note_damage(uint64_t count) { damaged_ += count; }

  // ---- off the loops
  // The commit thread: one group, if the ticket's entries still wait.
  void commit(CommitDoor& door, uint64_t ticket);
  // Writes down how much has been acknowledged.
  void mark_high_water();
  // True once after much was trimmed: then clean().
  bool wants_cleaning();
  void clean();

  // For tests: damages the stored block that holds the offset, its header or its end; false if there is none.
  bool corrupt(LogName log, uint64_t offset, bool header = false);

 private:
  RocksDisk(StoreFolder folder, RocksOptions options);
  Status open_database();
  // What an operator may do with a store that is not opened.
  std::string way_out() const;
  Status check_high_water();
  Room room();

  StoreFolder folder_;
  RocksOptions options_;
  std::unique_ptr<Database> database_;
  LogTable logs_;
  CommitQueue queue_;
  std::unique_ptr<GroupWriter> writer_;
  bool index_is_whole_ = true;
  std::atomic<uint64_t> damaged_{0};
  std::atomic<bool> cleaning_{false};  // it has been asked for
  std::mutex mark_mutex_;
  uint64_t marked_ = 0;
};

}  // namespace arena::engine
