// Files that are written from memory hold blocks of all logs. Each tells how far each log goes in it, so that one whose
// blocks have all been trimmed is removed unread, and what does not live long is never merged.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "engine/rocksdb/keys.h"

namespace rocksdb {
class ColumnFamilyHandle;
class DB;
class EventListener;
class TablePropertiesCollectorFactory;
}  // namespace rocksdb

namespace arena::engine {

// Notes in each file of blocks the last key of each log.
std::shared_ptr<rocksdb::TablePropertiesCollectorFactory> make_last_keys();

// The files of the first level, number 0 to RocksDB. Any thread.
class LevelZero {
 public:
  using Starts = std::map<LogName, uint64_t>;

  // Those that are there when the database is opened.
  void load(rocksdb::DB& db, rocksdb::ColumnFamilyHandle* blocks);
  // Removes those whose blocks all lie below the starts.
  void drop_below(const Starts& starts, rocksdb::DB& db, rocksdb::ColumnFamilyHandle* blocks);

  void add(const std::string& file, const std::string& last_keys);
  void remove(const std::string& file);

 private:
  std::mutex mutex_;
  std::map<std::string, std::string> files_;  // by name, so by age: the last keys of their logs
};

// Tells `files` what is written and merged in the family "blocks".
std::shared_ptr<rocksdb::EventListener> make_level_zero_listener(std::shared_ptr<LevelZero> files);

}  // namespace arena::engine
