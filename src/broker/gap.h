// Gaps: what a reader of a log has asked for and does not get, and how it is told.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "broker/types.h"

namespace arena::broker {

class Shard;

inline constexpr std::string_view kGapPrefix = "$gap/";

// How many messages are gone.
struct Missing {
  uint64_t count = 0;
  bool known = true;  // false: some, and nobody knows how many, as the end of a log was lost

  explicit operator bool() const { return count != 0; }
  Missing& operator+=(const Missing& more) {
    count += more.count;
    known = known && more.known;
    return *this;
  }
  // As far as it is known.
  uint64_t counted() const { return known || count == 0 ? count : 1; }
  // As JSON: the count, or null.
  std::string json() const { return known ? std::to_string(count) : "null"; }
};

enum class Gone : uint8_t {
  deleted,  // or hidden: beyond the stream's limits, purged
  damaged,
};

// A message under "$gap/<stream>" that says how many of one partition are gone before `next`. Null when the stream is no more.
MessageRef gap_message(Shard& shard, LogName log, uint64_t next, const Missing& missing, Gone why, Guarantee guarantee);

}  // namespace arena::broker
