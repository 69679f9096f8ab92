#include "engine/rocksdb/cleaning.h"

#include <rocksdb/compaction_filter.h>

#include <map>
#include <utility>

#include "base/wire.h"
#include "engine/block.h"
#include "engine/rocksdb/database.h"
#include "engine/rocksdb/index_values.h"

namespace arena::engine {
namespace {

using Starts = std::map<LogName, uint64_t>;

std::string_view view(const rocksdb::Slice& slice) { return {slice.data(), slice.size()}; }

// Keeps what it does not understand: damage is for readers to report.
bool block_is_below(const Starts& starts, std::string_view key, std::string_view value) {
  LogName name;
  uint64_t base = 0;
  if (!read_block_key(key, name, base)) return false;
  const auto start = starts.find(name);
  if (start == starts.end() || base >= start->second) return false;
  const auto header = read_block_header(value);
  return !header.ok() || header->end_offset <= start->second;
}

bool entry_is_below(const Starts& starts, std::string_view key, std::string_view value) {
  LogName name;
  IndexKind kind{};
  if (!read_index_kind(key, name, kind) || kind == IndexKind::start) return false;
  if (kind == IndexKind::jump) return false;  // what is below it is not counted as missing, whoever asks for it
  const auto start = starts.find(name);
  if (start == starts.end()) return false;
  const auto end = segment_end_of(kind, value);
  return end.ok() && *end <= start->second;
}

// One per compaction, with the starts as they were when it began.
class Cleaning final : public rocksdb::CompactionFilter {
 public:
  using Below = bool (*)(const Starts&, std::string_view key, std::string_view value);
  Cleaning(Starts starts, Below below) : starts_(std::move(starts)), below_(below) {}

  Decision FilterV2(int, const rocksdb::Slice& key, ValueType type, const rocksdb::Slice& value, std::string*,
                    std::string*) const override {
    if (type != ValueType::kValue) return Decision::kKeep;
    return below_(starts_, view(key), view(value)) ? Decision::kRemove : Decision::kKeep;
  }
  const char* Name() const override { return "arena.cleaning"; }

 private:
  Starts starts_;
  Below below_;
};

class CleaningFactory final : public rocksdb::CompactionFilterFactory {
 public:
  CleaningFactory(std::shared_ptr<CleanStarts> starts, Cleaning::Below below)
      : starts_(std::move(starts)), below_(below) {}

  // What is trimmed before it has left memory is never written at all.
  bool ShouldFilterTableFileCreation(rocksdb::TableFileCreationReason reason) const override {
    return reason == rocksdb::TableFileCreationReason::kCompaction || reason == rocksdb::TableFileCreationReason::kFlush;
  }
  std::unique_ptr<rocksdb::CompactionFilter> CreateCompactionFilter(const rocksdb::CompactionFilter::Context&) override {
    return std::make_unique<Cleaning>(starts_->snapshot(), below_);
  }
  const char* Name() const override { return "arena.cleaning"; }

 private:
  std::shared_ptr<CleanStarts> starts_;
  Cleaning::Below below_;
};

}  // namespace

std::shared_ptr<rocksdb::CompactionFilterFactory> make_block_cleaning(std::shared_ptr<CleanStarts> starts) {
  return std::make_shared<CleaningFactory>(std::move(starts), block_is_below);
}

std::shared_ptr<rocksdb::CompactionFilterFactory> make_index_cleaning(std::shared_ptr<CleanStarts> starts) {
  return std::make_shared<CleaningFactory>(std::move(starts), entry_is_below);
}

}  // namespace arena::engine
