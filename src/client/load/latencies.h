// Durations in buckets at most 1/32 apart: small, and exact enough for percentiles.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace arena::client {

class Latencies {
 public:
  void add(int64_t ns) {
    const auto value = static_cast<uint64_t>(std::max<int64_t>(ns, 0));
    ++buckets_[bucket_of(value)];
    ++count_;
    max_ns_ = std::max(max_ns_, value);
  }
  uint64_t count() const { return count_; }
  double max_us() const { return static_cast<double>(max_ns_) / 1000; }
  // The upper end of the bucket that holds the share's last value, never above the largest seen.
  double percentile_us(double share) const {
    const auto rank = static_cast<uint64_t>(share * static_cast<double>(count_));
    uint64_t seen = 0;
    for (std::size_t i = 0; i < buckets_.size(); ++i) {
      seen += buckets_[i];
      if (seen > rank) return static_cast<double>(std::min(upper_end(i), max_ns_)) / 1000;
    }
    return max_us();
  }

 private:
  static constexpr unsigned kBits = 5;
  static constexpr std::size_t kSteps = 1u << kBits;

  static std::size_t bucket_of(uint64_t value) {
    if (value < kSteps) return static_cast<std::size_t>(value);
    const auto shift = static_cast<unsigned>(std::bit_width(value)) - kBits - 1;
    return shift * kSteps + static_cast<std::size_t>(value >> shift);
  }
  static uint64_t upper_end(std::size_t bucket) {
    if (bucket < 2 * kSteps) return bucket;
    const std::size_t shift = bucket / kSteps - 1;
    return ((static_cast<uint64_t>(bucket - shift * kSteps) + 1) << shift) - 1;
  }

  std::array<uint64_t, (64 - kBits + 1) * kSteps> buckets_{};
  uint64_t count_ = 0;
  uint64_t max_ns_ = 0;
};

}  // namespace arena::client
