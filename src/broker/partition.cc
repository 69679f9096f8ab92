#include "broker/partition.h"

#include <algorithm>
#include <iterator>

#include "base/wire.h"
#include "broker/shard.h"
#include "engine/block.h"

namespace arena::broker {
namespace {

constexpr std::size_t kBatchBytes = 1 << 20;

// {incarnation, tag} -> offset and whose it is, so that a restart can tell a repeated publish from a new one.
engine::Operation handshake_put(const Origin& origin, uint64_t offset) {
  engine::Operation operation;
  operation.space = engine::Space::handshakes;
  put_be(operation.key, origin.incarnation);
  put_be(operation.key, origin.tag);
  put_be(operation.value, offset);
  operation.value.append(origin.session_key);
  return operation;
}

engine::Operation retained_operation(const Message& message) {
  engine::Operation operation;
  operation.space = engine::Space::retained;
  operation.key = message.topic;
  if (message.payload.empty()) {
    operation.kind = engine::Operation::Kind::erase;
  } else {
    operation.value = engine::encode_message(message);
  }
  return operation;
}

}  // namespace

Partition::Partition(Shard& shard, PartitionId id)
    : shard_(shard),
      id_(id),
      end_(shard.store().bounds(id, engine::LogId::inbox).end),
      told_end_(end_) {
  note_bytes();
}

Outcome Partition::admit(const Message& message, bool store) const {
  if (store && !shard_.inbox_has_room()) return Outcome::quota;
  if (message.retain && !message.payload.empty() && !shard_.retained_has_room(message)) return Outcome::quota;
  return Outcome::ok;
}

void Partition::publish(MessageRef message, const Origin& origin) {
  const bool store = message->guarantee != Guarantee::at_most_once && shard_.wanted_durably(message->topic);
  const Outcome outcome = admit(*message, store);
  if (outcome != Outcome::ok) {
    shard_.counters().drop(Drop::quota_publish);
    shard_.answer(origin, id_, Receipt{outcome, Level::memory, false, std::nullopt});
    return;
  }
  const bool retain = message->retain;
  if (!store && !retain && queue_.empty() && !committing_) {
    const bool matched = shard_.route(Routed{std::move(message)});
    shard_.answer(origin, id_, Receipt{matched ? Outcome::ok : Outcome::no_match, Level::memory, false, std::nullopt});
    return;
  }
  // It may need no commit, but must not overtake what waits for one.
  queue_.push_back(Work{std::move(message), origin, store, retain, 0, {}, {}});
  schedule();
}

void Partition::submit(std::vector<engine::Operation> operations, UniqueFunction<void(engine::CommitStatus)> done) {
  queue_.push_back(Work{{}, {}, false, false, 0, std::move(operations), std::move(done)});
  schedule();
}

void Partition::schedule() {
  if (scheduled_ || committing_) return;
  scheduled_ = true;
  shard_.loop().defer([this] {
    scheduled_ = false;
    flush();
  });
}

void Partition::add_to_batch(Work& work, engine::Batch& batch) {
  if (work.store) {
    work.offset = batch.base_offset + batch.records.size();
    batch.records.push_back(work.message);
    if (work.origin.tag != 0) {
      batch.operations.push_back(handshake_put(work.origin, work.offset));
    }
  }
  if (work.retain) batch.operations.push_back(retained_operation(*work.message));
  batch.operations.insert(batch.operations.end(), work.operations.begin(), work.operations.end());
}

engine::Batch Partition::build_batch() {
  engine::Batch batch;
  batch.partition = id_;
  batch.base_offset = end_;
  std::size_t bytes = 0;
  while (!queue_.empty() && bytes < kBatchBytes && (alone_ == 0 || in_flight_.empty())) {
    in_flight_.push_back(std::move(queue_.front()));
    queue_.pop_front();
    Work& work = in_flight_.back();
    if (work.message) bytes += work.message->accounted_bytes();
    add_to_batch(work, batch);
  }
  return batch;
}

void Partition::flush() {
  if (committing_ || queue_.empty()) return;
  committing_ = true;
  engine::Batch batch = build_batch();
  if (batch.records.empty() && batch.operations.empty()) {
    complete(engine::CommitStatus::committed);
    return;
  }
  shard_.store().commit(std::move(batch), [this](engine::CommitStatus status) { complete(status); });
}

void Partition::complete(engine::CommitStatus status) {
  std::vector<Work> works = std::move(in_flight_);
  in_flight_.clear();
  committing_ = false;
  if (alone_ > 0) --alone_;
  if (status == engine::CommitStatus::full && works.size() > 1) {
    // What frees space must not be refused for what needs it: each is tried alone.
    alone_ = works.size();
    queue_.insert(queue_.begin(), std::make_move_iterator(works.begin()), std::make_move_iterator(works.end()));
    schedule();
    return;
  }
  note_bytes();
  committing_ = true;  // what the callbacks submit waits for the next batch
  for (Work& work : works) {
    if (work.message) {
      complete_publish(work, status);
    } else if (work.done) {
      work.done(status);
    }
  }
  committing_ = false;
  if (status == engine::CommitStatus::failed) shard_.on_store_failed();
  if (!queue_.empty()) schedule();
}

void Partition::complete_publish(Work& work, engine::CommitStatus status) {
  const bool needed_commit = work.store || work.retain;
  if (needed_commit && status != engine::CommitStatus::committed) {
    const Outcome outcome = status == engine::CommitStatus::full ? Outcome::quota : Outcome::failed;
    shard_.counters().drop(Drop::quota_publish);
    shard_.answer(work.origin, id_, Receipt{outcome, Level::memory, false, std::nullopt});
    return;
  }
  Receipt receipt;
  if (work.store) {
    end_ = work.offset + 1;
    shard_.counters().stored.add();
    shard_.want_tick();
    receipt.level = shard_.options_level();
    receipt.position = Position{0, id_, work.offset};
  }
  if (work.retain) shard_.set_retained(work.message);
  const bool matched = shard_.route(Routed{work.message, work.store, id_, work.offset});
  if (!matched && !work.store) receipt.outcome = Outcome::no_match;
  shard_.answer(work.origin, id_, receipt);
}

void Partition::set_reader(uint64_t reader, uint64_t floor) { readers_.try_emplace(reader, floor); }

void Partition::set_floor(uint64_t reader, uint64_t floor) {
  const auto it = readers_.find(reader);
  if (it == readers_.end() || it->second >= floor) return;
  it->second = floor;
  want_trim();
}

void Partition::want_trim() {
  trim_wanted_ = true;
  shard_.want_tick();
}

// All partitions share one budget, so each core's counter is kept current.
void Partition::note_bytes() {
  const uint64_t now = shard_.store().bounds(id_, engine::LogId::inbox).bytes;
  shard_.counters().inbox_bytes.add(now - noted_bytes_);  // modulo 2^64: it may shrink
  noted_bytes_ = now;
}

void Partition::drop_reader(uint64_t reader) {
  if (readers_.erase(reader) != 0) want_trim();
}

void Partition::tick() {
  if (trim_wanted_) {
    trim_wanted_ = false;
    uint64_t floor = end_;
    for (const auto& [reader, at] : readers_) floor = std::min(floor, at);
    shard_.store().trim(id_, engine::LogId::inbox, floor);
    note_bytes();
  }
  if (told_end_ != end_) {
    told_end_ = end_;
    shard_.tell_end(id_, end_);
  }
}

}  // namespace arena::broker
