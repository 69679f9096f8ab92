#include "broker/published.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/wire.h"

namespace arena::broker {
namespace {

constexpr uint8_t kVersion = 2;  // in version 1 the rows of its recent publishes told how far a producer is
// A producer has a row for each of its recent publishes, and one of how far it is.
enum class RowKind : uint8_t { id = 1, recent = 2, producer = 3 };
// A last value that no log keeps lies nowhere.
constexpr auto kNowhere = static_cast<LogId>(UINT32_MAX);

// Nothing is taken in an epoch that began with a publish: what was has been forgotten, so that nothing new of it can be told.
bool is_over(const Progress& taken) { return taken.last() == 0; }

void note_written(uint32_t epoch, uint64_t sequence, uint32_t& written_epoch, Progress& written) {
  if (epoch < written_epoch) return;
  if (epoch > written_epoch) written = {};
  written_epoch = epoch;
  written.add(sequence);
}

std::string row_key(RowKind kind, const Hash128& key, std::size_t recent = 0) {
  std::string out;
  put_be(out, static_cast<uint8_t>(kind));
  put_be(out, key.high);
  put_be(out, key.low);
  if (kind == RowKind::recent) put_be(out, static_cast<uint8_t>(recent));
  return out;
}

std::string& add_row(std::vector<engine::Operation>& out, std::string key) {
  out.push_back({engine::Operation::Kind::put, engine::Space::published, std::move(key), {}});
  put_be(out.back().value, kVersion);
  return out.back().value;
}

// How far a producer is; its last number is 0 when its epoch is over.
void add_progress_row(std::vector<engine::Operation>& out, const Hash128& key, uint32_t epoch, const Progress& progress) {
  std::string& value = add_row(out, row_key(RowKind::producer, key));
  put_be(value, epoch);
  put_be(value, progress.last());
  put_be(value, static_cast<uint32_t>(progress.gaps()));
  for (const auto& [first, last] : progress.missing()) {
    put_be(value, first);
    put_be(value, last);
  }
}

void erase_recent_rows(const Hash128& key, std::size_t count, std::vector<engine::Operation>& out) {
  for (std::size_t i = 0; i < count; ++i) {
    out.push_back({engine::Operation::Kind::erase, engine::Space::published, row_key(RowKind::recent, key, i), {}});
  }
}

void put_place(std::string& out, const Published::Place& place) {
  put_be(out, static_cast<uint32_t>(place ? place->first : kNowhere));
  put_be(out, place ? place->second : 0);
}

Published::Place read_place(WireReader& in) {
  const auto log = static_cast<LogId>(in.be<uint32_t>());
  const auto offset = in.be<uint64_t>();
  if (log == kNowhere) return std::nullopt;
  return std::pair(log, offset);
}

}  // namespace

PublishMarkRef mark_of(const PublishKey& key, std::string_view space, std::string_view principal, const Message& message) {
  auto mark = std::make_unique<PublishMark>();
  mark->is_producer = key.id.empty();
  std::string scope;
  for (const std::string_view part : {space, principal, std::string_view(message.topic), std::string_view(mark->is_producer ? key.producer : key.id)}) {
    put_text(scope, part);
  }
  put_be(scope, static_cast<uint8_t>(mark->is_producer ? 1 : 0));
  mark->key = hash128(scope);
  std::string content = message.payload;
  if (message.extras) {
    put_text(content, message.extras->content_type);
    for (const Header& header : message.extras->headers) {
      put_text(content, header.first);
      put_text(content, header.second);
    }
  }
  if (message.retain) put_text(content, "retain");
  mark->content = hash64(content);
  mark->epoch = key.epoch;
  mark->sequence = key.sequence;
  return PublishMarkRef(mark.release());
}

void Published::count(std::size_t added, std::size_t removed) {
  bytes_ = bytes_ + added - removed;
  counters_.published_keys_bytes.add(added - removed);  // modulo 2^64
}

Published::Verdict Published::judge(const PublishMark& mark, int64_t now_ms) {
  shrink(now_ms);
  return mark.is_producer ? judge_producer(mark) : judge_id(mark, now_ms);
}

Published::Verdict Published::judge_id(const PublishMark& mark, int64_t now_ms) {
  const auto [at, fresh] = ids_.try_emplace(mark.key);
  if (!fresh) return at->second.content == mark.content ? Verdict::repeated : Verdict::conflict;
  at->second.content = mark.content;
  at->second.published_ms = now_ms;
  in_order_.push_back(mark.key);
  count(kIdBytes, 0);
  return Verdict::fresh;
}

Published::Producer& Published::add_producer(const Hash128& key) {
  Producer& producer = producers_[key];
  producer.used = by_use_.insert(by_use_.end(), key);
  count(kProducerBytes, 0);
  return producer;
}

Published::Verdict Published::judge_producer(const PublishMark& mark) {
  const auto found = producers_.find(mark.key);
  if (found == producers_.end() || mark.epoch > found->second.epoch) {
    if (mark.sequence != 1) return Verdict::unknown_producer;
    Producer& begun = found == producers_.end() ? add_producer(mark.key) : found->second;
    begun.epoch = mark.epoch;
    begun.taken = {};
    begun.recent = {};
  } else if (mark.epoch < found->second.epoch || is_over(found->second.taken)) {
    return Verdict::unknown_producer;
  }
  Producer& producer = producers_.find(mark.key)->second;
  by_use_.splice(by_use_.end(), by_use_, producer.used);
  Recent& recent = producer.recent[mark.sequence % kRecent];
  if (producer.taken.has(mark.sequence)) {
    return recent.sequence == mark.sequence && recent.content != mark.content ? Verdict::conflict : Verdict::repeated;
  }
  producer.taken.add(mark.sequence);
  if (drop_if_patchy(producer)) return Verdict::unknown_producer;
  if (mark.sequence >= recent.sequence) recent = {mark.sequence, mark.content, false, {}};
  return Verdict::fresh;
}

void Published::settle(const PublishMark& mark, Place place, bool stored) {
  if (!mark.is_producer) {
    const auto at = ids_.find(mark.key);
    if (at == ids_.end()) return;
    at->second.settled = true;
    at->second.stored = stored;
    at->second.place = place;
    return;
  }
  const auto at = producers_.find(mark.key);
  if (at == producers_.end() || at->second.epoch != mark.epoch || is_over(at->second.taken)) return;
  at->second.stored = at->second.stored || stored;
  // What no row tells of is settled all the same: rows that follow leave no gap for it.
  if (!stored) note_written(mark.epoch, mark.sequence, at->second.written_epoch, at->second.written);
  Recent& recent = at->second.recent[mark.sequence % kRecent];
  if (recent.sequence != mark.sequence) return;
  recent.settled = true;
  recent.place = place;
}

void Published::forget(const PublishMark& mark) {
  if (!mark.is_producer) {
    if (ids_.erase(mark.key) == 0) return;
    count(0, kIdBytes);
    const auto place = std::find(in_order_.rbegin(), in_order_.rend(), mark.key);
    if (place != in_order_.rend()) in_order_.erase(std::next(place).base());
    return;
  }
  const auto at = producers_.find(mark.key);
  if (at == producers_.end() || at->second.epoch != mark.epoch) return;
  Producer& producer = at->second;
  Recent& recent = producer.recent[mark.sequence % kRecent];
  if (recent.sequence == mark.sequence) recent = {};
  producer.taken.remove(mark.sequence);
  if (producer.written_epoch == mark.epoch) producer.written.remove(mark.sequence);
  drop_if_patchy(producer);
}

void Published::not_written(const PublishMark& mark) {
  const auto at = mark.is_producer ? producers_.find(mark.key) : producers_.end();
  if (at != producers_.end() && at->second.written_epoch == mark.epoch) at->second.written.remove(mark.sequence);
}

// What is repeated could not be told from what is new: it has to begin again, in another epoch.
bool Published::drop_if_patchy(Producer& producer) {
  if (producer.taken.gaps() <= kGapsMax) return false;
  producer.taken = producer.written = {};
  producer.written_epoch = producer.epoch;
  producer.recent = {};
  producer.stored = true;
  erase_recent_rows(*producer.used, kRecent, erasures_);
  add_progress_row(erasures_, *producer.used, producer.epoch, producer.written);
  return true;
}

const Published::Place* Published::find(const PublishMark& mark) const {
  static const Place nowhere;
  if (!mark.is_producer) {
    const auto at = ids_.find(mark.key);
    return at == ids_.end() || !at->second.settled ? nullptr : &at->second.place;
  }
  const auto at = producers_.find(mark.key);
  if (at == producers_.end() || at->second.epoch != mark.epoch || !at->second.taken.has(mark.sequence)) return nullptr;
  const Recent& recent = at->second.recent[mark.sequence % kRecent];
  if (recent.sequence != mark.sequence) return &nowhere;
  return recent.settled ? &recent.place : nullptr;
}

bool Published::knows(const PublishMark& mark) const {
  if (!mark.is_producer) return true;
  const auto at = producers_.find(mark.key);
  return at != producers_.end() && at->second.epoch == mark.epoch && !is_over(at->second.taken);
}

// ---- what is stored ----

namespace {

std::string& add_message_row(std::vector<engine::Operation>& out, std::string key, uint64_t content, const Published::Place& place, int64_t now_ms) {
  std::string& value = add_row(out, std::move(key));
  put_be(value, content);
  put_place(value, place);
  put_be(value, static_cast<uint64_t>(now_ms));
  return value;
}

}  // namespace

std::vector<engine::Operation> Published::rows(const PublishMark& mark, Place place, int64_t now_ms) {
  std::vector<engine::Operation> out;
  if (mark.is_producer) {
    add_producer_rows(mark, place, now_ms, out);
  } else {
    add_message_row(out, row_key(RowKind::id, mark.key), mark.content, place, now_ms);
  }
  return out;
}

void Published::add_producer_rows(const PublishMark& mark, Place place, int64_t now_ms, std::vector<engine::Operation>& out) {
  const auto at = producers_.find(mark.key);
  if (at == producers_.end() || mark.epoch < at->second.written_epoch) return;  // forgotten meanwhile
  Producer& producer = at->second;
  if (producer.epoch == mark.epoch && is_over(producer.taken)) return;
  note_written(mark.epoch, mark.sequence, producer.written_epoch, producer.written);
  const std::size_t slot = mark.sequence % kRecent;
  if (producer.epoch == mark.epoch && producer.recent[slot].sequence == mark.sequence) {  // else a later one has taken its place
    std::string& value = add_message_row(out, row_key(RowKind::recent, mark.key, slot), mark.content, place, now_ms);
    put_be(value, mark.epoch);
    put_be(value, mark.sequence);
  }
  add_progress_row(out, mark.key, mark.epoch, producer.written);
}

std::vector<engine::Operation> Published::take_erasures() { return std::exchange(erasures_, {}); }

void Published::put_back(std::vector<engine::Operation> erasures) {
  erasures_.insert(erasures_.begin(), std::make_move_iterator(erasures.begin()), std::make_move_iterator(erasures.end()));
}

void Published::shrink(int64_t now_ms) {
  while (!in_order_.empty()) {
    const auto oldest = ids_.find(in_order_.front());
    if (oldest != ids_.end() && !oldest->second.settled) break;  // on its way
    const bool too_old = oldest == ids_.end() || oldest->second.published_ms + options_.published_horizon_ms <= now_ms;
    const bool no_room = bytes_ > bytes_max();
    if (!too_old && !no_room) break;
    if (!too_old) counters_.published_keys_cut.add();
    drop_oldest_id();
  }
  while (bytes_ > bytes_max() && by_use_.size() > 1) {
    counters_.published_keys_cut.add();
    drop_idle_producer();
  }
}

void Published::drop_oldest_id() {
  const auto at = ids_.find(in_order_.front());
  if (at != ids_.end()) {
    if (at->second.stored) {
      erasures_.push_back({engine::Operation::Kind::erase, engine::Space::published, row_key(RowKind::id, at->first), {}});
    }
    ids_.erase(at);
    count(0, kIdBytes);
  }
  in_order_.pop_front();
}

void Published::drop_idle_producer() {
  const auto at = producers_.find(by_use_.front());
  if (at->second.stored) {
    erase_recent_rows(at->first, kRecent, erasures_);
    erasures_.push_back({engine::Operation::Kind::erase, engine::Space::published, row_key(RowKind::producer, at->first), {}});
  }
  producers_.erase(at);
  by_use_.pop_front();
  count(0, kProducerBytes);
}

Status Published::load(const std::vector<engine::KeyValue>& rows) {
  for (const engine::KeyValue& entry : rows) {
    WireReader key(entry.key);
    const auto kind = static_cast<RowKind>(key.be<uint8_t>());
    Hash128 hash;
    hash.high = key.be<uint64_t>();
    hash.low = key.be<uint64_t>();
    Status read = fail("a row of an unknown kind");
    if (kind == RowKind::id) read = load_id(hash, entry.value);
    if (kind == RowKind::recent) read = load_recent(hash, entry.value);
    if (kind == RowKind::producer) read = load_producer(hash, entry.value);
    if (!read) return fail_with("what was published before cannot be read: " + read.error().reason);
  }
  std::sort(in_order_.begin(), in_order_.end(), [&](const Hash128& a, const Hash128& b) {
    return ids_.at(a).published_ms < ids_.at(b).published_ms;
  });
  return Unit{};
}

Status Published::load_id(const Hash128& key, std::string_view value) {
  WireReader in(value);
  const auto version = in.be<uint8_t>();
  if (version == 0 || version > kVersion) return fail("an unknown version");
  Id id;
  id.content = in.be<uint64_t>();
  id.place = read_place(in);
  id.published_ms = static_cast<int64_t>(in.be<uint64_t>());
  id.settled = id.stored = true;
  if (!in.done()) return fail("cut short or too long");
  ids_[key] = id;
  in_order_.push_back(key);
  count(kIdBytes, 0);
  return Unit{};
}

Status Published::load_recent(const Hash128& key, std::string_view value) {
  WireReader in(value);
  const auto version = in.be<uint8_t>();
  if (version == 0 || version > kVersion) return fail("an unknown version");
  Recent recent;
  recent.content = in.be<uint64_t>();
  recent.place = read_place(in);
  recent.settled = true;
  in.be<uint64_t>();
  const auto epoch = in.be<uint32_t>();
  recent.sequence = in.be<uint64_t>();
  std::vector<uint64_t> refused;
  if (version == 1) {
    for (uint32_t left = in.be<uint32_t>(); left > 0 && !in.failed(); --left) refused.push_back(in.be<uint64_t>());
  }
  if (!in.done()) return fail("cut short or too long");
  const auto found = producers_.find(key);
  Producer& producer = found == producers_.end() ? add_producer(key) : found->second;
  producer.stored = true;
  if (epoch < producer.epoch) return Unit{};  // of an epoch that is over
  if (epoch > producer.epoch) {
    producer.epoch = producer.written_epoch = epoch;
    producer.taken = {};
    producer.recent = {};
  }
  producer.recent[recent.sequence % kRecent] = recent;
  if (version != 1 || recent.sequence < producer.taken.last()) return Unit{};
  producer.taken = {};
  producer.taken.restore(recent.sequence);
  for (const uint64_t sequence : refused) producer.taken.remove(sequence);
  producer.written = producer.taken;
  return Unit{};
}

// Its row comes behind those of its recent publishes.
Status Published::load_producer(const Hash128& key, std::string_view value) {
  WireReader in(value);
  if (in.be<uint8_t>() != kVersion) return fail("an unknown version");
  const auto epoch = in.be<uint32_t>();
  Progress progress;
  progress.restore(in.be<uint64_t>());
  for (uint32_t left = in.be<uint32_t>(); left > 0 && !in.failed(); --left) {
    const auto first = in.be<uint64_t>();
    progress.miss(first, in.be<uint64_t>());
  }
  if (!in.done()) return fail("cut short or too long");
  const auto found = producers_.find(key);
  Producer& producer = found == producers_.end() ? add_producer(key) : found->second;
  producer.stored = true;
  if (producer.epoch != epoch) producer.recent = {};
  producer.epoch = producer.written_epoch = epoch;
  producer.taken = progress;
  producer.written = std::move(progress);
  return Unit{};
}

}  // namespace arena::broker
