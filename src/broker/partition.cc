#include "broker/partition.h"

#include <algorithm>
#include <iterator>

#include "base/wire.h"
#include "broker/shard.h"
#include "engine/block.h"

namespace arena::broker {
namespace {

constexpr std::size_t kBatchBytes = 1 << 20;
constexpr std::size_t kWorksKept = 512;  // room for so many is kept for the next batch, more is given back

// {incarnation, tag} -> offset and whose it is, so that a restart can tell a repeated publish from a new one.
engine::Operation handshake_put(const Origin& origin, uint64_t offset) {
  engine::Operation operation;
  operation.space = engine::Space::handshakes;
  put_be(operation.key, origin.incarnation);
  put_be(operation.key, origin.tag);
  put_be(operation.value, offset);
  operation.value.append(origin.session_key->text);
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

engine::Append& append_to(engine::Batch& batch, const Log& log) {
  for (engine::Append& append : batch.appends) {
    if (append.log == log.name().log) return append;
  }
  return batch.appends.emplace_back(engine::Append{log.name().log, log.end(), {}});
}

}  // namespace

Partition::Partition(Shard& shard, PartitionId id)
    : shard_(shard), id_(id), published_(shard.options(), shard.counters()) {
  log(LogId::inbox);
}

Status Partition::load() { return published_.load(shard_.store().scan(id_, engine::Space::published, {}, {}, SIZE_MAX)); }

Log& Partition::log(LogId id) {
  return logs_.try_emplace(id, shard_, LogName{id_, id}).first->second;
}

Log* Partition::log_for(const Message& message) {
  if (const Stream* stream = shard_.streams().of(message.topic)) return &log(stream->log);
  if (message.guarantee == Guarantee::at_most_once || !shard_.wanted_durably(message.topic)) return nullptr;
  return &log(LogId::inbox);
}

Outcome Partition::admit(const Log* log, const RetainedGrowth& growth) const {
  if (log != nullptr && !shard_.log_has_room(*log)) return Outcome::quota;
  return shard_.retained_has_room(growth) ? Outcome::ok : Outcome::quota;
}

// False: it is answered, or will be.
bool Partition::is_new(const MessageRef& message, const Origin& origin) {
  switch (published_.judge(*origin.mark, message->published_ms)) {
    case Published::Verdict::fresh: return true;
    case Published::Verdict::repeated:
      queue_repeated(origin);
      return false;
    case Published::Verdict::conflict:
      shard_.counters().drop(Drop::conflict);
      shard_.answer(origin, id_, Receipt{Outcome::conflict, Level::memory, false, std::nullopt});
      return false;
    case Published::Verdict::unknown_producer:
      shard_.counters().drop(Drop::unknown_producer);
      shard_.answer(origin, id_, Receipt{Outcome::unknown_producer, Level::memory, false, std::nullopt});
      return false;
  }
  return true;
}

// Behind the first, which may be on its way still. What is known of it now may be forgotten by then.
void Partition::queue_repeated(const Origin& origin) {
  const Published::Place* place = published_.find(*origin.mark);
  std::optional<Published::Place> known;
  if (place != nullptr) known.emplace(*place);
  submit({}, [this, origin, known](engine::CommitStatus) {
    answer_repeated(origin, known ? &*known : published_.find(*origin.mark));
  });
}

void Partition::answer_repeated(const Origin& origin, const Published::Place* place) {
  Receipt receipt;
  if (place == nullptr && !published_.knows(*origin.mark)) {
    shard_.counters().drop(Drop::unknown_producer);
    receipt.outcome = Outcome::unknown_producer;
  } else if (place == nullptr) {  // the first was refused
    shard_.counters().drop(Drop::quota_publish);
    receipt.outcome = Outcome::quota;
  } else {
    shard_.counters().duplicates.add();
    receipt.duplicate = true;
    if (*place) {
      receipt.level = shard_.options_level();
      receipt.position = Position{0, id_, (*place)->second};
      receipt.log = (*place)->first;
    }
  }
  shard_.answer(origin, id_, receipt);
}

void Partition::publish(MessageRef message, const Origin& origin) {
  if (origin.mark && !is_new(message, origin)) return;
  Log* const log = log_for(*message);
  const RetainedGrowth growth = message->retain ? shard_.retained_growth(*message) : RetainedGrowth{};
  const Outcome outcome = admit(log, growth);
  if (outcome != Outcome::ok) {
    if (origin.mark) published_.forget(*origin.mark);
    shard_.counters().drop(Drop::quota_publish);
    shard_.answer(origin, id_, Receipt{outcome, Level::memory, false, std::nullopt});
    return;
  }
  const bool retain = message->retain;
  if (log == nullptr && !retain && !waits() && !committing_) {
    if (origin.mark) published_.settle(*origin.mark, std::nullopt, false);
    const bool matched = shard_.route(Routed{std::move(message)});
    shard_.answer(origin, id_, Receipt{matched ? Outcome::ok : Outcome::no_match, Level::memory, false, std::nullopt});
    return;
  }
  // It may need no commit, but must not overtake what waits for one.
  queue_.push_back(Work{std::move(message), origin, log, 0, retain, {}});
  if (retain) {
    queue_.back().more = std::make_unique<More>(More{{}, {}, growth});
    shard_.retained_coming(growth);
  }
  schedule();
}

void Partition::submit(std::vector<engine::Operation> operations, UniqueFunction<void(engine::CommitStatus)> done) {
  queue_.push_back(Work{{}, {}, nullptr, 0, false, std::make_unique<More>(More{std::move(operations), std::move(done), {}})});
  schedule();
}

void Partition::expire(std::vector<MessageRef> values) {
  if (expired_.empty()) submit({}, {});
  std::move(values.begin(), values.end(), std::back_inserter(expired_));
}

// No commit is under way, so what a topic has now is what is stored; what this batch stores comes behind.
void Partition::add_expired(engine::Batch& batch) {
  for (MessageRef& message : expired_) {
    if (!shard_.is_retained(message)) continue;
    batch.operations.push_back({engine::Operation::Kind::erase, engine::Space::retained, message->topic, {}});
    expiring_.push_back(std::move(message));
  }
  expired_.clear();
}

void Partition::complete_expired(engine::CommitStatus status) {
  if (status == engine::CommitStatus::full) {
    // Tried again with what comes next, at the latest alone.
    expire(std::exchange(expiring_, {}));
    return;
  }
  for (const MessageRef& message : std::exchange(expiring_, {})) {
    if (status == engine::CommitStatus::committed) shard_.drop_retained(message);
  }
}

// The engine takes the trim and what follows it in their order, so an empty commit answers for both.
void Partition::purge(LogId id, UniqueFunction<void(engine::CommitStatus)> done) {
  log(id).purge();
  engine::Batch nothing;
  nothing.partition = id_;
  shard_.store().commit(std::move(nothing), std::move(done));
}

void Partition::schedule() {
  if (scheduled_ || committing_) return;
  scheduled_ = true;
  shard_.loop().defer([this] {
    scheduled_ = false;
    flush();
  });
}

Published::Place Partition::place_of(const Work& work) {
  if (work.log == nullptr) return std::nullopt;
  return std::pair(work.log->name().log, work.offset);
}

void Partition::add_to_batch(Work& work, engine::Batch& batch) {
  if (work.log != nullptr) {
    engine::Append& append = append_to(batch, *work.log);
    work.offset = append.base_offset + append.records.size();
    append.records.push_back(work.message);
  }
  if (work.origin.tag != 0 && (work.log != nullptr || work.retain)) {
    batch.operations.push_back(handshake_put(work.origin, work.offset));
  }
  if (work.origin.mark && (work.log != nullptr || work.retain)) {
    std::vector<engine::Operation> rows = published_.rows(*work.origin.mark, place_of(work), work.message->published_ms);
    std::move(rows.begin(), rows.end(), std::back_inserter(batch.operations));
  }
  if (work.retain) batch.operations.push_back(retained_operation(*work.message));
  if (work.more) batch.operations.insert(batch.operations.end(), work.more->operations.begin(), work.more->operations.end());
}

engine::Batch Partition::build_batch() {
  engine::Batch batch;
  batch.partition = id_;
  erasing_ = published_.take_erasures();
  batch.operations = erasing_;  // first: what was forgotten may be published again
  add_expired(batch);
  take_works();
  for (Work& work : in_flight_) add_to_batch(work, batch);
  return batch;
}

// Mostly all that wait, which then do not move.
void Partition::take_works() {
  std::size_t upto = taken_, bytes = 0;
  while (upto < queue_.size() && bytes < kBatchBytes && (alone_ == 0 || upto == taken_)) {
    if (const Work& work = queue_[upto++]; work.message) bytes += work.message->accounted_bytes();
  }
  if (taken_ == 0 && upto == queue_.size()) return in_flight_.swap(queue_);
  const auto begin = queue_.begin() + static_cast<std::ptrdiff_t>(taken_), end = queue_.begin() + static_cast<std::ptrdiff_t>(upto);
  in_flight_.assign(std::make_move_iterator(begin), std::make_move_iterator(end));
  taken_ = upto;
  if (taken_ < queue_.size() / 2) return;
  queue_.erase(queue_.begin(), end);
  taken_ = 0;
}

void Partition::flush() {
  if (committing_ || !waits()) return;
  committing_ = true;
  engine::Batch batch = build_batch();
  if (batch.appends.empty() && batch.operations.empty()) {
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
  if (status != engine::CommitStatus::committed) published_.put_back(std::move(erasing_));
  erasing_.clear();
  if (!expiring_.empty()) complete_expired(status);
  if (status == engine::CommitStatus::full && works.size() > 1) {
    // What frees space must not be refused for what needs it: each is tried alone.
    alone_ = works.size();
    for (const Work& work : works) {
      if (work.origin.mark) published_.not_written(*work.origin.mark);
    }
    queue_.insert(queue_.begin() + static_cast<std::ptrdiff_t>(taken_), std::make_move_iterator(works.begin()), std::make_move_iterator(works.end()));
    schedule();
    return;
  }
  note_bytes(works);
  committing_ = true;  // what the callbacks submit waits for the next batch
  for (Work& work : works) {
    if (work.message) {
      complete_publish(work, status);
    } else if (work.more && work.more->done) {
      work.more->done(status);
    }
  }
  committing_ = false;
  works.clear();
  if (works.capacity() <= kWorksKept) in_flight_ = std::move(works);  // its room is for the next
  if (status == engine::CommitStatus::failed) shard_.on_store_failed();
  if (waits()) schedule();
}

void Partition::complete_publish(Work& work, engine::CommitStatus status) {
  const bool needed_commit = work.log != nullptr || work.retain;
  if (work.retain) shard_.retained_came(work.more->growth);
  if (needed_commit && status != engine::CommitStatus::committed) {
    const Outcome outcome = status == engine::CommitStatus::full ? Outcome::quota : Outcome::failed;
    if (work.origin.mark) published_.forget(*work.origin.mark);
    shard_.counters().drop(Drop::quota_publish);
    shard_.answer(work.origin, id_, Receipt{outcome, Level::memory, false, std::nullopt});
    return;
  }
  Receipt receipt;
  if (needed_commit) receipt.level = shard_.options_level();
  Routed routed{work.message};
  if (work.log != nullptr) {
    work.log->committed(work.offset);
    routed = Routed{work.message, true, work.log->name(), work.offset};
    shard_.counters().stored.add();
    shard_.want_tick();
    receipt.position = Position{0, id_, work.offset};
    receipt.log = work.log->name().log;
  }
  if (work.origin.mark) {
    published_.settle(*work.origin.mark, place_of(work), needed_commit);
  }
  if (work.retain) shard_.set_retained(work.message);
  const bool matched = shard_.route(routed);
  if (!matched && !routed.stored) receipt.outcome = Outcome::no_match;
  shard_.answer(work.origin, id_, receipt);
}

// Logs share budgets, so what they take is kept current.
void Partition::note_bytes(const std::vector<Work>& works) {
  const Log* last = nullptr;
  uint64_t to_streams = 0;
  for (const Work& work : works) {
    if (work.log != nullptr && work.log != last) {
      const uint64_t more = work.log->note_bytes();
      if (!work.log->is_inbox()) to_streams += more;
    }
    last = work.log;
  }
  shard_.note_written_to_streams(to_streams);
}

void Partition::drop_reader(uint64_t reader) {
  for (auto& [id, log] : logs_) log.drop_reader(reader);
}

void Partition::tick() {
  for (auto& [id, log] : logs_) log.tick();
}

}  // namespace arena::broker
