#include "broker/replay.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "broker/shard.h"
#include "broker/stream/start.h"
#include "message/topic.h"

namespace arena::broker {
Replay::Replay(Shard& shard, Session& session, uint64_t id, SubscribeOrder order)
    : shard_(shard), session_(session), id_(id), from_(std::move(order.from).value_or(ReplayFrom{})), subscription_(session, true) {
  subscription_.request = std::move(order);
  subscription_.group_id = id;
  auto list = std::make_unique<FilterList>();
  list->filters.emplace_back(subscription_.request.filter);
  filters_ = Filters(list.release());
  shard_.register_reader(id_, *this);
}

Replay::~Replay() { shard_.unregister_reader(id_); }

void Replay::end() {
  shard_.unregister_reader(id_);
  shard_.silence(subscription_);
  shard_.forget_subscription(subscription_, 0, false);
  prepared();
}

void Replay::prepare(UniqueFunction<void()> done) {
  on_prepared_ = std::move(done);
  shard_.add_interest(subscription_, 0, {}, false, [shard = &shard_, id = id_](const std::vector<MessageRef>&) {
    if (auto* replay = static_cast<Replay*>(shard->find_reader(id))) replay->ask_owners();
  });
}

void Replay::prepared() {
  UniqueFunction<void()> done = std::exchange(on_prepared_, {});
  if (done) done();
}

void Replay::begin_at(const Start& start) {
  if (start.missing) gaps_.push_back(start);
  feed_.restore(CursorRecord{start.log, start.offset, {}});
}

void Replay::ask_owners() {
  const std::string filter(subscription_.request.filter);
  const Placement& placement = shard_.placement();
  std::vector<PartitionId> asked;
  if (has_wildcard(filter)) {
    for (PartitionId id = 0; id < placement.partitions(); ++id) asked.push_back(id);
  } else {
    asked.push_back(placement.partition_of(filter));
  }
  auto open = std::make_shared<std::size_t>(asked.size());
  for (const PartitionId partition : asked) {
    shard_.call_owner(partition, [partition, filter, from = from_, id = id_, home = shard_.core(), open](Shard& owner) {
      find_starts(owner, partition, filter, from, [&owner, id, home, open](std::vector<Start> starts) {
        owner.call(home, [id, open, starts = std::move(starts)](Shard& shard) {
          auto* replay = static_cast<Replay*>(shard.find_reader(id));
          if (replay == nullptr) return;
          for (const Start& start : starts) replay->begin_at(start);
          if (--*open != 0) return;
          replay->feed_.start();
          replay->prepared();
        });
      });
    });
  }
}

void Replay::find_starts(Shard& owner, PartitionId partition, const std::string& filter, const ReplayFrom& from,
                         UniqueFunction<void(std::vector<Start>)> done) {
  const std::vector<const Stream*> streams = owner.coming_streams().reached_by(filter);
  struct Answer {
    std::vector<Start> starts;
    std::size_t open = 1;
    UniqueFunction<void(std::vector<Start>)> done;
    void one_done() {
      if (--open == 0) done(std::move(starts));
    }
  };
  const auto answer = std::make_shared<Answer>();
  answer->done = std::move(done);
  for (const Stream* stream : streams) {
    const LogName name{partition, stream->log};
    ++answer->open;
    find_start(owner, owner.log_at(name), from, [answer, name](LogStart start) {
      answer->starts.push_back({name, start.offset, start.missing});
      answer->one_done();
    });
  }
  answer->one_done();
}

bool Replay::wants(const Message& message) {
  if (subscription_.request.no_local && message.publisher == session_.identity()) return false;
  if (from_.kind == ReplayFrom::Kind::time && message.published_ms < from_.time_ms) return false;
  if (session_.may_read(subscription_, message.topic)) return true;
  shard_.counters().drop(Drop::denied_delivery);
  return false;
}

void Replay::give(MessageRef message, LogName log, uint64_t offset) {
  const SubscribeRequest& request = subscription_.request;
  Item item{std::move(message), Guarantee::at_most_once, false};
  item.guarantee = std::min(item.message->guarantee, request.granted);
  item.retained = request.keep_retained_flag && item.message->retain;
  item.replay = number();
  item.positions = request.positions && log.log != LogId::inbox;
  item.log = log;
  item.offset = offset;
  if (request.id != 0) item.ids.push_back(request.id);
  session_.take_replayed(std::move(item));
}

void Replay::tell_gap(LogName log, uint64_t next, const Missing& missing, Gone why) {
  MessageRef message = gap_message(shard_, log, next, missing, why, subscription_.request.granted);
  if (!message) return;
  shard_.counters().replay_gaps.add();
  give(std::move(message), log, next - 1);  // who goes on behind it is not told again
}

void Replay::read_more() {
  while (!gaps_.empty() && session_.has_room_for_replay()) {
    const Start gap = gaps_.back();
    gaps_.pop_back();
    tell_gap(gap.log, gap.offset, gap.missing, Gone::deleted);
  }
  if (gaps_.empty() && feed_.behind() && session_.has_room_for_replay()) feed_.read_more(shard_, id_, filters_, true);
}

void Replay::offer(const Routed& routed) {
  const bool captured = routed.stored && routed.log.log != LogId::inbox;
  if (!captured) {  // no stream has it: it comes like to anybody
    if (!wants(*routed.message)) return;
    Merged merged;
    merged.guarantee = std::min(routed.message->guarantee, subscription_.request.granted);
    merged.retained = subscription_.request.keep_retained_flag && routed.message->retain;
    merged.replay = number();
    merged.slow = subscription_.request.slow.value_or(SlowPolicy::drop_oldest);
    if (subscription_.request.id != 0) merged.ids.push_back(subscription_.request.id);
    session_.take(routed, merged);
    return;
  }
  if (!feed_.admits(shard_, routed.log, routed.offset)) return;  // the log will give it
  if (!session_.has_room_for_replay()) return feed_.fall_behind(shard_, routed.log);
  feed_.find(routed.log)->advance(routed.offset + 1);
  if (wants(*routed.message)) give(routed.message, routed.log, routed.offset);
}

void Replay::on_read(ReadAnswer answer) {
  if (!feed_.accept(answer)) return;
  const uint64_t from = feed_.find(answer.log)->next();
  if (answer.missing && !session_.has_room_for_replay()) {
    answer.stop_at(from);
    return feed_.finish(answer);
  }
  if (answer.missing) tell_gap(answer.log, answer.begin, answer.missing, Gone::deleted);
  for (engine::Record& record : answer.records) {
    if (!session_.has_room_for_replay()) {
      answer.stop_at(record.offset);
      break;
    }
    if (record.offset < from || !wants(*record.message)) continue;
    give(std::move(record.message), answer.log, record.offset);
  }
  if (answer.lost && !session_.has_room_for_replay()) answer.stop_at(answer.lost_from);
  if (answer.lost) {
    shard_.counters().drop(Drop::damaged, answer.lost.counted());
    tell_gap(answer.log, answer.next, answer.lost, Gone::damaged);
  }
  // What was given may have ended the session; then this is gone from the readers.
  feed_.finish(answer);
  read_more();
}

void Replay::on_end(LogName log, uint64_t end) {
  Cursor* cursor = feed_.find(log);
  if (cursor != nullptr && cursor->seam == Cursor::Seam::live) cursor->advance(end);
}

void Replay::on_stream_added(const Stream& stream, std::vector<LogName>&) {
  const std::string_view filter = subscription_.request.filter;
  if (!stream.reaches(filter)) return;
  const Placement& placement = shard_.placement();
  for (PartitionId id = 0; id < placement.partitions(); ++id) {
    if (has_wildcard(filter) || placement.partition_of(filter) == id) feed_.join({id, stream.log}, 0, true);
  }
}

void Replay::on_stream_removed(const Stream& stream) { feed_.leave(stream.log); }

}  // namespace arena::broker
