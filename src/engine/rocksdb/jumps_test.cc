// Goal: no offset of a store is used again by a copy of it, whatever happens to the copy, and the hole is in nobody's way.
#include "engine/rocksdb/jumps.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include "engine/rocksdb/backup.h"
#include "engine/rocksdb/quarantine.h"
#include "engine/rocksdb/rocks_store.h"
#include "engine/rocksdb/store_stats.h"
#include "engine/rocksdb/test_disk.h"
#include "engine/test_fixture.h"
#include "engine/test_loop.h"

namespace arena::engine {
namespace {

namespace fs = std::filesystem;

constexpr LogId kStream{1}, kLater{2};

class Harness {
 public:
  Harness() { open("store"); }
  Store& store() { return *store_; }
  void settle() { loop_.run_until_idle(); }
  void close() {
    store_.reset();
    disk_.reset();
  }
  void open(const std::string& name) {
    close();
    RocksOptions options;
    options.path = path(name);
    options.partitions = kPartitions;
    options.reserve_bytes = 0;
    auto opened = RocksDisk::open(std::move(options));
    ASSERT_TRUE(opened.ok()) << opened.error().reason;
    disk_ = std::move(*opened);
    EXPECT_EQ(disk_->damaged(), 0u);
    store_ = std::make_unique<RocksStore>(loop_, disk_);
  }
  void copy(const std::string& from, const std::string& to) {
    close();
    const Status copied = copy_stopped_store(path(from), path(to));
    EXPECT_TRUE(copied.ok()) << copied.error().reason;
  }
  std::string path(const std::string& name) const { return folder_.path() + "/" + name; }
  RocksDisk& disk() { return *disk_; }

