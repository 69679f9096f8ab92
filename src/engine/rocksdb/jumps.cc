#include "engine/rocksdb/jumps.h"

#include <rocksdb/db.h>
#include <rocksdb/write_batch.h>

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>

#include "base/log.h"
#include "engine/rocksdb/examination.h"
#include "engine/rocksdb/index_values.h"
#include "runtime/clock.h"

namespace arena::engine {
namespace {

std::string_view view(const rocksdb::Slice& slice) { return {slice.data(), slice.size()}; }

// Above what the other store can have given out since the copy was made. By the clock, too, so that two copies of one backup do
// not go on at the same place. Below 2^53, which all readers of JSON take, as long as the clock is.
uint64_t floor_above(LogTable& logs) {
  constexpr int64_t kPerSecondBits = 20;
  uint64_t end = 0;
  for (const LogState* log : logs.all()) end = std::max(end, log->tail().end);
  return std::max(end + kBlockSpanMax, static_cast<uint64_t>(runtime::unix_ms() / 1000) << kPerSecondBits);
}

}  // namespace

std::vector<OffsetRange> stored_jumps(Database& database, LogName name, uint64_t floor) {
  std::vector<OffsetRange> out;
  rocksdb::ReadOptions options;
  options.fill_cache = false;
  const std::unique_ptr<rocksdb::Iterator> at(database.db().NewIterator(options, database.index()));
  const std::string prefix = log_prefix(name);
  for (at->Seek(jump_key(name, 0)); at->Valid() && view(at->key()).starts_with(prefix); at->Next()) {
    if (const auto range = decode_segment(view(at->value())); range.ok()) out.push_back({range->base, range->end});
  }
  if (out.empty() && floor != 0) out.push_back({0, floor});
  return out;
}

// All jumps ended at one offset; that of the last copy is the highest.
uint64_t floor_of(const StoreFolder& folder, Database& database) {
  uint64_t floor = folder.floor().offset;
  if (floor != 0) return floor;
  for (const LogName& name : log_names(database, folder.partitions())) {
    for (const OffsetRange& jump : stored_jumps(database, name, 0)) floor = std::max(floor, jump.end);
  }
  return floor;
}

Status jump_over_what_may_have_been(Database& database, LogTable& logs, StoreFolder& folder) {
  const uint64_t floor = floor_above(logs);
  rocksdb::WriteBatch batch;
  for (LogState* log : logs.all()) {
    std::vector<OffsetRange> jumps = log->jumps();
    jumps.push_back({log->tail().end, floor});
    for (const OffsetRange& jump : jumps) {
      batch.Put(database.index(), jump_key(log->name(), jump.base), encode_segment({jump.base, jump.end, 0, 0}));
    }
    log->set_jumps(std::move(jumps));
    log->raise_over_jumps();
  }
  logs.set_floor(floor);
  if (Status written = database.write_synced(batch); !written) return written;
  log::info("engine", "the store is a copy, and goes on above what the other one may have given out", {{"offset", floor}});
  return folder.set_floor({floor, false});
}

}  // namespace arena::engine
