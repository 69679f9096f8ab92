#include "engine/rocksdb/level_zero.h"

#include <rocksdb/db.h>
#include <rocksdb/listener.h>
#include <rocksdb/table_properties.h>

#include <algorithm>
#include <string_view>
#include <utility>
#include <vector>

#include "base/log.h"

namespace arena::engine {
namespace {

constexpr const char* kProperty = "arena.last_keys";
constexpr std::size_t kKeyBytes = kLogPrefixBytes + sizeof(uint64_t);

class LastKeys final : public rocksdb::TablePropertiesCollector {
 public:
  // Keys come in order.
  rocksdb::Status AddUserKey(const rocksdb::Slice& key, const rocksdb::Slice&, rocksdb::EntryType, rocksdb::SequenceNumber,
                             uint64_t) override {
    if (key.size() != kKeyBytes) {
      known_ = false;
      return rocksdb::Status::OK();
    }
    const bool same_log = !keys_.empty() && std::string_view(keys_).substr(keys_.size() - kKeyBytes, kLogPrefixBytes) ==
                                                std::string_view(key.data(), kLogPrefixBytes);
    if (same_log) keys_.resize(keys_.size() - kKeyBytes);
    keys_.append(key.data(), key.size());
    return rocksdb::Status::OK();
  }
  rocksdb::Status Finish(rocksdb::UserCollectedProperties* properties) override {
    if (known_) properties->emplace(kProperty, keys_);
    return rocksdb::Status::OK();
  }
  rocksdb::UserCollectedProperties GetReadableProperties() const override { return {}; }
  const char* Name() const override { return kProperty; }

 private:
  std::string keys_;
  bool known_ = true;
};

class LastKeysFactory final : public rocksdb::TablePropertiesCollectorFactory {
 public:
  rocksdb::TablePropertiesCollector* CreateTablePropertiesCollector(Context) override { return new LastKeys(); }
  const char* Name() const override { return kProperty; }
};

bool all_below(std::string_view keys, const LevelZero::Starts& starts) {
  for (; !keys.empty(); keys.remove_prefix(std::min(kKeyBytes, keys.size()))) {
    LogName name;
    uint64_t base = 0;
    if (!read_block_key(keys.substr(0, kKeyBytes), name, base)) return false;
    const auto start = starts.find(name);
    if (start == starts.end() || base >= start->second) return false;
  }
  return true;
}

std::string name_of(const std::string& path) { return path.substr(path.rfind('/') + 1); }

class Listener final : public rocksdb::EventListener {
 public:
  explicit Listener(std::shared_ptr<LevelZero> files) : files_(std::move(files)) {}

  void OnFlushCompleted(rocksdb::DB*, const rocksdb::FlushJobInfo& flush) override {
    if (flush.cf_name != "blocks") return;
    const auto& properties = flush.table_properties.user_collected_properties;
    if (const auto found = properties.find(kProperty); found != properties.end()) {
      files_->add(name_of(flush.file_path), found->second);
    }
  }
  void OnCompactionCompleted(rocksdb::DB*, const rocksdb::CompactionJobInfo& merge) override {
    if (merge.cf_name != "blocks" || merge.base_input_level != 0 || !merge.status.ok()) return;
    for (const std::string& file : merge.input_files) files_->remove(name_of(file));
  }

 private:
  std::shared_ptr<LevelZero> files_;
};

}  // namespace

std::shared_ptr<rocksdb::TablePropertiesCollectorFactory> make_last_keys() { return std::make_shared<LastKeysFactory>(); }

std::shared_ptr<rocksdb::EventListener> make_level_zero_listener(std::shared_ptr<LevelZero> files) {
  return std::make_shared<Listener>(std::move(files));
}

void LevelZero::load(rocksdb::DB& db, rocksdb::ColumnFamilyHandle* blocks) {
  rocksdb::ColumnFamilyMetaData family;
  db.GetColumnFamilyMetaData(blocks, &family);
  if (family.levels.empty() || family.levels[0].files.empty()) return;
  rocksdb::TablePropertiesCollection all;
  if (!db.GetPropertiesOfAllTables(blocks, &all).ok()) return;  // then they are merged, as others that live long
  for (const auto& [path, table] : all) {
    const std::string name = name_of(path);
    const auto& files = family.levels[0].files;
    const bool is_here = std::any_of(files.begin(), files.end(), [&](const auto& file) { return name_of(file.name) == name; });
    const auto found = table->user_collected_properties.find(kProperty);
    if (is_here && found != table->user_collected_properties.end()) add(name, found->second);
  }
}

void LevelZero::add(const std::string& file, const std::string& last_keys) {
  const std::lock_guard lock(mutex_);
  files_[file] = last_keys;
}

void LevelZero::remove(const std::string& file) {
  const std::lock_guard lock(mutex_);
  files_.erase(file);
}

// A merge of the file with nothing into its own level: the cleaning leaves nothing of it. RocksDB removes files of this level in no
// other way.
void LevelZero::drop_below(const Starts& starts, rocksdb::DB& db, rocksdb::ColumnFamilyHandle* blocks) {
  std::vector<std::string> below;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [file, last_keys] : files_) {
      if (all_below(last_keys, starts)) below.push_back(file);
    }
  }
  rocksdb::CompactionOptions options;
  options.compression = rocksdb::kNoCompression;
  for (const std::string& file : below) {
    const rocksdb::Status status = db.CompactFiles(options, blocks, {file}, 0);
    if (status.ok() || status.IsInvalidArgument()) remove(file);  // it was there, or it was not any more
    if (status.ok() || status.IsInvalidArgument() || status.IsAborted()) continue;
    log::warn("engine", "a trimmed file cannot be removed", {{"file", file}, {"reason", status.ToString()}});
    return;
  }
}

}  // namespace arena::engine
