#include "engine/rocksdb/store_stats.h"

#include <rocksdb/db.h>

#include <algorithm>
#include <filesystem>
#include <memory>

#include "base/wire.h"
#include "engine/block.h"
#include "engine/rocksdb/examination.h"
#include "engine/rocksdb/folder.h"
#include "engine/rocksdb/recovery.h"

namespace arena::engine {
namespace {

namespace fs = std::filesystem;

void count_keys(Database& database, StoreStats& stats) {
  const auto at = std::unique_ptr<rocksdb::Iterator>(database.db().NewIterator({}, database.spaces()));
  for (at->SeekToFirst(); at->Valid(); at->Next()) {
    WireReader reader({at->key().data(), at->key().size()});
    const auto partition = reader.be<uint16_t>();
    const auto space = reader.be<uint8_t>();
    if (reader.failed() || space == 0 || space > kSpaces) continue;
    const bool counts = counts_as_key(partition, Space{space}, {at->value().data(), at->value().size()});
    for (PartitionStats& one : stats.logs) {
      if (one.partition != partition || one.log != LogId::inbox) continue;
      if (counts) ++one.keys[space - 1U];
      if (!counts && Space{space} == Space::retained) ++one.own_retained;
    }
  }
}

uint64_t lost_offsets(const LogState& log) {
  uint64_t lost = 0;
  for (auto range = log.lost_above(log.start()); range; range = log.lost_above(range->end)) {
    lost += range->end - std::max(range->base, log.start());
  }
  return lost;
}

}  // namespace

PartitionStats StoreStats::total() const {
  PartitionStats all;
  for (const PartitionStats& one : logs) {
    all.blocks += one.blocks;
    all.messages += one.messages;
    all.bytes += one.bytes;
    all.lost += one.lost;
    all.own_retained += one.own_retained;
    for (std::size_t i = 0; i < kSpaces; ++i) all.keys[i] += one.keys[i];
  }
  return all;
}

Result<StoreStats> read_stats(const std::string& path) {
  auto folder = StoreFolder::open_existing(path);
  if (!folder.ok()) return fail(folder.error());
  DatabaseOptions options;
  options.mode = DatabaseMode::inspect;
  auto opened = Database::open(folder->database_path(), options);
  if (!opened.ok()) return fail_with("cannot open " + folder->database_path() + ": " + opened.error().reason);
  Database& database = **opened;
  LogTable logs(folder->partitions(), folder->floor().offset);
  if (auto recovered = recover_logs(database, logs, folder->secret(), folder->floor().offset); !recovered.ok()) return fail(recovered.error());
  StoreStats stats;
  stats.format = folder->format();
  stats.partitions = folder->partitions();
  stats.sequence = database.sequence();
  for (const LogName& name : log_names(database, folder->partitions())) {
    const LogState& log = *logs.find(name);
    PartitionStats one;
    one.partition = name.partition;
    one.log = name.log;
    one.start = log.start();
    one.end = log.tail().end;
    one.lost = lost_offsets(log);
    const auto take = [&](uint64_t, std::string_view bytes) {
      const auto header = read_block_header(bytes);
      if (!header.ok() || header->end_offset <= one.start) return;
      ++one.blocks;
      one.messages += header->count;
      one.bytes += bytes.size();
    };
    visit_blocks(database, name, one.start, {take, [](const std::string&) {}});
    stats.logs.push_back(one);
  }
  count_keys(database, stats);
  std::error_code ignored;
  for (const auto& entry : fs::recursive_directory_iterator(path, ignored)) {
    if (entry.is_regular_file(ignored)) stats.file_bytes += entry.file_size(ignored);
  }
  return stats;
}

}  // namespace arena::engine
