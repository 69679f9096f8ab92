// The values of the index: where a log starts, its segments, and where in a segment a topic is found. Readers never
// trust what they read.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/rocksdb/keys.h"
#include "engine/rocksdb/log_state.h"

namespace arena::engine {

struct StoredStart {
  uint64_t start = 0;
  LogTail tail;  // of the log when this was written
};

std::string encode_start(const StoredStart& start);
Result<StoredStart> decode_start(std::string_view value);

// Also what was lost, and what a log jumped over: `base` to `end`.
std::string encode_segment(const Segment& segment);
Result<Segment> decode_segment(std::string_view value);

// `bases` rise and are within the segment.
std::string encode_bases(const Segment& segment, const std::vector<uint64_t>& bases);
Result<std::vector<uint64_t>> decode_bases(std::string_view value);

// Where the segment that an entry speaks of ends.
Result<uint64_t> segment_end_of(IndexKind kind, std::string_view value);

}  // namespace arena::engine
