// Where the bytes of a log lie, how many from some offset on, where so many end, and when they were written.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>

namespace arena::engine {

// What is appended is joined to extents of about this size, between whose ends offsets and bytes are in proportion.
inline constexpr uint64_t kExtentBytes = 32 << 10;
// But not what was written with so many bytes to all logs between.
inline constexpr uint64_t kExtentSpanBytes = 1 << 20;

class Extents {
 public:
  // Offsets [base, end), of which none is below what was appended before. `written`: how much had been written to all logs then,
  // this included.
  void append(uint64_t base, uint64_t end, uint64_t bytes, uint64_t written);
  // When all of it was written is not known: as if it had been bit by bit, while `written` bytes were.
  void spread(uint64_t written);
  // Extents that lie wholly below `start` need not be known any more.
  void trim(uint64_t start);

  // Where the extent begins before the one that holds `offset`, or before the first above it; none: it is not known any more.
  std::optional<uint64_t> base_before(uint64_t offset) const;
  // At or above `offset`.
  uint64_t bytes_from(uint64_t offset) const { return total() - bytes_below(offset); }
  // The first offset behind at least `bytes` that begin at `offset`; at most the end of all.
  uint64_t offset_behind(uint64_t offset, uint64_t bytes) const;
  // `written` of the extent that holds `offset`, or of the first above it; none: there is none.
  std::optional<uint64_t> written_at(uint64_t offset) const;
  // Where the first extent begins that was written later; or all ends.
  uint64_t offset_written_after(uint64_t written) const;

 private:
  struct Extent {
    uint64_t base = 0;
    uint64_t end = 0;
    uint64_t before = 0;  // bytes of all extents before this one
    uint64_t written = 0;
    uint32_t bytes = 0;
    uint32_t span = 0;  // how much was written, to whichever log, after its first and until its last
  };

  uint64_t total() const { return extents_.empty() ? 0 : extents_.back().before + extents_.back().bytes; }
  uint64_t bytes_below(uint64_t offset) const;

  std::deque<Extent> extents_;
};

}  // namespace arena::engine
