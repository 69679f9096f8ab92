// RocksDB as this engine wants it: three column families with settings that are pinned here, and what may be cleaned.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "engine/rocksdb/keys.h"
#include "engine/rocksdb/level_zero.h"

namespace rocksdb {
class ColumnFamilyHandle;
class DB;
class Env;
class Status;
class WalFilter;
class WriteBatch;
}  // namespace rocksdb

namespace arena::engine {

// A block of a table file is closed when it has so many bytes: the last entry begins below.
inline constexpr std::size_t kTableBlockBytes = 16 << 10;

// Where each log starts, as far as that is on disk: what lies below may be cleaned away. Any thread.
class CleanStarts {
 public:
  void set(LogName name, uint64_t start) {
    const std::lock_guard lock(mutex_);
    starts_[name] = start;
  }
  std::map<LogName, uint64_t> snapshot() const {
    const std::lock_guard lock(mutex_);
    return starts_;
  }

 private:
  mutable std::mutex mutex_;
  std::map<LogName, uint64_t> starts_;
};

enum class DatabaseMode : uint8_t {
  serve,    // made if it is not there; anything wrong is a refusal
  inspect,  // as serve, but nothing is written
  salvage,  // what can be read although files are missing or damaged
};

struct DatabaseOptions {
  rocksdb::Env* env = nullptr;      // the file system to use, null for the real one; outlives the database
  uint64_t write_buffer_bytes = 0;  // of each column family; 0: as pinned
  DatabaseMode mode = DatabaseMode::serve;
  rocksdb::WalFilter* wal_filter = nullptr;  // is shown what is replayed of RocksDB's log
};

// Any thread, as RocksDB allows; writes from one thread at a time.
class Database {
 public:
  static Result<std::unique_ptr<Database>> open(const std::string& path, const DatabaseOptions& options);
  // Makes a new manifest from the files that are there; files that it cannot read are moved to `path`/lost.
  static Status repair(const std::string& path);
  // Strikes a table file from the manifest. The database is closed, and its file may be gone.
  static Status remove_file(const std::string& path, uint64_t number);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  rocksdb::DB& db() { return *db_; }
  rocksdb::ColumnFamilyHandle* blocks() { return families_[1]; }
  rocksdb::ColumnFamilyHandle* index() { return families_[2]; }
  rocksdb::ColumnFamilyHandle* spaces() { return families_[3]; }

  // Returns when the batch is on disk.
  Status write_synced(rocksdb::WriteBatch& batch);
  // Writes what is in memory into files.
  Status flush();
  uint64_t sequence() const;
  // A write in the background failed: nothing more can be written.
  bool background_failed() const { return background_failed_->load(); }

  // Reads all files of index and spaces; how many of them are damaged. RocksDB's iterators may pass over a damaged file
  // without a word, and these families, unlike blocks, have nothing of their own to notice it by.
  struct DamagedFiles {
    uint64_t index = 0;
    uint64_t spaces = 0;
  };
  DamagedFiles check_files();

  CleanStarts& clean_starts() { return *clean_starts_; }
  // Removes whole files below the logs' clean starts.
  void drop_files();
  // While the logs hold little, files are not merged, as they may soon be dropped. What is read by many weighs more than its
  // bytes. The commit thread.
  void suit(uint64_t stored_weight);

  // For tests and tools: writes out and rewrites everything; the size of all files but RocksDB's log; all keys.
  Status compact();
  uint64_t file_bytes() const;
  std::vector<std::string> all_keys();
  bool remove_for_test(const std::string& block_key);

 private:
  Database() = default;
  bool is_live(const std::string& file) const;

  std::shared_ptr<LevelZero> level_zero_ = std::make_shared<LevelZero>();
  std::shared_ptr<CleanStarts> clean_starts_ = std::make_shared<CleanStarts>();
  std::shared_ptr<std::atomic<bool>> background_failed_ = std::make_shared<std::atomic<bool>>(false);
  std::vector<rocksdb::ColumnFamilyHandle*> families_;
  std::unique_ptr<rocksdb::DB> db_;
  bool waits_ = true;
};

// For people: what RocksDB says.
Error error_of(const rocksdb::Status& status);

}  // namespace arena::engine
