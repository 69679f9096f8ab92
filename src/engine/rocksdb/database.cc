#include "engine/rocksdb/database.h"

#include <rocksdb/cache.h>
#include <rocksdb/convenience.h>
#include <rocksdb/db.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/listener.h>
#include <rocksdb/slice_transform.h>
#include <rocksdb/sst_partitioner.h>
#include <rocksdb/table.h>
#include <rocksdb/utilities/ldb_cmd.h>
#include <rocksdb/write_batch.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <utility>

#include "base/log.h"
#include "engine/rocksdb/cleaning.h"
#include "engine/rocksdb/log_start.h"
#include "engine/rocksdb/level_zero.h"
#include "engine/rocksdb/notes.h"

namespace arena::engine {
namespace {

constexpr std::size_t kCacheBytes = 32 << 20;
// RocksDB begins a new one with all that it knows, which is about 150 B for each file of the store.
constexpr uint64_t kManifestBytesMax = 8 << 20;

// Files from memory hold all logs, so merging them rewrites the whole first level; behind it a file has one log, whose newest
// blocks it has, and moves down as it is. A merge takes twice the disk while it lasts.
struct Shape {
  uint64_t write_buffer_bytes;
  int write_buffers;
  uint64_t log_files_bytes_max;  // RocksDB's log
  uint64_t first_level_bytes;
  int files_from_memory;
};
constexpr Shape kMerging{16 << 20, 4, 48 << 20, 32 << 20, 4};
// So many files from memory are not merged at all: what they hold may be trimmed before.
constexpr Shape kWaiting{8 << 20, 3, 16 << 20, 144 << 20, 18};
constexpr uint64_t kFewBytes = 80 << 20, kManyBytes = 104 << 20;
// While the first merge of many that waited goes on more come: RocksDB is not to slow writers down for that.
constexpr int kFilesWhenSlowed = 40, kFilesWhenStopped = 60;

// Keeps the first failure in the background, after which no commit is taken.
class FailureListener final : public rocksdb::EventListener {
 public:
  explicit FailureListener(std::shared_ptr<std::atomic<bool>> failed) : failed_(std::move(failed)) {}
  void OnBackgroundError(rocksdb::BackgroundErrorReason, rocksdb::Status* status) override {
    if (failed_->exchange(true)) return;
    log::error("engine", "RocksDB cannot write; nothing more will be committed", {{"reason", status->ToString()}});
  }

 private:
  std::shared_ptr<std::atomic<bool>> failed_;
};

rocksdb::BlockBasedTableOptions table_options(const std::shared_ptr<rocksdb::Cache>& cache) {
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = cache;
  table.block_size = kTableBlockBytes;
  table.format_version = 5;
  table.checksum = rocksdb::kXXH3;
  return table;
}

rocksdb::ColumnFamilyOptions family_options(const std::shared_ptr<rocksdb::Cache>& cache) {
  rocksdb::ColumnFamilyOptions family;
  family.compression = rocksdb::kNoCompression;
  family.write_buffer_size = kWaiting.write_buffer_bytes;
  family.max_write_buffer_number = kWaiting.write_buffers;
  family.force_consistency_checks = true;
  family.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table_options(cache)));
  return family;
}

// One log is one run of rising keys: an insert begins where the last of its log ended, and a file holds one log alone,
// so that what is trimmed goes as whole files.
rocksdb::ColumnFamilyOptions blocks_options(const std::shared_ptr<rocksdb::Cache>& cache,
                                            std::shared_ptr<CleanStarts> starts) {
  rocksdb::ColumnFamilyOptions family = family_options(cache);
  family.memtable_insert_with_hint_prefix_extractor.reset(rocksdb::NewFixedPrefixTransform(kLogPrefixBytes));
  family.sst_partitioner_factory = rocksdb::NewSstPartitionerFixedPrefixFactory(kLogPrefixBytes);
  family.target_file_size_base = 16 << 20;
  family.max_bytes_for_level_base = kWaiting.first_level_bytes;
  family.level0_file_num_compaction_trigger = kWaiting.files_from_memory;
  family.level0_slowdown_writes_trigger = kFilesWhenSlowed;
  family.level0_stop_writes_trigger = kFilesWhenStopped;
  family.table_properties_collector_factories.push_back(make_last_keys());
  family.compaction_filter_factory = make_block_cleaning(std::move(starts));
  return family;
}

