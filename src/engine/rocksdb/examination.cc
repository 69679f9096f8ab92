#include "engine/rocksdb/examination.h"

#include <rocksdb/convenience.h>
#include <rocksdb/db.h>
#include <rocksdb/sst_file_reader.h>
#include <rocksdb/wal_filter.h>
#include <rocksdb/write_batch.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <set>
#include <utility>

#include "engine/rocksdb/file_copy.h"
#include "engine/rocksdb/full_disk.h"
#include "engine/rocksdb/index_values.h"
#include "engine/rocksdb/log_mending.h"
#include "engine/rocksdb/table_salvage.h"

namespace arena::engine {
namespace {

namespace fs = std::filesystem;

std::string_view view(const rocksdb::Slice& slice) { return {slice.data(), slice.size()}; }

std::unique_ptr<rocksdb::Iterator> iterate(Database& database, rocksdb::ColumnFamilyHandle* family) {
  rocksdb::ReadOptions options;
  options.fill_cache = false;
  return std::unique_ptr<rocksdb::Iterator>(database.db().NewIterator(options, family));
}

std::string family_of_table(const std::string& path) {
  rocksdb::SstFileReader reader{rocksdb::Options()};
  if (!reader.Open(path).ok()) return {};
  const auto properties = reader.GetTableProperties();
  return properties ? properties->column_family_name : std::string();
}

// Sees which sequence numbers RocksDB's log has. A number that is missing is a write that is lost.
class LogGaps final : public rocksdb::WalFilter {
 public:
  explicit LogGaps(uint64_t manifest_sequence) : known_(manifest_sequence) {}

  WalProcessingOption LogRecordFound(unsigned long long, const std::string& file, const rocksdb::WriteBatch& batch,
                                     rocksdb::WriteBatch*, bool*) override {
    constexpr std::size_t kHeaderBytes = 12;  // little-endian: 8 bytes sequence, 4 bytes count
    const std::string& bytes = batch.Data();
    if (bytes.size() < kHeaderBytes) return WalProcessingOption::kContinueProcessing;
    uint64_t sequence = 0;
    uint32_t count = 0;
    std::memcpy(&sequence, bytes.data(), sizeof sequence);
    std::memcpy(&count, bytes.data() + sizeof sequence, sizeof count);
    const bool gap = end_ != 0 ? sequence > end_ : sequence > known_ + 1;
    if (gap) note(file, sequence - (end_ != 0 ? end_ : known_ + 1));
    end_ = std::max(end_, sequence + count);
    return WalProcessingOption::kContinueProcessing;
  }
  const char* Name() const override { return "arena.log_gaps"; }
  std::vector<Damage> take() { return std::move(damages_); }

 private:
  void note(const std::string& file, uint64_t lost) {
    damages_.push_back({"rocksdb/" + fs::path(file).filename().string(), std::nullopt, 0, 0,
                        std::to_string(lost) + " writes are missing before what can be read of it"});
  }

