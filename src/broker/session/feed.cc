#include "broker/session/feed.h"

#include "broker/shard.h"

namespace arena::broker {

Cursor* Feed::find(LogName log) {
  const auto it = cursors_.find(log);
  return it == cursors_.end() ? nullptr : &it->second;
}

void Feed::join(LogName log, uint64_t end, bool live) {
  const auto [it, fresh] = cursors_.try_emplace(log, end);
  if (fresh && live) it->second.seam = Cursor::Seam::live;
}

void Feed::start() {
  for (auto& [log, cursor] : cursors_) {
    if (cursor.seam == Cursor::Seam::detached) cursor.seam = Cursor::Seam::behind;
  }
}

void Feed::stop() {
  for (auto& [log, cursor] : cursors_) {
    cursor.seam = Cursor::Seam::detached;
    cursor.reading = false;
    ++cursor.generation;
  }
}

void Feed::join_new(LogName log) {
  const Cursor* inbox = find({log.partition, LogId::inbox});
  const auto [it, fresh] = cursors_.try_emplace(log, 0);
  if (!fresh || inbox == nullptr || inbox->seam == Cursor::Seam::detached) return;
  it->second.seam = inbox->seam;
}

void Feed::leave(LogId log) {
  std::vector<LogName> left;
  for (const auto& [name, cursor] : cursors_) {
    if (name.log == log) left.push_back(name);
  }
  for (const LogName name : left) cursors_.erase(name);
}

// A topic's messages that came before the stream took it over lie in $inbox, and go first.
bool Feed::entered(const Shard& shard, LogName log) const {
  if (log.log == LogId::inbox) return true;
  const auto inbox = cursors_.find(LogName{log.partition, LogId::inbox});
  if (inbox == cursors_.end() || inbox->second.seam == Cursor::Seam::live) return true;
  const Stream* stream = shard.streams().find(log.log);
  // One that this core has not been told of is being added: what of its topics lies in $inbox is not known yet, either.
  return stream != nullptr && log.partition < stream->taken_over.size() && inbox->second.next() >= stream->taken_over[log.partition];
}

bool Feed::admits(Shard& shard, LogName log, uint64_t offset) {
  const Cursor* cursor = find(log);
  if (cursor == nullptr || cursor->seam != Cursor::Seam::live || offset < cursor->next()) return false;
  if (entered(shard, log)) return true;
  fall_behind(shard, log);
  return false;
}

void Feed::fall_behind(Shard& shard, LogName log) {
  Cursor* cursor = find(log);
  if (cursor == nullptr || cursor->seam != Cursor::Seam::live) return;
  cursor->seam = Cursor::Seam::behind;
  ++cursor->generation;
  shard.counters().seams_lost.add();
}

void join_stream(Subscription& subscription, Feed& feed, const Stream& stream, std::vector<LogName>& joined) {
  if (!subscription.durable || !stream.reaches(subscription.request.filter)) return;
  std::vector<LogName> fresh;
  for (const auto& [log, offset] : subscription.born) {
    const LogName name{log.partition, stream.log};
    if (log.log == LogId::inbox && !subscription.is_known(name)) fresh.push_back(name);
  }
  for (const LogName name : fresh) {
    subscription.born.push_back({name, 0});
    feed.join_new(name);
    joined.push_back(name);
  }
}

void leave_stream(Subscription& subscription, const Stream& stream) {
  Ring<std::pair<LogName, uint64_t>> kept;
  for (const auto& place : subscription.born) {
    if (place.first.log != stream.log) kept.push_back(place);
  }
  subscription.born = std::move(kept);
}

void Feed::read_more(Shard& shard, uint64_t reader, const Filters& filters, bool replay) {
  for (auto& [log, cursor] : cursors_) {
    if (cursor.seam != Cursor::Seam::behind || cursor.reading || !entered(shard, log)) continue;
    cursor.reading = true;
    shard.order_read(ReadOrder{reader, shard.core(), log, cursor.generation, cursor.next(), filters, replay});
  }
}

bool Feed::accept(const ReadAnswer& answer) {
  Cursor* cursor = find(answer.log);
  return cursor != nullptr && cursor->reading && cursor->generation == answer.generation;
}

void Feed::finish(const ReadAnswer& answer) {
  Cursor* cursor = find(answer.log);
  cursor->reading = false;
  cursor->advance(answer.next);
  if (answer.attached) cursor->seam = Cursor::Seam::live;
}

bool Feed::behind() const {
  for (const auto& [log, cursor] : cursors_) {
    if (cursor.seam == Cursor::Seam::behind) return true;
  }
  return false;
}

void Feed::report_floors(Shard& shard, uint64_t reader) {
  for (auto& [log, cursor] : cursors_) {
    if (cursor.reported == cursor.floor()) continue;
    cursor.reported = cursor.floor();
    shard.report_floor(log, reader, cursor.floor());
  }
}

Places Feed::floors() const {
  Places out;
  for (const auto& [log, cursor] : cursors_) out.emplace_back(log, cursor.floor());
  return out;
}

std::vector<CursorRecord> Feed::records() const {
  std::vector<CursorRecord> out;
  for (const auto& [log, cursor] : cursors_) {
    CursorRecord record{log, cursor.floor(), {}};
    record.settled.assign(cursor.settled_above().begin(), cursor.settled_above().end());
    out.push_back(std::move(record));
  }
  return out;
}

void Feed::restore(const CursorRecord& record) {
  Cursor& cursor = cursors_.try_emplace(record.log, record.floor).first->second;
  for (uint64_t offset : record.settled) cursor.restore_settled(offset);
}

}  // namespace arena::broker
