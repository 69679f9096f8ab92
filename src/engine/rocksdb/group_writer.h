// Turns what waits for the commit thread into one RocksDB batch and one sync, and says how each commit ended.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "base/unique_function.h"
#include "engine/rocksdb/commit_queue.h"
#include "engine/rocksdb/database.h"
#include "engine/rocksdb/log_table.h"

namespace arena::engine {

// What there is space for.
enum class Room : uint8_t {
  all,
  bookkeeping,  // what is known of messages that are stored: sessions, cursors, handshakes; no more messages
  none,         // only what frees space
};

// The commit thread's own, but for the flags.
class GroupWriter {
 public:
  // `room` is asked before each group. All outlive the writer.
  GroupWriter(Database& database, LogTable& logs, const HashKey& secret, UniqueFunction<Room()> room);
  ~GroupWriter();

  // Sets each entry's status.
  void write(std::vector<CommitEntry>& group);

  // Any thread. Once true it stays so: nothing may be assumed of what was under way, and nothing more is written.
  bool failed() const { return failed_; }
  // The sequence of the last group that was acknowledged.
  uint64_t acknowledged() const { return acknowledged_; }
  // How many bytes the logs hold, those of inboxes counted threefold.
  uint64_t stored_weight() const { return stored_weight_; }
  // Bytes trimmed since they were last forgotten.
  uint64_t trimmed_bytes() const { return trimmed_bytes_; }
  void forget_trimmed_bytes() { trimmed_bytes_ = 0; }

 private:
  struct Draft;  // a log as it will be when the batch is written
  struct Pending;

  void add(CommitEntry& entry);
  CommitStatus judge(const CommitEntry& entry);
  void add_blocks(LogName name, std::vector<PackedBlock>& blocks);
  void add_trim(LogName name, uint64_t to);
  Draft& draft(LogName name);
  void add_closing(LogState& log);
  void flush();
  void apply();
  void note_room(Room room);

  Database& database_;
  LogTable& logs_;
  const HashKey& secret_;
  UniqueFunction<Room()> ask_room_;
  Room room_ = Room::all;
  std::unique_ptr<Pending> pending_;
  std::atomic<bool> failed_{false};
  std::atomic<uint64_t> acknowledged_{0};
  std::atomic<uint64_t> trimmed_bytes_{0};
  uint64_t stored_weight_ = 0;
  uint64_t written_bytes_ = 0;  // of blocks, beginning with those that were there
};

}  // namespace arena::engine