rocksdb::ColumnFamilyOptions index_options(const std::shared_ptr<rocksdb::Cache>& cache,
                                           std::shared_ptr<CleanStarts> starts) {
  rocksdb::ColumnFamilyOptions family = family_options(cache);
  family.write_buffer_size = 8 << 20;
  family.compaction_filter_factory = make_index_cleaning(std::move(starts));
  return family;
}

// Pinned: a crash may cut the end of RocksDB's log and nothing else; what is missing more is noticed by the
// manifest and by the folder's high-water mark.
rocksdb::DBOptions database_options(rocksdb::Env* env) {
  rocksdb::DBOptions options;
  if (env != nullptr) options.env = env;
  options.create_if_missing = true;
  options.create_missing_column_families = true;
  options.paranoid_checks = true;
  options.track_and_verify_wals_in_manifest = true;
  options.wal_recovery_mode = rocksdb::WALRecoveryMode::kPointInTimeRecovery;
  options.allow_concurrent_memtable_write = false;  // one commit thread
  options.enable_pipelined_write = false;
  options.max_total_wal_size = kWaiting.log_files_bytes_max;
  options.max_manifest_file_size = kManifestBytesMax;
  options.allow_fallocate = false;  // what is allocated ahead takes space
  options.max_background_jobs = 2;
  options.bytes_per_sync = 1 << 20;
  options.info_log = no_notes();
  options.avoid_flush_during_shutdown = true;  // it is synced; a long shutdown would gain nothing
  return options;
}

// What serves would hide is to be seen, and what is damaged must not hide the rest.
rocksdb::DBOptions salvage_options(rocksdb::DBOptions options) {
  options.create_if_missing = false;
  options.paranoid_checks = false;
  options.track_and_verify_wals_in_manifest = false;
  options.wal_recovery_mode = rocksdb::WALRecoveryMode::kSkipAnyCorruptedRecords;
  return options;
}

std::vector<rocksdb::ColumnFamilyDescriptor> families_of(const std::shared_ptr<CleanStarts>& starts, DatabaseMode mode) {
  const auto cache = rocksdb::NewLRUCache(kCacheBytes);
  std::vector<rocksdb::ColumnFamilyDescriptor> families = {
      {rocksdb::kDefaultColumnFamilyName, family_options(cache)},
      {"blocks", blocks_options(cache, starts)},
      {"index", index_options(cache, starts)},
      {"spaces", family_options(cache)},
  };
  if (mode != DatabaseMode::salvage) return families;
  for (auto& family : families) {
    family.options.disable_auto_compactions = true;    // damaged files are not rewritten before they are taken out
    family.options.force_consistency_checks = false;  // a manifest made again puts all files on the first level
  }
  return families;
}

// RocksDB would take a folder without CURRENT for a new one, and remove what it does not know.
bool holds_data(const std::string& path) {
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(path, ignored)) {
    const std::filesystem::path kind = entry.path().extension();
    if (kind == ".sst" || (kind == ".log" && entry.file_size(ignored) != 0)) return true;
  }
  return false;
}

}  // namespace

Error error_of(const rocksdb::Status& status) { return Error{status.ToString()}; }

Result<std::unique_ptr<Database>> Database::open(const std::string& path, const DatabaseOptions& wanted) {
  std::unique_ptr<Database> made(new Database());
  rocksdb::DBOptions options = database_options(wanted.env);
  const bool salvages = wanted.mode == DatabaseMode::salvage;
  const bool reads = wanted.mode == DatabaseMode::inspect;
  if (wanted.mode == DatabaseMode::serve) options.info_log = open_notes(path);
  if (salvages) options = salvage_options(std::move(options));
  if (reads || holds_data(path)) options.create_if_missing = false;
  options.wal_filter = wanted.wal_filter;
  options.listeners.push_back(std::make_shared<FailureListener>(made->background_failed_));
  options.listeners.push_back(make_level_zero_listener(made->level_zero_));
  std::vector<rocksdb::ColumnFamilyDescriptor> families = families_of(made->clean_starts_, wanted.mode);
  for (auto& family : families) {
    if (wanted.write_buffer_bytes != 0) family.options.write_buffer_size = wanted.write_buffer_bytes;
  }
  if (!salvages && holds_data(path)) {
    if (Status goes_on = check_log_start(path, options, families); !goes_on) return fail(goes_on.error());
  }
  rocksdb::DB* db = nullptr;
  const rocksdb::Status status = reads ? rocksdb::DB::OpenForReadOnly(options, path, families, &made->families_, &db)
                                       : rocksdb::DB::Open(options, path, families, &made->families_, &db);
  if (!status.ok()) return fail(error_of(status));
  made->db_.reset(db);
  if (wanted.mode == DatabaseMode::serve) made->level_zero_->load(*db, made->blocks());
  return made;
}

