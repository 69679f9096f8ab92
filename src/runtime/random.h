// Pseudo-random numbers for ids, jitter and simulation. Not for secrets.
#pragma once

#include <array>
#include <bit>
#include <cstdint>

namespace arena::runtime {

// One step of splitmix64: spreads a seed over all bits.
inline uint64_t mix64(uint64_t x) {
  x += 0x9E3779B97F4A7C15;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EB;
  return x ^ (x >> 31);
}

// xoshiro256++. The same seed gives the same numbers on every machine.
class Random {
 public:
  explicit Random(uint64_t seed) {
    for (uint64_t& word : state_) word = seed = mix64(seed);
  }

  uint64_t next() {
    const uint64_t result = std::rotl(state_[0] + state_[3], 23) + state_[0];
    const uint64_t t = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= t;
    state_[3] = std::rotl(state_[3], 45);
    return result;
  }
  // In [0, bound); 0 when bound is 0. The bias is below 2^-32 for bounds below 2^32.
  uint64_t below(uint64_t bound) { return bound == 0 ? 0 : next() % bound; }
  // In [low, high], both included.
  uint64_t between(uint64_t low, uint64_t high) { return low + below(high - low + 1); }
  bool chance_per_million(uint32_t per_million) { return below(1'000'000) < per_million; }

 private:
  std::array<uint64_t, 4> state_{};
};

}  // namespace arena::runtime
