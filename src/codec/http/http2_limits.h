// What one HTTP/2 connection may ask for and cost.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace arena::http {

struct Http2Limits {
  std::size_t head_bytes_max = 16 << 10;     // names, values and 32 for each field (RFC 9113, 6.5.2)
  std::size_t fields_max = 100;              // each crumb of a cookie is one
  std::size_t body_bytes_max = 1 << 20;
  std::size_t bodies_bytes_max = 1 << 20;    // of all its requests; then but the oldest gets more window
  std::size_t streams_max = 100;             // requests at once
  std::size_t continuations_max = 8;         // CONTINUATION frames of one head
  uint32_t resets_per_s = 20;                // streams reset by either side
  uint32_t control_frames_per_s = 100;       // frames that carry nothing of a request
  std::size_t stream_output_bytes_max = 64 << 10;
};

// So many a second on average, and at once what ten seconds bring.
class Http2Allowance {
 public:
  static constexpr int64_t kSeconds = 10;

  explicit Http2Allowance(uint32_t per_s) : per_s_(per_s), left_(full()) {}

  // False: it is used up.
  bool take(int64_t now_ms) {
    if (since_ms_ != 0) give_parts((now_ms - since_ms_) * per_s_);
    since_ms_ = now_ms;
    left_ -= kParts;
    return left_ >= 0;
  }
  void give(int64_t count) { give_parts(count * kParts); }

 private:
  static constexpr int64_t kParts = 1000;
  int64_t full() const { return int64_t{per_s_} * kSeconds * kParts; }
  void give_parts(int64_t parts) { left_ = std::min(left_ + parts, full()); }

  const uint32_t per_s_;
  int64_t left_;
  int64_t since_ms_ = 0;
};

}  // namespace arena::http
