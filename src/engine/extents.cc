#include "engine/extents.h"

#include <algorithm>
#include <cmath>
#include <iterator>

namespace arena::engine {
namespace {

// amount * part / whole, rounded up.
uint64_t share(uint64_t amount, uint64_t part, uint64_t whole) {
  return static_cast<uint64_t>(std::ceil(static_cast<double>(amount) * static_cast<double>(part) / static_cast<double>(whole)));
}

}  // namespace

void Extents::append(uint64_t base, uint64_t end, uint64_t bytes, uint64_t written) {
  if (!extents_.empty()) {
    Extent& last = extents_.back();
    const uint64_t span = last.span + written - last.written;
    if (last.end == base && last.bytes + bytes <= kExtentBytes && span <= kExtentSpanBytes) {
      last.end = end;
      last.bytes += static_cast<uint32_t>(bytes);
      last.written = written;
      last.span = static_cast<uint32_t>(span);
      return;
    }
  }
  extents_.push_back({base, end, total(), written, static_cast<uint32_t>(bytes), 0});
}

void Extents::spread(uint64_t written) {
  if (extents_.empty()) return;
  const uint64_t first = extents_.front().before, all = total() - first;
  for (Extent& one : extents_) one.written = share(written, one.before + one.bytes - first, all);
}

void Extents::trim(uint64_t start) {
  while (!extents_.empty() && extents_.front().end <= start) extents_.pop_front();
}

std::optional<uint64_t> Extents::base_before(uint64_t offset) const {
  const auto at = std::partition_point(extents_.begin(), extents_.end(), [&](const Extent& one) { return one.end <= offset; });
  return at == extents_.begin() ? std::nullopt : std::optional(std::prev(at)->base);
}

uint64_t Extents::bytes_below(uint64_t offset) const {
  const auto at = std::partition_point(extents_.begin(), extents_.end(), [&](const Extent& one) { return one.end <= offset; });
  if (at == extents_.end()) return total();
  if (offset <= at->base) return at->before;
  return at->before + share(at->bytes, offset - at->base, at->end - at->base);
}

std::optional<uint64_t> Extents::written_at(uint64_t offset) const {
  const auto at = std::partition_point(extents_.begin(), extents_.end(), [&](const Extent& one) { return one.end <= offset; });
  return at == extents_.end() ? std::nullopt : std::optional(at->written);
}

uint64_t Extents::offset_written_after(uint64_t written) const {
  const auto later = std::partition_point(extents_.begin(), extents_.end(), [&](const Extent& one) { return one.written <= written; });
  if (later != extents_.end()) return later->base;
  return extents_.empty() ? 0 : extents_.back().end;
}

uint64_t Extents::offset_behind(uint64_t offset, uint64_t bytes) const {
  const uint64_t upto = bytes_below(offset) + bytes;
  const auto at = std::partition_point(extents_.begin(), extents_.end(), [&](const Extent& one) { return one.before + one.bytes <= upto; });
  if (at == extents_.end()) return extents_.empty() ? offset : std::max(offset, extents_.back().end);
  if (upto <= at->before) return std::max(offset, at->base);
  return std::max(offset, at->base + share(at->end - at->base, upto - at->before, at->bytes));
}

}  // namespace arena::engine