 private:
  TestFolder folder_;
  ManualLoop loop_;
  std::shared_ptr<RocksDisk> disk_;
  std::unique_ptr<RocksStore> store_;
};

class JumpsTest : public StoreContract<Harness> {
 protected:
  uint64_t end(PartitionId partition = 1, LogId log = LogId::inbox) { return store().bounds(partition, log).end; }
  uint64_t holes(PartitionId partition = 1, LogId log = LogId::inbox) {
    uint64_t count = 0;
    for (const OffsetRange& hole : store().holes(partition, log)) count += hole.end - hole.base;
    return count;
  }
  void append(const std::string& payload, LogId log = LogId::inbox) {
    ASSERT_EQ(commit(records(1, end(1, log), {contract_message("t", payload)}, log)), CommitStatus::committed);
  }
  Texts read_from(uint64_t offset, LogId log = LogId::inbox) {
    ReadRequest wanted = request(1, offset);
    wanted.log = log;
    const ReadResult result = read(std::move(wanted));
    EXPECT_TRUE(result.status.ok());
    EXPECT_EQ(result.trimmed, 0u);
    EXPECT_EQ(result.next, end(1, log));
    return payloads(result);
  }
  void expect_sound(const std::string& name) {
    harness.close();
    const auto found = check_store(harness.path(name));
    ASSERT_TRUE(found.ok());
    EXPECT_TRUE(found->sound()) << found->damages.front().reason;
  }
};

TEST_F(JumpsTest, ACopyGoesOnFarAboveWhatItHas) {
  for (const char* one : {"0", "1", "2"}) append(one);
  append("s", kStream);
  harness.copy("store", "copy");
  harness.open("copy");
  const uint64_t floor = end();
  EXPECT_GE(floor, 3 + kBlockSpanMax);
  EXPECT_LT(floor, uint64_t{1} << 53) << "as JSON takes it";
  EXPECT_EQ(end(2), floor) << "also where nothing was";
  EXPECT_EQ(end(1, kStream), floor);
  EXPECT_EQ(end(1, kLater), floor) << "and in streams that the copy does not know";
  EXPECT_EQ(holes(), floor - 3);
  EXPECT_EQ(holes(1, kLater), floor);
  append("3");
  append("later", kLater);
  for (int life = 0; life < 2; ++life) {
    EXPECT_EQ(end(), floor + 1);
    EXPECT_EQ(end(2), floor);
    EXPECT_EQ(end(1, kLater), floor + 1);
    EXPECT_EQ(holes(), floor - 3);
    EXPECT_EQ(holes(1, kLater), floor);
    EXPECT_EQ(read_from(1), (Texts{"1", "2", "3"}));
    EXPECT_EQ(read_from(7), (Texts{"3"})) << "a place in the hole";
    EXPECT_EQ(read_from(7, kLater), (Texts{"later"}));
    expect_sound("copy");
    EXPECT_EQ(read_stats(harness.path("copy"))->total().lost, 0u);
    harness.open("copy");
  }
  harness.open("store");
  EXPECT_EQ(end(), 3u) << "what was copied stays as it was";
}

TEST_F(JumpsTest, TwoCopiesOfOneAndACopyOfACopyDoNotMeet) {
  append("0");
  harness.copy("store", "one");
  harness.open("one");
  const uint64_t first = end();
  append("1", kLater);
  harness.copy("one", "of one");
  harness.open("of one");
  EXPECT_GE(end(), first + kBlockSpanMax);
  EXPECT_EQ(end(1, kLater), end());
  EXPECT_EQ(holes(), end() - 1);
  EXPECT_EQ(holes(1, kLater), end() - 1);
  EXPECT_EQ(read_from(0, kLater), (Texts{"1"}));
  expect_sound("of one");
  harness.open("of one");
  EXPECT_EQ(holes(1, kLater), end() - 1);
}

// As a crash leaves it between the index and the file.
TEST_F(JumpsTest, AJumpThatWasBrokenOffIsMadeAgain) {
  append("0");
  harness.copy("store", "copy");
  fs::copy_file(harness.path("copy") + "/floor", harness.path("kept"));
  harness.open("copy");
  const uint64_t first = end();
  harness.close();
  fs::copy_file(harness.path("kept"), harness.path("copy") + "/floor", fs::copy_options::overwrite_existing);
  harness.open("copy");
  EXPECT_GE(end(), first + kBlockSpanMax);
  EXPECT_EQ(end(1, kLater), end());
  EXPECT_EQ(holes(), end() - 1);
  append("1");
  EXPECT_EQ(read_from(0), (Texts{"0", "1"}));
  expect_sound("copy");
}

TEST_F(JumpsTest, AFloorThatCannotBeReadMakesItJump) {
  append("0");
  harness.close();
  std::ofstream(harness.path("store") + "/floor") << "floor 12";
  harness.open("store");
  const uint64_t floor = end();
  EXPECT_GE(floor, 1 + kBlockSpanMax);
  harness.open("store");
  EXPECT_EQ(end(), floor);
}

TEST_F(JumpsTest, WhatIsTrimmedBeforeAnythingFollowsIsNoDamage) {
  append("0");
  append("s", kStream);
  harness.copy("store", "copy");
  harness.open("copy");
  const uint64_t floor = end();
  store().trim(1, LogId::inbox, 1);
  store().trim(1, kStream, floor);
  ASSERT_EQ(commit(operation(1, put("k", "v"))), CommitStatus::committed);
  expect_sound("copy");
  harness.open("copy");
  EXPECT_EQ(end(), floor);
  EXPECT_EQ(end(1, kStream), floor);
  EXPECT_EQ(holes(1, kStream), floor - 1) << "who comes from below it is told what was there";
  append("1");
  EXPECT_EQ(read_from(1), (Texts{"1"}));
  harness.copy("copy", "again");
  harness.open("again");
  EXPECT_GE(end(), floor + kBlockSpanMax);
}

TEST_F(JumpsTest, AQuarantineCallsNoHoleLost) {
  append("0");
  append("1");
  harness.copy("store", "copy");
  harness.open("copy");
  const uint64_t floor = end();
  append("2");
  ASSERT_TRUE(harness.disk().database().flush().ok());
  append("3");
  ASSERT_TRUE(harness.disk().corrupt({1, LogId::inbox}, floor + 1));
  ASSERT_TRUE(harness.disk().database().flush().ok());
  harness.close();
  const auto done = quarantine_store(harness.path("copy"), "quarantine");
  ASSERT_TRUE(done.ok()) << done.error().reason;
  for (const LostOffsets& lost : done->lost) EXPECT_GE(lost.from, floor + 1);
  harness.open("copy");
  EXPECT_GE(end(), floor + 2);
  EXPECT_EQ(holes(), floor - 2 + end() - (floor + 1)) << "what it jumped over, and what is lost";
  EXPECT_EQ(end(2), floor);
}

}  // namespace
}  // namespace arena::engine
