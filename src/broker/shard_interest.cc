// Who wants what, made known: interest between cores, durable interest and last values at the topics' owners, and
// reads of their logs. CURSORS.md 4-6; DESIGN.md 6.
#include <algorithm>
#include <utility>

#include "base/log.h"
#include "broker/shard.h"
#include "message/topic.h"

namespace arena::broker {

namespace {

// Marks of a filter in index_: what the other cores have been told of it.
constexpr uint8_t kAnnounced = 1;
constexpr uint8_t kKnown = 2;  // and all have answered

}  // namespace

std::vector<unsigned> Shard::owners_of(std::string_view filter) const {
  if (!has_wildcard(filter)) return {placement_->core_of_name(filter)};
  std::vector<unsigned> owners;
  for (PartitionId id = 0; id < placement_->partitions(); ++id) {
    const unsigned owner = placement_->core_of(id);
    if (std::find(owners.begin(), owners.end(), owner) == owners.end()) owners.push_back(owner);
  }
  return owners;
}

std::string_view Shard::filter_of_subscription(FilterIndex::Value value) {
  return reinterpret_cast<const Subscription*>(value)->request.filter;
}

void Shard::add_interest(Subscription& subscription, uint64_t reader, Places floors, bool want_retained,
                         InterestDone done) {
  const std::string filter(subscription.request.filter);
  const bool fresh = index_.add(filter, reinterpret_cast<uint64_t>(&subscription));
  const uint8_t mark = index_.mark(filter);
  const bool announce = shards_.size() > 1 && mark != kKnown;
  const bool first = announce && mark != kAnnounced;  // once: the others count
  if (first) index_.set_mark(filter, kAnnounced);
  std::vector<unsigned> targets;
  if (announce) {
    for (unsigned to = 0; to < shards_.size(); ++to) targets.push_back(to);
  } else if (reader != 0 || want_retained) {
    targets = owners_of(filter);
  }
  if (targets.empty()) {
    done({});
    return;
  }
  const uint64_t operation = next_operation_++;
  operations_[operation] = InterestOperation{&subscription, announce, targets.size(), {}, std::move(done)};
  // Who asks again is known there already, and has all that is routed meanwhile.
  for (unsigned to : targets) {
    if (fresh && to != core()) subscription.waiting_cores |= uint64_t{1} << to;
  }
  const InterestRequest request{filter, core(), first, reader, want_retained, std::move(floors)};
  for (unsigned to : targets) {
    call(to, [request, operation](Shard& there) {
      there.call(request.from, [operation, from = there.core(), answer = there.serve_interest(request)](Shard& home) mutable {
        home.take_interest_answer(operation, from, std::move(answer));
      });
    });
  }
}

std::pair<LogName, uint64_t> Shard::register_reader(Log& log, const InterestRequest& request) {
  uint64_t floor = log.end();
  for (const auto& [known, at] : request.floors) {
    if (known == log.name()) floor = std::min(floor, at);
  }
  log.set_reader(request.reader, floor);
  return {log.name(), log.end()};
}

// At the owner, in one turn: what is routed to the asker after this answer is what the answer does not hold.
InterestAnswer Shard::serve_interest(const InterestRequest& request) {
  InterestAnswer answer;
  if (request.announce && request.from != core()) remote_.add(request.filter, request.from);
  if (request.reader != 0) {
    durable_.add(request.filter, request.reader);
    const bool wildcard = has_wildcard(request.filter);
    const PartitionId only = placement_->partition_of(request.filter);
    std::vector<LogId> logs{LogId::inbox};
    for (const Stream* stream : coming_->reached_by(request.filter)) logs.push_back(stream->log);
    for (const auto& [id, partition] : partitions_) {
      if (!wildcard && id != only) continue;
      for (const LogId log : logs) answer.ends.push_back(register_reader(partition->log(log), request));
    }
  }
  if (request.retained) {
    retained().match(request.filter, [&](const MessageRef& message) { answer.retained.push_back(message); });
  }
  return answer;
}

void Shard::take_interest_answer(uint64_t operation, unsigned from, InterestAnswer answer) {
  const auto it = operations_.find(operation);
  if (it == operations_.end()) return;
  InterestOperation& waiting = it->second;
  Subscription& subscription = *waiting.subscription;
  subscription.waiting_cores &= ~(uint64_t{1} << from);
  // An owner may have answered before it heard that a stream is removed, which is known here.
  std::erase_if(answer.ends, [&](const auto& place) { return !will_have_log(place.first.log); });
  for (const auto& [log, end] : answer.ends) {
    if (!subscription.is_known(log)) subscription.born.push_back({log, end});
  }
  if (subscription.session() != nullptr) subscription.session()->join_log(answer.ends);
  if (subscription.group() != nullptr) subscription.group()->join_log(answer.ends);
  std::move(answer.retained.begin(), answer.retained.end(), std::back_inserter(waiting.retained));
  if (--waiting.open != 0) return;
  InterestOperation finished = std::move(waiting);
  operations_.erase(it);
  if (finished.announces) index_.set_mark(subscription.request.filter, kKnown);
  finished.done(std::move(finished.retained));
}

void Shard::set_aside(const Subscription& subscription, bool aside) {
  index_.set_aside(subscription.request.filter, reinterpret_cast<uint64_t>(&subscription), aside);
}

void Shard::silence(Subscription& subscription) {
  if (subscription.session() != nullptr && !subscription.request.group.empty()) return;  // the group is in the index
  const std::string filter(subscription.request.filter);
  const bool announced = index_.mark(filter) != 0;
  index_.remove(filter, reinterpret_cast<uint64_t>(&subscription));
  // As often as it was announced, which is as often as it came into the index: the others count.
  if (announced && !index_.has(filter)) {
    for (unsigned to = 0; to < shards_.size(); ++to) {
      if (to != core()) call(to, [filter, from = core()](Shard& there) { there.remote_.remove(filter, from); });
    }
  }
  std::vector<InterestDone> cancelled;
  for (auto it = operations_.begin(); it != operations_.end();) {
    if (it->second.subscription != &subscription) {
      ++it;
      continue;
    }
    cancelled.push_back(std::move(it->second.done));
    it = operations_.erase(it);
  }
  for (InterestDone& done : cancelled) done({});
}

void Shard::forget_subscription(const Subscription& subscription, uint64_t reader, bool last_durable) {
  if (subscription.session() != nullptr && !subscription.request.group.empty()) {
    if (subscription.group_id != 0) leave_group(*this, subscription.group_id, reader);
    return;
  }
  if (subscription.durable) withdraw_durable(subscription, reader, last_durable);
}

void Shard::withdraw_durable(const Subscription& subscription, uint64_t reader, bool last_durable) {
  for (unsigned to = 0; to < shards_.size(); ++to) {
    call(to, [filter = std::string(subscription.request.filter), reader, last_durable](Shard& there) {
      there.durable_.remove(filter, reader);
      if (!last_durable) return;
      for (const auto& [id, partition] : there.partitions_) partition->drop_reader(reader);
    });
  }
}

// ---- reading ----

void Shard::order_read(ReadOrder order) {
  call(placement_->core_of(order.log.partition), [order = std::move(order)](Shard& owner) { owner.serve_read(order); });
}

void Shard::serve_read(const ReadOrder& order) {
  counters_.log_reads.add();
  engine::ReadRequest request;
  request.partition = order.log.partition;
  request.log = order.log.log;
  const uint64_t first = order.replay ? log_at(order.log).first() : 0;
  request.from = std::max(order.from, first);
  request.bytes_max = options_.log_read_bytes;
  const std::vector<std::string>& filters = order.filters->filters;
  if (filters.size() == 1 && !has_wildcard(filters.front())) {
    request.topic = filters.front();
  } else {
    request.wanted = [list = order.filters](std::string_view topic) {
      return std::any_of(list->filters.begin(), list->filters.end(), [&](const std::string& f) { return filter_matches(f, topic); });
    };
  }
  store_.read(std::move(request), [this, order, from = request.from](engine::ReadResult result) {
    finish_read(order, from, std::move(result));
  });
}

void Shard::finish_read(const ReadOrder& order, uint64_t from, engine::ReadResult result) {
  if (!result.status) note_damage(order, result);
  if (!result.status && result.next <= order.from) return;  // unreadable as a whole: the reader stays where it is
  ReadAnswer answer{order.log, order.generation, std::move(result.records), result.next,
                    result.next >= log_at(order.log).end()};
  const Log& log = log_at(order.log);
  answer.begin = from + result.trimmed;
  answer.missing = log.missing_between(order.from, answer.begin);
  counters_.drop(Drop::trimmed, log.missing_between(from, answer.begin).counted());
  answer.lost_from = result.next - result.damaged;
  answer.lost = log.lost_between(answer.lost_from, result.next);
  call(order.core, [reader = order.reader, answer = std::move(answer)](Shard& there) mutable {
    const auto it = there.readers_.find(reader);
    if (it != there.readers_.end()) it->second->on_read(std::move(answer));
  });
}

void Shard::note_damage(const ReadOrder& order, const engine::ReadResult& result) {
  log::error("broker", "a part of the log cannot be read and is skipped",
             {{"partition", unsigned{order.log.partition}}, {"log", static_cast<uint32_t>(order.log.log)}, {"from", result.next - result.damaged}, {"to", result.next}, {"reason", result.status.error().reason}});
}

void Shard::report_floor(LogName log, uint64_t reader, uint64_t floor) {
  call_owner(log.partition, [log, reader, floor](Shard& owner) { owner.log_at(log).set_floor(reader, floor); });
}

}  // namespace arena::broker
