#include "broker/session/feed.h"

#include "broker/shard.h"

namespace arena::broker {

Cursor* Feed::find(PartitionId partition) {
  const auto it = cursors_.find(partition);
  return it == cursors_.end() ? nullptr : &it->second;
}

void Feed::join(PartitionId partition, uint64_t end, bool live) {
  const auto [it, fresh] = cursors_.try_emplace(partition, end);
  if (fresh && live) it->second.seam = Cursor::Seam::live;
}

void Feed::start() {
  for (auto& [partition, cursor] : cursors_) {
    if (cursor.seam == Cursor::Seam::detached) cursor.seam = Cursor::Seam::behind;
  }
}

void Feed::stop() {
  for (auto& [partition, cursor] : cursors_) {
    cursor.seam = Cursor::Seam::detached;
    cursor.reading = false;
    ++cursor.generation;
  }
}

bool Feed::admits(PartitionId partition, uint64_t offset) {
  const Cursor* cursor = find(partition);
  return cursor != nullptr && cursor->seam == Cursor::Seam::live && offset >= cursor->next();
}

void Feed::fall_behind(Shard& shard, PartitionId partition) {
  Cursor* cursor = find(partition);
  if (cursor == nullptr || cursor->seam != Cursor::Seam::live) return;
  cursor->seam = Cursor::Seam::behind;
  ++cursor->generation;
  shard.counters().seams_lost.add();
}

void Feed::read_more(Shard& shard, uint64_t reader, const Filters& filters) {
  for (auto& [partition, cursor] : cursors_) {
    if (cursor.seam != Cursor::Seam::behind || cursor.reading) continue;
    cursor.reading = true;
    shard.order_read(ReadOrder{reader, shard.core(), partition, cursor.generation, cursor.next(), filters});
  }
}

bool Feed::accept(const ReadAnswer& answer) {
  Cursor* cursor = find(answer.partition);
  return cursor != nullptr && cursor->reading && cursor->generation == answer.generation;
}

void Feed::finish(const ReadAnswer& answer) {
  Cursor* cursor = find(answer.partition);
  cursor->reading = false;
  cursor->advance(answer.next);
  if (answer.attached) cursor->seam = Cursor::Seam::live;
}

bool Feed::behind() const {
  for (const auto& [partition, cursor] : cursors_) {
    if (cursor.seam == Cursor::Seam::behind) return true;
  }
  return false;
}

void Feed::report_floors(Shard& shard, uint64_t reader) {
  for (auto& [partition, cursor] : cursors_) {
    if (cursor.reported == cursor.floor()) continue;
    cursor.reported = cursor.floor();
    shard.report_floor(partition, reader, cursor.floor());
  }
}

std::vector<std::pair<PartitionId, uint64_t>> Feed::floors() const {
  std::vector<std::pair<PartitionId, uint64_t>> out;
  for (const auto& [partition, cursor] : cursors_) out.emplace_back(partition, cursor.floor());
  return out;
}

std::vector<CursorRecord> Feed::records() const {
  std::vector<CursorRecord> out;
  for (const auto& [partition, cursor] : cursors_) {
    CursorRecord record{partition, cursor.floor(), {}};
    record.settled.assign(cursor.settled_above().begin(), cursor.settled_above().end());
    out.push_back(std::move(record));
  }
  return out;
}

void Feed::restore(const CursorRecord& record) {
  Cursor& cursor = cursors_.try_emplace(record.partition, record.floor).first->second;
  for (uint64_t offset : record.settled) cursor.restore_settled(offset);
}

}  // namespace arena::broker
