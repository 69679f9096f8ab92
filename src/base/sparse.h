// Hash tables that have become mostly empty.
#pragma once

#include <cstddef>

namespace arena {

// Gives the memory of a large table back when an eighth of it is in use. Moves elements: what points into it is gone.
template <typename Table>
void shrink_if_sparse(Table& table) {
  constexpr std::size_t kWorthIt = 1024;  // buckets
  if (table.bucket_count() > kWorthIt && table.size() * 8 < table.bucket_count()) table.rehash(0);
}

}  // namespace arena
