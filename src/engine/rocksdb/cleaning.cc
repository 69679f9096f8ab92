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

using Decision = rocksdb::CompactionFilter::Decision;

// Keeps what it does not understand: damage is for readers to report. A start is where a block begins, so that all keys below it go
// at once, and are not even read.
Decision judge_block(const Starts& starts, std::string_view key, std::string_view value, std::string& skip_until) {
  LogName name;
  uint64_t base = 0;
  if (!read_block_key(key, name, base)) return Decision::kKeep;
  const auto start = starts.find(name);
  if (start == starts.end() || base >= start->second) return Decision::kKeep;
  const auto header = read_block_header(value);
  if (header.ok() && header->end_offset > start->second) return Decision::kKeep;
  skip_until = block_key(name, start->second);
  return Decision::kRemoveAndSkipUntil;
}

bool count_is_known(std::string_view lost) {
  const auto range = decode_segment(lost);
  return !range.ok() || range->end - range->base <= kLostCountKnownMax;
}

Decision judge_entry(const Starts& starts, std::string_view key, std::string_view value, std::string&) {
  LogName name;
  IndexKind kind{};
  if (!read_index_kind(key, name, kind) || kind == IndexKind::start) return Decision::kKeep;
  if (kind == IndexKind::jump) return Decision::kKeep;  // what is below it is not counted as missing, whoever asks for it
  if (kind == IndexKind::lost && !count_is_known(value)) return Decision::kKeep;  // nor is this, as nobody can
  const auto start = starts.find(name);
  if (start == starts.end()) return Decision::kKeep;
  const auto end = segment_end_of(kind, value);
  return end.ok() && *end <= start->second ? Decision::kRemove : Decision::kKeep;
}

// One per compaction, with the starts as they were when it began.
class Cleaning final : public rocksdb::CompactionFilter {
 public:
  using Judge = Decision (*)(const Starts&, std::string_view key, std::string_view value, std::string& skip_until);
  Cleaning(Starts starts, Judge judge) : starts_(std::move(starts)), judge_(judge) {}

  Decision FilterV2(int, const rocksdb::Slice& key, ValueType type, const rocksdb::Slice& value, std::string*,
                    std::string* skip_until) const override {
    return type == ValueType::kValue ? judge_(starts_, view(key), view(value), *skip_until) : Decision::kKeep;
  }
  const char* Name() const override { return "arena.cleaning"; }

 private:
  Starts starts_;
  Judge judge_;
};

class CleaningFactory final : public rocksdb::CompactionFilterFactory {
 public:
  CleaningFactory(std::shared_ptr<CleanStarts> starts, Cleaning::Judge judge)
      : starts_(std::move(starts)), judge_(judge) {}

  // What is trimmed before it has left memory is never written at all.
  bool ShouldFilterTableFileCreation(rocksdb::TableFileCreationReason reason) const override {
    return reason == rocksdb::TableFileCreationReason::kCompaction || reason == rocksdb::TableFileCreationReason::kFlush;
  }
  std::unique_ptr<rocksdb::CompactionFilter> CreateCompactionFilter(const rocksdb::CompactionFilter::Context&) override {
    return std::make_unique<Cleaning>(starts_->snapshot(), judge_);
  }
  const char* Name() const override { return "arena.cleaning"; }

 private:
  std::shared_ptr<CleanStarts> starts_;
  Cleaning::Judge judge_;
};

}  // namespace

std::shared_ptr<rocksdb::CompactionFilterFactory> make_block_cleaning(std::shared_ptr<CleanStarts> starts) {
  return std::make_shared<CleaningFactory>(std::move(starts), judge_block);
}

std::shared_ptr<rocksdb::CompactionFilterFactory> make_index_cleaning(std::shared_ptr<CleanStarts> starts) {
  return std::make_shared<CleaningFactory>(std::move(starts), judge_entry);
}

}  // namespace arena::engine
