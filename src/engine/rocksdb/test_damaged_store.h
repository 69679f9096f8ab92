// For tests of damaged stores: one that is filled, stopped, damaged, put in order and opened again.
#pragma once

#include <gtest/gtest.h>
#include <rocksdb/db.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "engine/rocksdb/quarantine.h"
#include "engine/rocksdb/rocks_store.h"
#include "engine/rocksdb/test_disk.h"
#include "engine/test_fixture.h"
#include "engine/test_loop.h"

namespace arena::engine {

class StoppableHarness {
 public:
  StoppableHarness() { open(); }
  Store& store() { return *store_; }
  RocksDisk& disk() { return *disk_; }
  void settle() { loop_.run_until_idle(); }
  void close() {
    store_.reset();
    disk_.reset();
  }
  std::string try_open() {
    RocksOptions options;
    options.path = path();
    options.partitions = kPartitions;
    options.reserve_bytes = 0;
    auto opened = RocksDisk::open(std::move(options));
    if (!opened.ok()) return opened.error().reason;
    disk_ = std::move(*opened);
    store_ = std::make_unique<RocksStore>(loop_, disk_);
    return "";
  }
  void open() { ASSERT_EQ(try_open(), ""); }
  std::string path() const { return folder_.path() + "/store"; }
  std::string beside(const std::string& name) const { return folder_.path() + "/" + name; }

 private:
  TestFolder folder_;
  ManualLoop loop_;
  std::shared_ptr<RocksDisk> disk_;
  std::unique_ptr<RocksStore> store_;
};

class DamagedStore : public StoreContract<StoppableHarness> {
 protected:
  // Two files of blocks in partition 1: [0, 50) and [50, 100); then [100, 150) in RocksDB's log; keys with them.
  void fill_files() {
    fill(1, 0, 50);
    ASSERT_EQ(commit(operation(1, put("k", "old"))), CommitStatus::committed);
    ASSERT_TRUE(harness.disk().database().flush().ok());
    fill(1, 50, 100);
    ASSERT_EQ(commit(operation(1, put("k", "new"))), CommitStatus::committed);
    ASSERT_TRUE(harness.disk().database().flush().ok());
    fill(1, 100, 150);
    fill(2, 0, 10);
    for (const rocksdb::LiveFileMetaData& file : files()) {
      if (file.column_family_name == "blocks" && file.smallestkey == block_key({1, LogId::inbox}, 50)) middle_ = file.name;
    }
    ASSERT_FALSE(middle_.empty());
    harness.close();
  }
  std::vector<rocksdb::LiveFileMetaData> files() {
    std::vector<rocksdb::LiveFileMetaData> out;
    harness.disk().database().db().GetLiveFilesMetaData(&out);
    return out;
  }
  std::string database_file(const std::string& name) const { return harness.path() + "/rocksdb/" + name; }
  std::string log_file() const {
    std::string newest;
    for (const auto& entry : std::filesystem::directory_iterator(harness.path() + "/rocksdb")) {
      if (entry.path().extension() == ".log") newest = std::max(newest, entry.path().string());
    }
    return newest;
  }
  static void change(const std::string& path, uint64_t at) {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekg(static_cast<std::streamoff>(at));
    const char changed = static_cast<char>(file.get() ^ 0x10);
    file.seekp(static_cast<std::streamoff>(at));
    file.put(changed);
  }
  Quarantined quarantine() {
    auto done = quarantine_store(harness.path(), "quarantine");
    EXPECT_TRUE(done.ok()) << done.error().reason;
    return done.ok() ? std::move(*done) : Quarantined{};
  }
  // Everything, from the start on; `told` counts offsets that readers were told are lost.
  std::vector<uint64_t> read_all(PartitionId partition, const std::string& topic = {}) {
    std::vector<uint64_t> out;
    told_ = 0;
    const uint64_t end = store().bounds(partition, LogId::inbox).end;
    for (uint64_t next = 0; next < end;) {
      ReadRequest wanted = request(partition, next);
      wanted.topic = topic;
      const ReadResult result = read(std::move(wanted));
      told_ += result.damaged;
      for (const Record& record : result.records) out.push_back(record.offset);
      if (result.next <= next) return out;
      next = result.next;
    }
    return out;
  }
  static std::vector<uint64_t> range(uint64_t from, uint64_t upto) {
    std::vector<uint64_t> out;
    for (; from < upto; ++from) out.push_back(from);
    return out;
  }
  static std::vector<uint64_t> ranges(uint64_t a, uint64_t b, uint64_t c, uint64_t d) {
    std::vector<uint64_t> out = range(a, b);
    for (const uint64_t at : range(c, d)) out.push_back(at);
    return out;
  }

  std::string middle_;
  uint64_t told_ = 0;
};

}  // namespace arena::engine
