// The folder of a store, apart from RocksDB's own: whose it is, which format it has, and how far it was
// acknowledged.
//
//   lock        held while a process uses the folder
//   format      the version of everything inside, the number of partitions, the secret of the keys
//   high-water  how much was acknowledged; a store that comes back with less is not served
//   floor       of a copy: where logs begin that have never been written
//   rocksdb/
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/rocksdb/high_water.h"
#include "engine/rocksdb/keys.h"

namespace arena::engine {

// Blocks: for start-up and blocking lanes. set_high_water() by one thread at a time.
class StoreFolder {
 public:
  // Takes the folder for this process; makes it if it is not there or empty. Reasons name the path and a way out.
  static Result<StoreFolder> open(const std::string& path, PartitionId partitions);
  // Takes a folder that is a store already, for tools; makes nothing in it. Takes the copy of a format that is damaged or
  // gone.
  static Result<StoreFolder> open_existing(const std::string& path);
  // Which format a folder has, of those that this release takes; 0: none yet. Neither takes nor writes anything.
  static Result<uint64_t> format_of(const std::string& path);
  ~StoreFolder();
  StoreFolder(StoreFolder&& other) noexcept;
  StoreFolder& operator=(StoreFolder&&) = delete;

  const std::string& path() const { return path_; }
  std::string database_path() const { return path_ + "/rocksdb"; }
  const HashKey& secret() const { return secret_; }
  PartitionId partitions() const { return partitions_; }
  // As the folder says: one of an earlier format is marked as the current one when it is opened.
  uint64_t format() const { return format_; }
  // What is wrong with the file "format", whose copy was taken; empty: nothing.
  const std::string& format_fault() const { return format_fault_; }
  // Writes it and its copy, where they are not as they should be, or into another folder.
  Status write_format() { return write_format(path_); }
  Status write_format(const std::string& folder) const;
  // The text of the format of a copy of the store in `path`, as its format says or the copy of that.
  static Result<std::string> copied_format(const std::string& path);
  // Last: without it the copy is no store.
  static Status write_copied_format(const std::string& text, const std::string& target);
  // What is wrong with files that a server mends when it starts.
  struct Fault {
    std::string file;
    std::string what;
  };
  const std::vector<Fault>& faults() const { return faults_; }

  // Of a store that was made as a copy (jumps.h).
  struct Floor {
    uint64_t offset = 0;   // where logs begin that have never been written
    bool is_copy = false;  // its logs have not jumped yet
  };
  const Floor& floor() const { return floor_; }
  Status set_floor(const Floor& floor);
  // The format is to say, when it is written, that there is a floor.
  void expect_floor() { has_floor_ = true; }
  static Status write_floor(const Floor& floor, const std::string& folder);

  // What RocksDB must at least come back with.
  Result<HighWater::Mark> high_water() const { return marks_.read(); }
  Status set_high_water(uint64_t sequence) { return marks_.set(sequence); }
  // Whatever was marked before, damaged or higher, is forgotten.
  Status reset_high_water(uint64_t sequence);
  // Why a store is not served in which no mark is whole; for people, with the way out.
  std::string no_mark(const HighWater::Mark& mark) const;

 private:
  explicit StoreFolder(std::string path) : path_(std::move(path)), marks_(path_ + "/high-water") {}
  Status take_lock();
  Status load_or_make_format(PartitionId partitions);
  bool copy_is_whole() const;
  std::string contradicted(const std::string& reason) const;
  Status make_format(PartitionId partitions);
  Status read_format(const std::string& text);
  std::string format_text() const;
  void compare_copy(const std::string& format);
  void load_floor();

  std::string path_;
  HighWater marks_;
  std::string format_fault_;
  std::vector<Fault> faults_;
  Floor floor_;
  HashKey secret_{};
  PartitionId partitions_ = 0;
  int lock_fd_ = -1;
  uint64_t format_ = 0;
  bool has_floor_ = false;  // the format says so: where the file "floor" is gone it is missed
};

// `target` is a copy of the store in `path`: the floor of that, not jumped yet.
Status write_copied_floor(const std::string& path, const std::string& target);

// Does a process hold the folder of a store? Writes nothing.
bool store_is_in_use(const std::string& path);
bool is_store(const std::string& path);

}  // namespace arena::engine
