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

void Extents::append(uint64_t base, uint64_t end, uint64_t bytes) {
  if (!extents_.empty()) {
    Extent& last = extents_.back();
    if (last.end == base && last.bytes + bytes <= kExtentBytes) {
      last.end = end;
      last.bytes += bytes;
      return;
    }
  }
  extents_.push_back({base, end, total(), bytes});
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

uint64_t Extents::offset_behind(uint64_t offset, uint64_t bytes) const {
  const uint64_t upto = bytes_below(offset) + bytes;
  const auto at = std::partition_point(extents_.begin(), extents_.end(), [&](const Extent& one) { return one.before + one.bytes <= upto; });
  if (at == extents_.end()) return extents_.empty() ? offset : std::max(offset, extents_.back().end);
  if (upto <= at->before) return std::max(offset, at->base);
  return std::max(offset, at->base + share(at->end - at->base, upto - at->before, at->bytes));
}

}  // namespace arena::engine