namespace {

// RocksDB takes from its log only what belongs to families that it has seen in table files. So each gets one, with the
// mark of a key that is not there.
Status add_a_file_of_each_family(const std::string& path) {
  namespace fs = std::filesystem;
  const std::string made = path + "/families";
  {
    auto database = Database::open(made, {});
    if (!database.ok()) return fail(database.error());
    rocksdb::WriteBatch batch;
    for (rocksdb::ColumnFamilyHandle* family : {(*database)->blocks(), (*database)->index(), (*database)->spaces()}) batch.Delete(family, "none");
    if (Status written = (*database)->write_synced(batch); !written) return written;
    if (Status flushed = (*database)->flush(); !flushed) return flushed;
  }
  uint64_t number = 0;
  std::vector<fs::path> tables;
  for (const auto& entry : fs::directory_iterator(path)) {
    const std::string name = entry.path().filename().string();
    const std::size_t digits = name.find_first_of("0123456789");
    if (digits != std::string::npos) number = std::max<uint64_t>(number, std::strtoull(name.c_str() + digits, nullptr, 10) % 1'000'000'000);
  }
  for (const auto& entry : fs::directory_iterator(made)) {
    if (entry.path().extension() == ".sst") tables.push_back(entry.path());
  }
  for (const fs::path& table : tables) {
    std::string name = std::to_string(++number);
    name.insert(0, name.size() < 6 ? 6 - name.size() : 0, '0');
    fs::rename(table, path + "/" + name + ".sst");
  }
  fs::remove_all(made);
  return Unit{};
}

}  // namespace

Status Database::repair(const std::string& path) {
  if (Status added = add_a_file_of_each_family(path); !added) return added;
  const rocksdb::Status status = rocksdb::RepairDB(path, salvage_options(database_options(nullptr)), families_of(std::make_shared<CleanStarts>(), DatabaseMode::salvage));
  if (!status.ok()) return fail(error_of(status));
  return Unit{};
}

// RocksDB offers this as a command of its tool alone.
Status Database::remove_file(const std::string& path, uint64_t number) {
  const std::string database = "--db=" + path, file = std::to_string(number);
  const std::array<const char*, 5> arguments = {"ldb", database.c_str(), "--try_load_options=false", "unsafe_remove_sst_file", file.c_str()};
  const auto families = families_of(std::make_shared<CleanStarts>(), DatabaseMode::salvage);
  const rocksdb::Options options(salvage_options(database_options(nullptr)), family_options(rocksdb::NewLRUCache(kCacheBytes)));
  const int code = rocksdb::LDBCommandRunner::RunCommand(static_cast<int>(arguments.size()), arguments.data(), options,
                                                         rocksdb::LDBOptions(), &families);
  if (code != 0) return fail_with("the file " + file + " cannot be struck from RocksDB's manifest");
  return Unit{};
}

Database::~Database() {
  if (!db_) return;
  rocksdb::CancelAllBackgroundWork(db_.get(), true);
  for (rocksdb::ColumnFamilyHandle* family : families_) db_->DestroyColumnFamilyHandle(family);
  db_->Close();
}

Status Database::write_synced(rocksdb::WriteBatch& batch) {
  rocksdb::WriteOptions options;
  options.sync = true;
  options.protection_bytes_per_key = 8;
  const rocksdb::Status status = db_->Write(options, &batch);
  if (!status.ok()) return fail(error_of(status));
  return Unit{};
}

Status Database::flush() {
  rocksdb::FlushOptions options;
  const rocksdb::Status status = db_->Flush(options, families_);
  if (!status.ok()) return fail(error_of(status));
  return Unit{};
}

uint64_t Database::sequence() const { return db_->GetLatestSequenceNumber(); }

// Merging goes on meanwhile, and takes away files that were there a moment ago.
bool Database::is_live(const std::string& name) const {
  std::vector<rocksdb::LiveFileMetaData> files;
  db_->GetLiveFilesMetaData(&files);
  return std::any_of(files.begin(), files.end(), [&](const rocksdb::LiveFileMetaData& file) { return file.name == name; });
}

Database::DamagedFiles Database::check_files() {
  DamagedFiles damaged;
  std::vector<rocksdb::LiveFileMetaData> files;
  db_->GetLiveFilesMetaData(&files);
  for (const rocksdb::LiveFileMetaData& file : files) {
    const bool of_index = file.column_family_name == "index";
    if (!of_index && file.column_family_name != "spaces") continue;
    const rocksdb::Status status = rocksdb::VerifySstFileChecksum(db_->GetOptions(of_index ? index() : spaces()),
                                                                  rocksdb::EnvOptions(), file.db_path + file.name);
    if (status.ok() || !is_live(file.name)) continue;
    log::error("engine", "a file of the store is damaged", {{"file", file.db_path + file.name}, {"reason", status.ToString()}});
    ++(of_index ? damaged.index : damaged.spaces);
  }
  return damaged;
}

void Database::drop_files() {
  const std::map<LogName, uint64_t> starts = clean_starts_->snapshot();
  level_zero_->drop_below(starts, *db_, blocks());
  std::vector<std::string> keys;
  for (const auto& [name, start] : starts) {
    keys.push_back(block_key(name, 0));
    keys.push_back(block_key(name, start));
  }
  std::vector<rocksdb::Slice> slices(keys.begin(), keys.end());
  std::vector<rocksdb::RangePtr> ranges;
  for (std::size_t i = 0; i + 1 < slices.size(); i += 2) ranges.emplace_back(&slices[i], &slices[i + 1]);
  if (ranges.empty()) return;
  // The end is left out: the block there may be wanted.
  const rocksdb::Status status = rocksdb::DeleteFilesInRanges(db_.get(), blocks(), ranges.data(), ranges.size(), false);
  if (!status.ok()) log::warn("engine", "trimmed files cannot be removed", {{"reason", status.ToString()}});
}

// By turns between two bounds, as each change is written to disk.
void Database::suit(uint64_t stored_weight) {
  if (waits_ ? stored_weight <= kManyBytes : stored_weight >= kFewBytes) return;
  waits_ = !waits_;
  const Shape& shape = waits_ ? kWaiting : kMerging;
  rocksdb::Status status = db_->SetDBOptions({{"max_total_wal_size", std::to_string(shape.log_files_bytes_max)}});
  if (status.ok()) {
    status = db_->SetOptions(blocks(), {{"write_buffer_size", std::to_string(shape.write_buffer_bytes)},
                                        {"max_write_buffer_number", std::to_string(shape.write_buffers)},
                                        {"max_bytes_for_level_base", std::to_string(shape.first_level_bytes)},
                                        {"level0_file_num_compaction_trigger", std::to_string(shape.files_from_memory)}});
  }
  if (!status.ok()) log::warn("engine", "RocksDB keeps its settings", {{"reason", status.ToString()}});
}

Status Database::compact() {
  for (rocksdb::ColumnFamilyHandle* family : families_) {
    rocksdb::CompactRangeOptions options;
    options.bottommost_level_compaction = rocksdb::BottommostLevelCompaction::kForceOptimized;
    const rocksdb::Status status = db_->CompactRange(options, family, nullptr, nullptr);
    if (!status.ok()) return fail(error_of(status));
  }
  return Unit{};
}

uint64_t Database::file_bytes() const {
  uint64_t total = 0;
  for (rocksdb::ColumnFamilyHandle* family : families_) {
    uint64_t bytes = 0;
    if (db_->GetIntProperty(family, rocksdb::DB::Properties::kTotalSstFilesSize, &bytes)) total += bytes;
  }
  return total;
}

bool Database::remove_for_test(const std::string& block_key) { return db_->Delete({}, blocks(), block_key).ok(); }

std::vector<std::string> Database::all_keys() {
  std::vector<std::string> keys;
  for (rocksdb::ColumnFamilyHandle* family : families_) {
    const std::unique_ptr<rocksdb::Iterator> at(db_->NewIterator({}, family));
    for (at->SeekToFirst(); at->Valid(); at->Next()) keys.push_back(at->key().ToString());
  }
  return keys;
}

}  // namespace arena::engine
