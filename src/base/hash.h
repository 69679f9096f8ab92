// Hashing (xxHash). Unseeded results are stable for ever and may be stored; seeded ones are for tables in memory.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace arena {

uint64_t hash64(std::string_view bytes, uint64_t seed = 0);

struct Hash128 {
  uint64_t high = 0;
  uint64_t low = 0;
  friend auto operator<=>(const Hash128&, const Hash128&) = default;
};
// Wide enough that two different texts are never taken for the same.
Hash128 hash128(std::string_view bytes);
// Integrity check of stored bytes.
uint32_t checksum32(std::string_view bytes);

// For unordered maps keyed by text: takes std::string_view without making a string; seeded once per process
// (set_table_seed), so that a client cannot choose colliding names.
struct StringHash {
  using is_transparent = void;
  using is_avalanching = void;
  std::size_t operator()(std::string_view text) const { return static_cast<std::size_t>(hash64(text, seed)); }
  static inline uint64_t seed = 0;  // written once at start, before other threads exist
};

}  // namespace arena