  uint64_t known_;
  uint64_t end_ = 0;
  std::vector<Damage> damages_;
};

std::set<std::string> table_files(const std::string& path) {
  std::set<std::string> names;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(path, ignored)) {
    if (entry.path().extension() == ".sst") names.insert(entry.path().filename().string());
  }
  return names;
}

Status verify_table(const std::string& path, const std::string& name) {
  const rocksdb::Status status = rocksdb::VerifySstFileChecksum(rocksdb::Options(), rocksdb::EnvOptions(), path + "/" + name);
  if (!status.ok()) return fail(error_of(status));
  return Unit{};
}

// `files`: those that the manifest names.
void examine_files(const std::string& path, const std::vector<rocksdb::LiveFileMetaData>& files, Health& health) {
  std::set<std::string> left = table_files(path);
  for (const rocksdb::LiveFileMetaData& file : files) {
    const std::string name = fs::path(file.name).filename().string();
    std::error_code missing;
    const uint64_t size = fs::file_size(path + "/" + name, missing);
    Status whole = verify_table(path, name);
    if (whole.ok() && !missing && size != file.size) whole = fail("it has another size than RocksDB gave it");
    const bool is_read = whole.ok();
    if (is_read && !footer_is_filled_up(path + "/" + name)) whole = fail("what fills up its footer is changed");
    if (!whole.ok()) health.files.push_back({name, file.file_number, file.column_family_name, file.smallestkey, file.largestkey, whole.error().reason, is_read});
    left.erase(name);
  }
  health.named_files = files.size();
  health.strangers = !left.empty();
  if (health.manifest_reason.empty()) return;
  for (const std::string& name : left) {
    if (Status whole = verify_table(path, name); !whole.ok()) {
      health.files.push_back({name, std::strtoull(name.c_str(), nullptr, 10), "", "", "", whole.error().reason});
    }
  }
}

Status copy_or_link(const fs::path& from, const std::string& to) {
  if (from.extension() == ".sst") {
    std::error_code error;
    fs::create_hard_link(from, to, error);
    if (!error) return Unit{};
  }
  return copy_file(from.string(), to);
}

DatabaseOptions salvage() {
  DatabaseOptions options;
  options.mode = DatabaseMode::salvage;
  return options;
}

// Returns the files that the manifest names, and RocksDB's sequence without its log.
Status read_manifest(const std::string& path, std::vector<rocksdb::LiveFileMetaData>& files, uint64_t& sequence) {
  auto scratch = Scratch::make(path, false);
  if (!scratch.ok()) return fail(scratch.error());
  auto opened = Database::open(scratch->path(), salvage());
  if (!opened.ok()) return fail(opened.error());
  (*opened)->db().GetLiveFilesMetaData(&files);
  sequence = (*opened)->sequence();
  return Unit{};
}

Status open_with_log(const std::string& path, uint64_t manifest_sequence, Health& health) {
  auto scratch = Scratch::make(path, true);
  if (!scratch.ok()) return fail(scratch.error());
  health.scratch = std::move(*scratch);
  LogGaps gaps(manifest_sequence);
  DatabaseOptions options = salvage();
  options.wal_filter = &gaps;
  auto opened = Database::open(health.scratch.path(), options);
  health.log_damages = gaps.take();
  for (const std::string& name : health.scratch.mended_logs()) {
    health.log_damages.push_back({"rocksdb/" + name, std::nullopt, 0, 0, "a record has another kind than it was written with"});
  }
  if (!opened.ok()) return fail(opened.error());
  health.database = std::move(*opened);
  return Unit{};
}

}  // namespace

Scratch::~Scratch() {
  std::error_code ignored;
  if (!path_.empty()) fs::remove_all(path_, ignored);
}

Result<Scratch> Scratch::make(const std::string& database, bool with_log, const std::string& to) {
  Scratch made;
  made.path_ = to.empty() ? fs::path(database).parent_path().string() + "/" + kScratchName : to;
  std::error_code error;
  fs::remove_all(made.path_, error);
  if (!fs::create_directory(made.path_, error)) return fail_with("cannot make " + made.path_ + ": " + error.message());
  for (const auto& entry : fs::directory_iterator(database, error)) {
    const std::string name = entry.path().filename().string();
    if (!entry.is_regular_file() || name == "LOCK" || name == "LOG" || name.starts_with("LOG.")) continue;
    if (!with_log && entry.path().extension() == ".log") continue;
    if (Status copied = copy_or_link(entry.path(), made.path_ + "/" + name); !copied) return fail(copied.error());
    if (entry.path().extension() == ".log" && mend_log(made.path_ + "/" + name) != 0) made.mended_logs_.push_back(name);
  }
  return made;
}

