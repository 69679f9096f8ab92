#include "broker/log.h"

#include <algorithm>

#include "broker/shard.h"
#include "broker/stream/hidden.h"

namespace arena::broker {

namespace {

// How many of the offsets from `from` to below `upto` lie in them.
uint64_t overlap(const std::vector<engine::OffsetRange>& ranges, uint64_t from, uint64_t upto) {
  uint64_t count = 0;
  for (const engine::OffsetRange& range : ranges) {
    const uint64_t base = std::max(range.base, from), end = std::min(range.end, upto);
    if (base < end) count += end - base;
  }
  return count;
}

}  // namespace

Log::Log(Shard& shard, LogName name)
    : shard_(shard),
      name_(name),
      holes_(shard.store().holes(name.partition, name.log)),
      lost_(shard.store().lost(name.partition, name.log)) {
  const engine::LogBounds bounds = shard.store().bounds(name.partition, name.log);
  end_ = bounds.end;
  first_ = bounds.start;
  told_end_ = end_;
  note_bytes();
}

void Log::set_floor(uint64_t reader, uint64_t floor) {
  const auto it = readers_.find(reader);
  if (it == readers_.end() || it->second >= floor) return;
  it->second = floor;
  want_trim();
}

void Log::drop_reader(uint64_t reader) {
  if (readers_.erase(reader) != 0) want_trim();
}

void Log::hide_below(uint64_t offset) {
  const uint64_t first = std::min(offset, end_);
  if (first <= first_) return;
  first_ = first;
  want_trim();
  // The store's own start tells a restart so much, unless somebody holds it back.
  const bool held = std::any_of(readers_.begin(), readers_.end(), [&](const auto& reader) { return reader.second < first; });
  if (held) shard_.partition(name_.partition).submit({store_hidden(name_.log, first_)}, {});
}

void Log::note_first_published(uint64_t offset, int64_t published_ms) {
  if (offset != first_) return;
  first_published_at_ = offset;
  first_published_ms_ = published_ms;
}

void Log::purge() {
  first_ = end_;
  for (auto& [reader, floor] : readers_) floor = end_;
  shard_.store().trim(name_.partition, name_.log, end_);  // before anybody is told that it is done
  note_bytes();
}

void Log::drop() {
  readers_.clear();
  purge();
  shard_.partition(name_.partition).submit({forget_hidden(name_.log)}, {});
}

StreamUsage Log::usage() const {
  return {messages_between(first_, end_), shard_.store().bounds(name_.partition, name_.log).bytes};
}

uint64_t Log::messages_between(uint64_t from, uint64_t upto) const {
  return upto - std::min(from, upto) - overlap(holes_, from, upto);
}

Missing Log::missing_between(uint64_t from, uint64_t upto) const {
  const uint64_t lost = overlap(lost_, from, upto);
  return {messages_between(from, upto) + lost, lost <= engine::kLostCountKnownMax};
}

Missing Log::lost_between(uint64_t from, uint64_t upto) const {
  const uint64_t count = missing_between(from, upto).count;
  return {count, count <= engine::kLostCountKnownMax};
}

uint64_t Log::first_of_last(uint64_t count) const {
  uint64_t first = end_ - std::min(count, end_);
  for (auto hole = holes_.rbegin(); hole != holes_.rend() && first < hole->end; ++hole) {
    first -= std::min(first, hole->end - hole->base);
  }
  return first;
}

void Log::want_trim() {
  trim_wanted_ = true;
  shard_.want_tick();
}

void Log::trim() {
  trim_wanted_ = false;
  uint64_t floor = is_inbox() ? end_ : first_;
  for (const auto& [reader, at] : readers_) floor = std::min(floor, at);
  shard_.store().trim(name_.partition, name_.log, floor);
  note_bytes();
}

void Log::tick() {
  if (trim_wanted_) trim();
  if (told_end_ != end_) {
    told_end_ = end_;
    shard_.tell_end(name_, end_);
  }
}

// All logs of a kind share one budget, so each core's counter is kept current.
uint64_t Log::note_bytes() {
  const uint64_t before = noted_bytes_;
  noted_bytes_ = shard_.store().bounds(name_.partition, name_.log).bytes;
  Counter& counter = is_inbox() ? shard_.counters().inbox_bytes : shard_.counters().stream_bytes;
  counter.add(noted_bytes_ - before);  // modulo 2^64: it may shrink
  return noted_bytes_ - std::min(before, noted_bytes_);
}

}  // namespace arena::broker
