// A replay: what the streams that a filter reaches hold from some place on, then what is published, for one connection.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/unique_function.h"
#include "broker/gap.h"
#include "broker/mail.h"
#include "broker/session/feed.h"
#include "broker/session/subscription.h"

namespace arena::broker {

class Shard;

// Lives on its session's core, which owns it. It keeps nothing in the log: what is deleted before it gets there is told as
// a gap, a message under "$gap/<stream>" whose header "arena-gap" has the count.
class Replay final : public Reader {
 public:
  Replay(Shard& shard, Session& session, uint64_t id, SubscribeOrder order);
  ~Replay() override;
  Replay(const Replay&) = delete;
  Replay& operator=(const Replay&) = delete;

  // done when it is known where it begins in each log, and what is published from now on reaches it; or when it ends before.
  void prepare(UniqueFunction<void()> done);
  // Reads, as far as the session has room.
  void read_more();
  // It gets nothing any more.
  void end();

  // Among those of its session; never 0.
  uint32_t number() const { return static_cast<uint32_t>(id_) | (uint32_t{1} << 31); }
  const Subscription& subscription() const { return subscription_; }
  void offer(const Routed& routed);
  void on_read(ReadAnswer answer) override;
  void on_end(LogName log, uint64_t end) override;
  void on_tick() override {}
  void on_stream_added(const Stream& stream, std::vector<LogName>& joined) override;
  void on_stream_removed(const Stream& stream) override;

 private:
  // Where it begins in one log, as the owner says.
  struct Start {
    LogName log;
    uint64_t offset = 0;
    Missing missing;
  };

  void ask_owners();
  void begin_at(const Start& start);
  void prepared();
  static void find_starts(Shard& owner, PartitionId partition, const std::string& filter, const ReplayFrom& from,
                          UniqueFunction<void(std::vector<Start>)> done);
  bool wants(const Message& message);
  void give(MessageRef message, LogName log, uint64_t offset);
  void tell_gap(LogName log, uint64_t next, const Missing& missing, Gone why);

  Shard& shard_;
  Session& session_;
  const uint64_t id_;
  ReplayFrom from_;
  Subscription subscription_;
  Feed feed_;
  Filters filters_;
  UniqueFunction<void()> on_prepared_;
  std::vector<Start> gaps_;  // at the beginning, not told yet: they wait for room, and the logs for them
};

}  // namespace arena::broker
