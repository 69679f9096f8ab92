#include "engine/rocksdb/log_state.h"

#include <algorithm>
#include <utility>

namespace arena::engine {
namespace {

// Rising, and none within or beside another.
std::vector<OffsetRange> joined(std::vector<OffsetRange> ranges) {
  std::sort(ranges.begin(), ranges.end(), [](const OffsetRange& a, const OffsetRange& b) { return a.base < b.base; });
  std::vector<OffsetRange> out;
  for (const OffsetRange& range : ranges) {
    if (!out.empty() && range.base <= out.back().end) {
      out.back().end = std::max(out.back().end, range.end);
    } else {
      out.push_back(range);
    }
  }
  return out;
}

}  // namespace

LogTail LogState::tail() const {
  const std::lock_guard lock(mutex_);
  return tail_;
}

void LogState::append(const BlockFacts& block) {
  const std::lock_guard lock(mutex_);
  if (open_.bytes == 0) open_.base = block.base;
  open_.end = block.end;
  open_.bytes += block.bytes;
  open_.checksum = block.checksum;
  extents_.append(block.base, block.end, block.bytes, block.written);
  tail_ = {block.end, block.checksum};
  for (const uint64_t topic : block.topics) postings_[topic].push_back(block.base);
}

bool LogState::wants_closing() const {
  const std::lock_guard lock(mutex_);
  return open_.bytes >= kSegmentBytes;
}

Segment LogState::open_segment() const {
  const std::lock_guard lock(mutex_);
  return open_;
}

Postings LogState::open_postings() const {
  const std::lock_guard lock(mutex_);
  return postings_;
}

void LogState::close_segment() {
  const std::lock_guard lock(mutex_);
  if (open_.bytes == 0) return;
  closed_.push_back(open_);
  open_ = {};
  postings_.clear();
}

void LogState::trim(uint64_t new_start) {
  const std::lock_guard lock(mutex_);
  start_ = std::max(start_, std::min(new_start, tail_.end));
  while (!closed_.empty() && closed_.front().end <= start_) closed_.pop_front();
  if (open_.bytes != 0 && open_.end <= start_) {
    open_ = {};
    postings_.clear();
  }
  if (start_ == tail_.end) {
    clean_base_ = start_;  // the start's entry has the checksum of the last block
  } else {
    clean_base_ = extents_.base_before(start_).value_or(clean_base_);
  }
  extents_.trim(start_);
}

void LogState::restore(uint64_t start, std::deque<Segment> closed) {
  const std::lock_guard lock(mutex_);
  start_ = start;
  tail_ = {};
  closed_ = std::move(closed);
  for (const Segment& segment : closed_) {
    extents_.append(segment.base, segment.end, segment.bytes, 0);
    tail_ = {segment.end, segment.checksum};
  }
}

void LogState::set_clean_base(uint64_t base) {
  const std::lock_guard lock(mutex_);
  clean_base_ = base;
}

void LogState::set_lost(std::vector<LostRange> lost) {
  const std::lock_guard lock(mutex_);
  lost_ = std::move(lost);
}

void LogState::set_jumps(std::vector<OffsetRange> jumps) {
  const std::lock_guard lock(mutex_);
  jumps_ = std::move(jumps);
}

// The next block follows the last one for all that: its checksum stays.
void LogState::raise_over_jumps() {
  const std::lock_guard lock(mutex_);
  for (const OffsetRange& jump : jumps_) tail_.end = std::max(tail_.end, jump.end);
}

std::vector<OffsetRange> LogState::jumps() const {
  const std::lock_guard lock(mutex_);
  return jumps_;
}

std::vector<OffsetRange> LogState::holes() const {
  std::vector<OffsetRange> all = lost();
  const std::vector<OffsetRange> jumped = jumps();
  all.insert(all.end(), jumped.begin(), jumped.end());
  return joined(std::move(all));
}

std::vector<OffsetRange> LogState::lost() const {
  std::vector<OffsetRange> all;
  {
    const std::lock_guard lock(mutex_);
    for (const LostRange& range : lost_) all.push_back({range.base, range.end});
  }
  return joined(std::move(all));
}

bool LogState::is_jump_end(uint64_t offset) const {
  const std::lock_guard lock(mutex_);
  return std::any_of(jumps_.begin(), jumps_.end(), [&](const OffsetRange& jump) { return jump.end == offset; });
}

std::optional<LostRange> LogState::lost_above(uint64_t offset) const {
  const std::lock_guard lock(mutex_);
  for (const LostRange& range : lost_) {
    if (range.end > offset) return range;
  }
  return std::nullopt;
}

void LogState::raise_tail(LogTail tail) {
  const std::lock_guard lock(mutex_);
  if (tail.end > tail_.end) tail_ = tail;
}

void LogState::spread(uint64_t written) {
  const std::lock_guard lock(mutex_);
  extents_.spread(written);
}

uint64_t LogState::start() const {
  const std::lock_guard lock(mutex_);
  return start_;
}

uint64_t LogState::bytes_at(uint64_t offset) const {
  const std::lock_guard lock(mutex_);
  return extents_.bytes_from(offset);
}

uint64_t LogState::offset_behind(uint64_t offset, uint64_t bytes) const {
  const std::lock_guard lock(mutex_);
  return extents_.offset_behind(offset, bytes);
}

uint64_t LogState::written_at(uint64_t offset) const {
  const std::lock_guard lock(mutex_);
  return extents_.written_at(offset).value_or(0);
}

uint64_t LogState::offset_written_after(uint64_t written) const {
  const std::lock_guard lock(mutex_);
  return extents_.offset_written_after(written);
}

uint64_t LogState::boundary_above(uint64_t offset) const {
  const std::lock_guard lock(mutex_);
  for (const Segment& segment : closed_) {
    if (segment.end > offset) return segment.end;
  }
  return tail_.end;
}

uint64_t LogState::segment_base(uint64_t offset) const {
  const std::lock_guard lock(mutex_);
  const auto at = std::partition_point(closed_.begin(), closed_.end(), [&](const Segment& one) { return one.end <= offset; });
  if (at != closed_.end()) return at->base;
  return open_.bytes == 0 ? tail_.end : open_.base;
}

uint64_t LogState::clean_base() const {
  const std::lock_guard lock(mutex_);
  return clean_base_;
}

std::vector<uint64_t> LogState::open_bases(uint64_t topic, uint64_t& open_base) const {
  const std::lock_guard lock(mutex_);
  open_base = open_.bytes == 0 ? tail_.end : open_.base;
  const auto at = postings_.find(topic);
  return at == postings_.end() ? std::vector<uint64_t>() : at->second;
}

}  // namespace arena::engine
