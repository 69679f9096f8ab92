// A file system for RocksDB that can lose power: what was not synced is forgotten, torn or out of order, and so are
// the names of files whose folder was not synced. And one whose Nth call fails.
#pragma once

#include <rocksdb/env.h>
#include <rocksdb/file_system.h>

#include <cstdint>
#include <memory>
#include <string>

namespace arena::crash {

class Power;

class PowerLossFiles {
 public:
  // Files that are removed wait in `graves`, a folder of the same file system, until their removal is durable.
  explicit PowerLossFiles(std::string graves);
  ~PowerLossFiles();

  rocksdb::Env* env();
  // Calls that change something, since the start.
  uint64_t calls() const;
  // After so many more calls that change something, all fail: the power is gone.
  void cut_after(uint64_t calls);
  // The call that comes after so many more fails, those after it do not.
  void fail_after(uint64_t calls);
  bool is_cut() const;
  // Between closing a database whose power was cut and opening it again: leaves on disk what may be left, by the seed.
  void lose_power(uint64_t seed);
  // Neither cut nor about to fail. All that was written stays.
  void restore();

 private:
  std::shared_ptr<Power> power_;
  std::unique_ptr<rocksdb::Env> env_;
};

}  // namespace arena::crash
