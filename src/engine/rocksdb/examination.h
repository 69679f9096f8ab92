// RocksDB's part of a store that may be damaged: what of it can be read, and by which files it is hurt.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/rocksdb/database.h"
#include "engine/rocksdb/log_state.h"

namespace arena::engine {

struct Damage {
  std::string file;  // below the store's folder; empty: not one file's
  std::optional<LogName> log;
  uint64_t from = 0;  // with `log`: the offsets it is about
  uint64_t upto = 0;  // exclusive; UINT64_MAX: not known
  std::string reason;
  bool mended_at_start = false;  // nothing is lost by it, and a server that starts puts it in order
  std::set<Space> keys;          // it is about such keys
};

// A table file that cannot be read, or not wholly.
struct BadFile {
  std::string name;  // "000012.sst"
  uint64_t number = 0;
  std::string family;
  std::string smallest;  // keys
  std::string largest;
  std::string reason;
  bool is_read = false;  // all that it holds can be
};

// RocksDB's files again, below the store's folder: table files by links, all else copied. So it can be opened as RocksDB
// opens a damaged database only when it may write, and the store does not change.
inline constexpr const char* kScratchName = "examination";
class Scratch {
 public:
  Scratch() = default;
  Scratch(Scratch&& other) noexcept : path_(std::exchange(other.path_, {})), mended_logs_(std::move(other.mended_logs_)) {}
  Scratch& operator=(Scratch&& other) noexcept {
    std::swap(path_, other.path_);
    std::swap(mended_logs_, other.mended_logs_);
    return *this;
  }
  ~Scratch();
  // `to`: where; empty: "examination" beside the database.
  static Result<Scratch> make(const std::string& database, bool with_log, const std::string& to = {});
  const std::string& path() const { return path_; }
  // Of the copies of RocksDB's log: see log_mending.h.
  const std::vector<std::string>& mended_logs() const { return mended_logs_; }

 private:
  std::string path_;
  std::vector<std::string> mended_logs_;
};

// RocksDB's part of the folder.
struct Health {
  std::string refused;  // RocksDB's reason not to open it
  std::optional<uint64_t> served_sequence;  // how far a server would have it
  std::string manifest_reason;  // not empty: there is no manifest that can be followed
  std::vector<BadFile> files;
  std::vector<Damage> log_damages;   // of RocksDB's log
  uint64_t named_files = 0;          // by the manifest
  bool strangers = false;            // table files that the manifest does not name
  Scratch scratch;
  std::unique_ptr<Database> database;  // to read from, in the scratch; null without a manifest
};
// Fails when there is no space for it: that is no damage.
Result<Health> examine_database(const std::string& path);

// The table files of some families in RocksDB's folder, by name, as far as they say whose they are.
std::map<std::string, std::string> tables_of(const std::string& database, const std::set<std::string>& families);

// Walks what can be read of a log's blocks from `from` on, in order. `block`: as stored, not checked. `unreadable` is
// called where RocksDB cannot read on; the walk then takes what it can from the end.
struct BlockVisitor {
  std::function<void(uint64_t base, std::string_view block)> block;
  std::function<void(const std::string& reason)> unreadable;
};
void visit_blocks(Database& database, LogName name, uint64_t from, const BlockVisitor& visitor);

// What the index says of a log, as far as it can be read.
std::vector<Segment> stored_segments(Database& database, LogName name);
std::vector<LostRange> stored_losses(Database& database, LogName name);

// All logs that have a block or an index entry, and the inbox of each partition.
std::vector<LogName> log_names(Database& database, PartitionId partitions);

}  // namespace arena::engine