Result<Health> examine_database(const std::string& path) {
  Health health;
  DatabaseOptions strict;
  strict.mode = DatabaseMode::inspect;
  if (auto opened = Database::open(path, strict); opened.ok()) {
    health.served_sequence = (*opened)->sequence();
  } else {
    health.refused = opened.error().reason;
  }
  std::vector<rocksdb::LiveFileMetaData> files;
  uint64_t sequence = 0;
  Status read = read_manifest(path, files, sequence);
  if (read.ok()) read = open_with_log(path, sequence, health);
  if (!read.ok() && is_full_disk(read.error())) return fail(read.error());
  if (!read.ok()) health.manifest_reason = read.error().reason;
  examine_files(path, files, health);
  return Result<Health>(std::move(health));
}

std::vector<LogName> log_names(Database& database, PartitionId partitions) {
  std::set<LogName> names;
  for (PartitionId partition = 0; partition < partitions; ++partition) names.insert({partition, LogId::inbox});
  for (rocksdb::ColumnFamilyHandle* family : {database.blocks(), database.index()}) {
    const auto at = iterate(database, family);
    for (at->SeekToFirst(); at->Valid();) {
      LogName name;
      if (!read_log_name(view(at->key()), name)) break;
      names.insert(name);
      at->Seek(log_prefix(name) + std::string(17, '\xff'));
    }
  }
  return {names.begin(), names.end()};
}

std::vector<Segment> stored_segments(Database& database, LogName name) {
  std::vector<Segment> segments;
  const auto at = iterate(database, database.index());
  const std::string end = topic_key(name, 0, 0);
  for (at->Seek(segment_key(name, 0)); at->Valid() && view(at->key()) < end; at->Next()) {
    if (const auto segment = decode_segment(view(at->value())); segment.ok()) segments.push_back(*segment);
  }
  return segments;
}

std::vector<LostRange> stored_losses(Database& database, LogName name) {
  std::vector<LostRange> ranges;
  const auto at = iterate(database, database.index());
  const std::string end = jump_key(name, 0);
  for (at->Seek(lost_key(name, 0)); at->Valid() && view(at->key()) < end; at->Next()) {
    if (const auto range = decode_segment(view(at->value())); range.ok()) ranges.push_back({range->base, range->end});
  }
  return ranges;
}

std::map<std::string, std::string> tables_of(const std::string& database, const std::set<std::string>& families) {
  std::map<std::string, std::string> out;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(database, ignored)) {
    if (entry.path().extension() != ".sst") continue;
    std::string family = family_of_table(entry.path().string());
    if (families.contains(family)) out.emplace(entry.path().filename().string(), std::move(family));
  }
  return out;
}

void visit_blocks(Database& database, LogName name, uint64_t from, const BlockVisitor& visitor) {
  const std::string lower = log_prefix(name);
  const std::string upper = lower + std::string(9, '\xff');
  const rocksdb::Slice lower_bound(lower), upper_bound(upper);
  rocksdb::ReadOptions options;
  options.fill_cache = false;
  options.iterate_lower_bound = &lower_bound;
  options.iterate_upper_bound = &upper_bound;
  const std::unique_ptr<rocksdb::Iterator> at(database.db().NewIterator(options, database.blocks()));
  const auto base_at = [&] {
    LogName ignored;
    uint64_t base = 0;
    read_block_key(view(at->key()), ignored, base);
    return base;
  };
  std::optional<uint64_t> last;
  at->SeekForPrev(block_key(name, from));
  if (!at->Valid()) at->Seek(block_key(name, from));
  for (; at->Valid(); at->Next()) {
    last = base_at();
    visitor.block(*last, view(at->value()));
  }
  if (at->status().ok()) return;
  visitor.unreadable(at->status().ToString());
  std::vector<std::pair<uint64_t, std::string>> behind;
  for (at->SeekToLast(); at->Valid() && (!last || base_at() > *last); at->Prev()) behind.emplace_back(base_at(), at->value().ToString());
  for (auto one = behind.rbegin(); one != behind.rend(); ++one) visitor.block(one->first, one->second);
}

}  // namespace arena::engine
