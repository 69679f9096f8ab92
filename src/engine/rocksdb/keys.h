// The keys of the disk engine, and the envelope around its small values. No text of a user stands in a key: names are
// hashed with the folder's secret, so that keys tell nothing once values are encrypted. The layout is in
// docs/storage-format.md.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "engine/store.h"

namespace arena::engine {

// A log's name begins every key of blocks and of the index.
inline constexpr std::size_t kLogPrefixBytes = 6;

std::string log_prefix(LogName name);
// Of a key of blocks or of the index; false if it is too short to be one.
bool read_log_name(std::string_view key, LogName& name);

// Blocks: prefix, base offset.
std::string block_key(LogName name, uint64_t base);
bool read_block_key(std::string_view key, LogName& name, uint64_t& base);

// The index: prefix, kind, and what the kind needs.
enum class IndexKind : uint8_t { start = 0, segment = 1, topic = 2, lost = 3, jump = 4 };
std::string start_key(LogName name);
std::string segment_key(LogName name, uint64_t base);
std::string topic_key(LogName name, uint64_t topic_hash, uint64_t segment_base);
std::string lost_key(LogName name, uint64_t base);
std::string jump_key(LogName name, uint64_t base);
// The kind of an index key.
bool read_index_kind(std::string_view key, LogName& name, IndexKind& kind);

// The folder's secret.
using HashKey = std::array<unsigned char, 16>;
uint64_t topic_hash(const HashKey& secret, std::string_view topic);

// Key spaces: partition, space, the sortable front of the key, a hash of the whole key. The key itself stands in the
// value. Fronts sort as keys do, so a range of keys lies within a range of fronts.
std::string space_key(const HashKey& secret, PartitionId partition, Space space, std::string_view key);
// Everything up to where the front of `key` begins, or ends.
std::string space_front(PartitionId partition, Space space, std::string_view key);
std::string space_prefix(PartitionId partition, Space space);

// Version and checksum before a small value.
std::string seal_value(std::string_view payload);
Result<std::string_view> open_value(std::string_view sealed);

}  // namespace arena::engine
