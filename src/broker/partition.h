// A partition's owner: the single writer of its logs and of its keys, in one order. Commits one batch at a time and
// gathers what comes meanwhile into the next.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "broker/log.h"
#include "broker/mail.h"
#include "broker/published.h"
#include "broker/retained/retained_values.h"
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

  // Last values that have expired: deletes those that their topics still have.
  void expire(std::vector<MessageRef> values);
  // Deletes what the log holds, whoever waits for it; done when that is durable.
  void purge(LogId id, UniqueFunction<void(engine::CommitStatus)> done);

  PartitionId id() const { return id_; }
  // Recovery: what was published under ids and by producers.
  Status load();
  // $inbox, or a stream's: made when it is first asked for.
  Log& log(LogId id);
  // A reader that may still want what lies at or above `floor`.
  void drop_reader(uint64_t reader);
  // Frees what no reader wants; tells the readers' cores how far the logs have come.
  void tick();

 private:
  // What few works have.
  struct More {
    std::vector<engine::Operation> operations;
    UniqueFunction<void(engine::CommitStatus)> done;
    RetainedGrowth growth{};  // of last values, by this one
  };
  struct Work {
    MessageRef message;  // null: operations only
    Origin origin;
    Log* log = nullptr;  // where it is stored; null: nowhere
    uint64_t offset = 0;
    bool retain = false;
    std::unique_ptr<More> more;  // there with operations, and when it is retained
  };

  Log* log_for(const Message& message);
  bool is_new(const MessageRef& message, const Origin& origin);
  void queue_repeated(const Origin& origin);
  // Null: it has no place that is known.
  void answer_repeated(const Origin& origin, const Published::Place* place);
  Outcome admit(const Log* log, const RetainedGrowth& growth) const;
  void schedule();
  void flush();
  bool waits() const { return taken_ < queue_.size(); }
  engine::Batch build_batch();
  void take_works();
  void add_expired(engine::Batch& batch);
  void complete_expired(engine::CommitStatus status);
  static Published::Place place_of(const Work& work);
  void add_to_batch(Work& work, engine::Batch& batch);
  void complete(engine::CommitStatus status);
  void complete_publish(Work& work, engine::CommitStatus status);
  void note_bytes(const std::vector<Work>& works);

  Shard& shard_;
  PartitionId id_;
  bool scheduled_ = false;
  bool committing_ = false;
  std::size_t alone_ = 0;  // so many works are committed one by one
  std::vector<Work> queue_;
  std::size_t taken_ = 0;  // so many at its front are gone
  std::vector<Work> in_flight_;
  std::map<LogId, Log> logs_;
  Published published_;
  std::vector<engine::Operation> erasing_;  // in the commit that is under way
  std::vector<MessageRef> expired_;         // last values, to be deleted with the next commit
  std::vector<MessageRef> expiring_;        // in the one that is under way
};

}  // namespace arena::broker
