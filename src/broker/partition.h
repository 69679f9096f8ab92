// A partition's owner: the single writer of its log and of its keys, in one order. Commits one batch at a time and
// gathers what comes meanwhile into the next.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <vector>

#include "broker/mail.h"
#include "broker/types.h"

namespace arena::broker {

class Shard;

class Partition {
 public:
  Partition(Shard& shard, PartitionId id);

  // Decides whether the message is stored, commits if so, then routes it, then answers. Nobody sees a message
  // that can still be lost. Messages are routed in the order of the calls.
  void publish(MessageRef message, const Origin& origin);
  // Commits the operations in order with everything else of this partition; done may be empty.
  void submit(std::vector<engine::Operation> operations, UniqueFunction<void(engine::CommitStatus)> done);

  uint64_t end() const { return end_; }  // one past the last committed record
  // A reader that may still want what lies at or above `floor`.
  void set_reader(uint64_t reader, uint64_t floor);
  void set_floor(uint64_t reader, uint64_t floor);
  void drop_reader(uint64_t reader);
  const std::map<uint64_t, uint64_t>& readers() const { return readers_; }
  // Frees what no reader wants; tells the readers' cores how far the log has come.
  void tick();

 private:
  struct Work {
    MessageRef message;  // null: operations only
    Origin origin;
    bool store = false;
    bool retain = false;
    uint64_t offset = 0;
    std::vector<engine::Operation> operations;
    UniqueFunction<void(engine::CommitStatus)> done;
  };

  void want_trim();
  void note_bytes();
  Outcome admit(const Message& message, bool store) const;
  void schedule();
  void flush();
  engine::Batch build_batch();
  void add_to_batch(Work& work, engine::Batch& batch);
  void complete(engine::CommitStatus status);
  void complete_publish(Work& work, engine::CommitStatus status);

  Shard& shard_;
  PartitionId id_;
  uint64_t end_ = 0;
  uint64_t told_end_ = 0;
  uint64_t noted_bytes_ = 0;  // of the log, as counted in the shard's inbox_bytes
  bool scheduled_ = false;
  bool committing_ = false;
  bool trim_wanted_ = false;
  std::size_t alone_ = 0;  // so many works are committed one by one
  std::deque<Work> queue_;
  std::vector<Work> in_flight_;
  std::map<uint64_t, uint64_t> readers_;  // reader -> floor
};

}  // namespace arena::broker
