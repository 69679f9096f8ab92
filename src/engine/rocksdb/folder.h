// The folder of a store, apart from RocksDB's own: whose it is, which format it has, and how far it was
// acknowledged.
//
//   lock        held while a process uses the folder
//   format      the version of everything inside, the number of partitions, the secret of the keys
//   high-water  how much was acknowledged; a store that comes back with less is not served
//   rocksdb/
#pragma once

#include <cstdint>
#include <string>

#include "engine/rocksdb/keys.h"

namespace arena::engine {

// Blocks: for start-up and blocking lanes. set_high_water() by one thread at a time.
class StoreFolder {
 public:
  // Takes the folder for this process; makes it if it is not there or empty. Reasons name the path and a way out.
  static Result<StoreFolder> open(const std::string& path, PartitionId partitions);
  ~StoreFolder();
  StoreFolder(StoreFolder&& other) noexcept;
  StoreFolder& operator=(StoreFolder&&) = delete;

  const std::string& path() const { return path_; }
  std::string database_path() const { return path_ + "/rocksdb"; }
  const HashKey& secret() const { return secret_; }

  // What RocksDB must at least come back with; 0 if nothing was marked.
  Result<uint64_t> high_water() const;
  Status set_high_water(uint64_t sequence);

 private:
  explicit StoreFolder(std::string path) : path_(std::move(path)) {}
  Status take_lock();
  Status load_or_make_format(PartitionId partitions);
  Status make_format(PartitionId partitions);
  Status read_format(const std::string& text, PartitionId partitions);

  std::string path_;
  HashKey secret_{};
  int lock_fd_ = -1;
  int mark_fd_ = -1;
  uint64_t marks_ = 0;
};

}  // namespace arena::engine
