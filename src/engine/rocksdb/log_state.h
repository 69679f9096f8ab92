// What is known in memory of one log: its segments, where it starts and ends, and which topics the last segment has.
// The blocks are the truth; all of this is rebuilt from them and from the index, which is written once a segment.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "engine/extents.h"
#include "engine/rocksdb/keys.h"
#include "engine/store.h"

namespace arena::engine {

// About so many bytes of blocks share their index entries.
inline constexpr uint64_t kSegmentBytes = 1 << 20;

// No block spans more offsets. What follows a last block that cannot be read begins so far above it.
inline constexpr uint64_t kBlockSpanMax = uint64_t{1} << 32;

struct Segment {
  uint64_t base = 0;
  uint64_t end = 0;
  uint64_t bytes = 0;
  uint32_t checksum = 0;  // of its last block
};

// A block that is, or is to be, stored.
struct BlockFacts {
  uint64_t base = 0;
  uint64_t end = 0;
  uint64_t bytes = 0;
  uint32_t checksum = 0;
  std::vector<uint64_t> topics;  // hashes, each once
  uint64_t written = 0;          // bytes of blocks, of all logs, up to and with this one
};

// Topic hash -> bases of the blocks that hold it, rising.
using Postings = std::map<uint64_t, std::vector<uint64_t>>;

// Offsets that were lost to damage, as an operator was told (quarantine.h). Readers are told too.
struct LostRange {
  uint64_t base = 0;
  uint64_t end = 0;
};

struct LogTail {
  uint64_t end = 0;
  uint32_t checksum = 0;
};

// Changed by the commit thread alone, after the change is on disk; read by any.
class LogState {
 public:
  explicit LogState(LogName name) : name_(name) {}
  LogState(const LogState&) = delete;
  LogState& operator=(const LogState&) = delete;

  LogName name() const { return name_; }

  // ---- the commit thread, and recovery
  LogTail tail() const;
  void append(const BlockFacts& block);
  // Is the open segment so large that its index is to be written? Then with these entries, and close_segment().
  bool wants_closing() const;
  Segment open_segment() const;
  Postings open_postings() const;
  void close_segment();
  void trim(uint64_t new_start);
  // What recovery found in the index, before it appends the later blocks.
  void restore(uint64_t start, std::deque<Segment> closed);
  // And below which block nothing is needed any more, until the next trim.
  void set_clean_base(uint64_t base);
  void set_lost(std::vector<LostRange> lost);
  // What it jumped over (jumps.h), rising.
  void set_jumps(std::vector<OffsetRange> jumps);
  // The log goes on behind them.
  void raise_over_jumps();
  // The log went on to here, though no block is left to say so.
  void raise_tail(LogTail tail);
  // What was recovered is taken for written bit by bit, while so much was.
  void spread(uint64_t written);

  // ---- any thread
  uint64_t start() const;
  // The first range that was lost and ends above `offset`.
  std::optional<LostRange> lost_above(uint64_t offset) const;
  std::vector<OffsetRange> jumps() const;
  // What it jumped over and what was lost: rising, and none within another.
  std::vector<OffsetRange> holes() const;
  // What was lost, likewise.
  std::vector<OffsetRange> lost() const;
  // What ends here was no block.
  bool is_jump_end(uint64_t offset) const;
  // As Store tells it.
  uint64_t bytes_at(uint64_t offset) const;
  uint64_t offset_behind(uint64_t offset, uint64_t bytes) const;
  uint64_t written_at(uint64_t offset) const;
  uint64_t offset_written_after(uint64_t written) const;
  // The first segment boundary above `offset`: where reading goes on when a part cannot be read at all.
  uint64_t boundary_above(uint64_t offset) const;
  // The base of the segment that holds `offset`, or of the first above it; the log's end if there is none.
  uint64_t segment_base(uint64_t offset) const;
  // Below it blocks may be dropped, and no block reaches over it. A block or more below the start stay: by their checksum it shows
  // when the first that is wanted is missing (docs/storage-format.md).
  uint64_t clean_base() const;
  // Bases of the open segment's blocks with that topic; `open_base` is where that segment begins.
  std::vector<uint64_t> open_bases(uint64_t topic, uint64_t& open_base) const;

 private:
  const LogName name_;
  mutable std::mutex mutex_;
  std::deque<Segment> closed_;
  std::vector<LostRange> lost_;  // rising
  std::vector<OffsetRange> jumps_;
  Segment open_;
  Extents extents_;
  Postings postings_;  // of the open segment
  uint64_t start_ = 0;
  uint64_t clean_base_ = 0;
  LogTail tail_;
};

}  // namespace arena::engine
