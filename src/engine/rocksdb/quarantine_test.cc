// Goal: tools name what is damaged in a stopped store, take it out without losing more, and tell readers what is lost.
#include "engine/rocksdb/quarantine.h"

#include <gtest/gtest.h>
#include <rocksdb/db.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <string>

#include "engine/rocksdb/backup.h"
#include "engine/rocksdb/recovery.h"
#include "engine/rocksdb/test_damaged_store.h"
#include "engine/rocksdb/store_stats.h"
#include "engine/rocksdb/table_salvage.h"

namespace arena::engine {
namespace {

namespace fs = std::filesystem;

class QuarantineTest : public DamagedStore {};

TEST_F(QuarantineTest, StatsCountWhatIsStored) {
  fill_files();
  const auto stats = read_stats(harness.path());
  ASSERT_TRUE(stats.ok()) << stats.error().reason;
  EXPECT_EQ(stats->total().messages, 160u);
  EXPECT_EQ(stats->total().keys[0], 1u);
  ASSERT_EQ(stats->logs.size(), kPartitions);
  EXPECT_EQ(stats->logs[1].end, 150u);
  EXPECT_EQ(stats->logs[2].messages, 10u);
}

TEST_F(QuarantineTest, ASoundStoreIsLeftAlone) {
  fill_files();
  const auto found = check_store(harness.path());
  ASSERT_TRUE(found.ok());
  EXPECT_TRUE(found->sound());
  EXPECT_EQ(found->messages, 160u);
  EXPECT_TRUE(quarantine().findings.sound());
  EXPECT_FALSE(fs::exists(harness.path() + "/quarantine"));
}

TEST_F(QuarantineTest, AStoreInUseIsNotTouched) {
  EXPECT_FALSE(check_store(harness.path()).ok());
  EXPECT_FALSE(quarantine_store(harness.path(), "quarantine").ok());
  EXPECT_TRUE(store_is_in_use(harness.path()));
  harness.close();
  EXPECT_FALSE(store_is_in_use(harness.path()));
}

TEST_F(QuarantineTest, AFileThatIsGoneCostsItsBlocksAlone) {
  fill_files();
  fs::remove(database_file(middle_));
  EXPECT_NE(harness.try_open(), "");
  const auto found = check_store(harness.path());
  ASSERT_TRUE(found.ok());
  const auto of_file = std::find_if(found->damages.begin(), found->damages.end(),
                                    [&](const Damage& one) { return one.file == "rocksdb" + middle_; });
  ASSERT_NE(of_file, found->damages.end());
  ASSERT_TRUE(of_file->log);
  EXPECT_EQ(of_file->log->partition, 1);
  EXPECT_EQ(of_file->from, 50u);
  EXPECT_EQ(of_file->upto, 100u);
  const Quarantined done = quarantine();
  ASSERT_EQ(done.lost.size(), 1u);
  EXPECT_EQ(done.lost[0].from, 50u);
  EXPECT_EQ(done.lost[0].upto, 100u);
  EXPECT_FALSE(done.lost[0].bound);
  harness.open();
  EXPECT_EQ(harness.disk().damaged(), 0u) << "it is known";
  EXPECT_EQ(read_all(1), ranges(0, 50, 100, 150));
  EXPECT_EQ(told_, 50u);
  EXPECT_EQ(read_all(2), range(0, 10));
  EXPECT_EQ(told_, 0u);
  read_all(1, "t/1");
  EXPECT_EQ(told_, 50u) << "readers of a topic are told the same";
  EXPECT_EQ(value(1, "k"), "new");
  const std::vector<OffsetRange> holes = store().holes(1, LogId::inbox);
  ASSERT_EQ(holes.size(), 1u) << "they count for no limit";
  EXPECT_TRUE(holes[0].base == 50 && holes[0].end == 100);
  fill(1, 150, 160);
  harness.close();
  EXPECT_TRUE(check_store(harness.path())->sound());
  harness.open();
  EXPECT_EQ(read_all(1), ranges(0, 50, 100, 160));
}

// RocksDB's properties of a table file stand beside ours.
TEST_F(QuarantineTest, WhoseFileItIsCanBeTold) {
  fill_files();
  const SalvagedTable table = salvage_table(database_file(middle_));
  EXPECT_EQ(table.family, "blocks");
  EXPECT_EQ(table.newest.begin()->first, block_key({1, LogId::inbox}, 50));
}

TEST_F(QuarantineTest, AFileWhoseEndIsCutOffIsPutAsideAndItsBlocksAreKept) {
  fill_files();
  fs::resize_file(database_file(middle_), fs::file_size(database_file(middle_)) - 10);
  EXPECT_TRUE(quarantine().lost.empty());
  EXPECT_TRUE(fs::exists(harness.path() + "/quarantine" + middle_));
  harness.open();
  EXPECT_EQ(read_all(1), range(0, 150));
  EXPECT_EQ(told_, 0u);
  EXPECT_EQ(value(1, "k"), "new");
}

// RocksDB does not open it; which blocks it has is read from the blocks themselves.
TEST_F(QuarantineTest, AFileCutInTwoCostsTheBlocksThatAreGone) {
  const std::string large(2000, 'x');
  for (uint64_t offset = 0; offset < 100; ++offset) {
    ASSERT_EQ(commit(records(1, offset, {contract_message("t", large)})), CommitStatus::committed);
  }
  ASSERT_TRUE(harness.disk().database().flush().ok());
  std::string name;
  for (const rocksdb::LiveFileMetaData& file : files()) {
    if (file.column_family_name == "blocks") name = file.name;
  }
  fill(1, 100, 110);
  harness.close();
  fs::resize_file(database_file(name), fs::file_size(database_file(name)) / 2);
  quarantine();
  harness.open();
  const std::vector<uint64_t> got = read_all(1);
  ASSERT_GE(got.size(), 45u);
  EXPECT_EQ(got, ranges(0, got.size() - 10, 100, 110));
  EXPECT_EQ(got.size() + told_, 110u);
}

// As a file system leaves it that has lost what was written. Whatever stands there must not be searched for ever.
TEST_F(QuarantineTest, WhatIsBehindAHoleInAFileIsKept) {
  const std::string large(2000, 'x');
  const std::string mine = "01\x01" "3456789";  // what looks like entries of a table is a user's, too
  std::string tricky(3 << 20, '\0');
  for (std::size_t at = 0; at + 13 < tricky.size(); at += 13) tricky.replace(at, 13, std::string("\0\x0a\0", 3) + mine);
  for (uint64_t offset = 0; offset < 100; ++offset) {
    ASSERT_EQ(commit(records(1, offset, {contract_message("t", offset == 40 ? tricky : large)})), CommitStatus::committed);
  }
  ASSERT_TRUE(harness.disk().database().flush().ok());
  std::string name;
  for (const rocksdb::LiveFileMetaData& file : files()) {
    if (file.column_family_name == "blocks") name = file.name;
  }
  fill(1, 100, 110);
  harness.close();
  {
    std::fstream file(database_file(name), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(70'000);
    file << std::string(1 << 20, '\0');
  }
  quarantine();
  harness.open();
  const std::vector<uint64_t> got = read_all(1);
  EXPECT_GE(got.size(), 90u);
  EXPECT_LT(got.size(), 110u);
  EXPECT_EQ(got.size() + told_, 110u);
}

TEST_F(QuarantineTest, AManifestIsMadeAgain) {
  fill_files();
  for (const auto& entry : fs::directory_iterator(harness.path() + "/rocksdb")) {
    if (entry.path().filename().string().starts_with("MANIFEST")) change(entry.path().string(), 20);
  }
  EXPECT_NE(harness.try_open(), "");
  EXPECT_TRUE(quarantine().lost.empty());
  harness.open();
  EXPECT_EQ(read_all(1), range(0, 150));
  EXPECT_EQ(value(1, "k"), "new");
}

// What has been written out stands in RocksDB's log too while that is needed for another family: RocksDB's own repair
// makes two files of it, and does not take them.
TEST_F(QuarantineTest, AManifestIsMadeAgainWhereTheLogRepeatsAFile) {
  fill(1, 0, 20);
  ASSERT_TRUE(harness.disk().database().flush().ok());  // this the log does not repeat
  ASSERT_EQ(commit(operation(1, put("k", "v"))), CommitStatus::committed);
  fill(1, 20, 30);
  ASSERT_TRUE(harness.disk().database().db().Flush({}, harness.disk().database().blocks()).ok());
  fill(1, 30, 40);
  fill(2, 0, 20);
  harness.close();
  for (const auto& entry : fs::directory_iterator(harness.path() + "/rocksdb")) {
    if (entry.path().filename().string().starts_with("MANIFEST")) fs::resize_file(entry.path(), 20);
  }
  EXPECT_TRUE(quarantine().lost.empty());
  EXPECT_FALSE(fs::exists(harness.path() + "/quarantine/tables"));
  harness.open();
  EXPECT_EQ(read_all(1), range(0, 40));
  EXPECT_EQ(read_all(2), range(0, 20));
  EXPECT_EQ(value(1, "k"), "v");
}

// A file of keys whose sequence numbers others' lie within, as RocksDB's log of the time repeats it in parts: all of them on
// one level RocksDB does not take.
TEST_F(QuarantineTest, KeysOfNestedFilesComeBackAsTheyWere) {
  rocksdb::DB& database = harness.disk().database().db();
  const auto turn_log_over = [&] {  // a new one for what follows; the others are kept while blocks are not written out
    ASSERT_TRUE(database.Delete({}, harness.disk().database().index(), "none").ok());
    ASSERT_TRUE(database.Flush({}, harness.disk().database().index()).ok());
  };
  const auto set = [&](const std::string& key, const std::string& value) {
    ASSERT_EQ(commit(operation(1, put(key, value))), CommitStatus::committed);
  };
  const auto drop = [&](const std::string& key) { ASSERT_EQ(commit(operation(1, erase(key))), CommitStatus::committed); };
  const std::vector<std::string> all = {"changed early", "changed inside", "changed late", "changed twice", "dropped inside", "dropped late", "kept", "made again"};
  for (const std::string& key : all) set(key, "old");
  ASSERT_TRUE(harness.disk().database().flush().ok());
  fill(1, 0, 10);
  set("changed early", "new");
  turn_log_over();
  set("changed inside", "new");
  set("changed twice", "newer");
  drop("dropped inside");
  drop("made again");
  turn_log_over();
  set("changed twice", "new");
  set("came", "new");
  set("came and went", "new");
  ASSERT_TRUE(database.Flush({}, harness.disk().database().spaces()).ok());
  set("changed late", "new");
  set("made again", "new");
  drop("dropped late");
  drop("came and went");
  const auto expect_all = [&] {
    EXPECT_EQ(keys(1), (Texts{"came", "changed early", "changed inside", "changed late", "changed twice", "kept", "made again"}));
    EXPECT_EQ(value(1, "kept"), "old");
    for (const char* key : {"came", "changed early", "changed inside", "changed late", "changed twice", "made again"}) EXPECT_EQ(value(1, key), "new") << key;
    EXPECT_EQ(read_all(1), range(0, 10));
  };
  expect_all();
  harness.close();
  for (const auto& entry : fs::directory_iterator(harness.path() + "/rocksdb")) {
    if (entry.path().filename().string().starts_with("MANIFEST")) fs::resize_file(entry.path(), 20);
  }
  const Quarantined done = quarantine();
  EXPECT_TRUE(done.lost.empty());
  EXPECT_FALSE(done.keys.hit());
  EXPECT_FALSE(fs::exists(harness.path() + "/quarantine/tables"));
  harness.open();
  expect_all();
  set("kept", "new");
  harness.close();
  EXPECT_TRUE(check_store(harness.path())->sound());
  harness.open();
  EXPECT_EQ(value(1, "kept"), "new") << "what is written from now on is newer";
}

// What was trimmed is dropped but for a block, whose checksum the next one names: the index does not know either yet.
TEST_F(QuarantineTest, AMissingFirstBlockIsToldByOneBelowTheStart) {
  for (const bool reopened : {false, true}) {
    SCOPED_TRACE(reopened);
    const PartitionId partition = reopened ? 2 : 1;
    const LogName name{partition, LogId::inbox};
    for (uint64_t at = 0; at < 10; ++at) {
      ASSERT_EQ(commit(records(partition, at, {contract_message("t", std::string(kExtentBytes, 'p'))})), CommitStatus::committed);
    }
    store().trim(partition, LogId::inbox, 5);
    harness.settle();
    if (reopened) {
      harness.close();
      harness.open();
    }
    Database& database = harness.disk().database();
    ASSERT_TRUE(database.compact().ok());
    std::vector<std::string> keys = database.all_keys();
    std::erase_if(keys, [&](const std::string& key) { return !key.starts_with(log_prefix(name)) || key.size() != block_key(name, 0).size(); });
    ASSERT_FALSE(keys.empty());
    EXPECT_EQ(keys.front(), block_key(name, 4)) << "all below it is gone";
    ASSERT_TRUE(database.remove_for_test(block_key(name, 5)));
    ASSERT_TRUE(database.flush().ok());
    harness.close();
    for (const auto& entry : fs::directory_iterator(harness.path() + "/rocksdb")) {
      if (entry.path().filename().string().starts_with("MANIFEST")) change(entry.path().string(), 20);
    }
    const Quarantined done = quarantine();
    ASSERT_EQ(done.lost.size(), 1u);
    EXPECT_EQ(done.lost[0].log, name);
    EXPECT_EQ(done.lost[0].from, 5u);
    EXPECT_EQ(done.lost[0].upto, 6u);
    harness.open();
    EXPECT_EQ(read_all(partition), range(6, 10));
    EXPECT_EQ(told_, 1u) << "beside what was trimmed";
    fs::remove_all(harness.path() + "/quarantine");
  }
}

// It can be followed, to files of the past: RocksDB would remove those that came later.
TEST_F(QuarantineTest, AManifestThatEndsEarlyCostsNothing) {
  const auto manifest = [this] {
    for (const auto& entry : fs::directory_iterator(harness.path() + "/rocksdb")) {
      if (entry.path().filename().string().starts_with("MANIFEST")) return entry.path();
    }
    return fs::path();
  };
  fill(1, 0, 50);
  ASSERT_TRUE(harness.disk().database().flush().ok());
  const auto early = fs::file_size(manifest());
  fill(1, 50, 100);
  ASSERT_EQ(commit(operation(1, put("k", "new"))), CommitStatus::committed);
  ASSERT_TRUE(harness.disk().database().flush().ok());
  fill(1, 100, 150);
  harness.close();
  ASSERT_GT(fs::file_size(manifest()), early);
  fs::resize_file(manifest(), early);
  EXPECT_TRUE(quarantine().lost.empty());
  harness.open();
  EXPECT_EQ(read_all(1), range(0, 150));
  EXPECT_EQ(told_, 0u);
  EXPECT_EQ(value(1, "k"), "new");
}

// With the newest log behind it alone RocksDB would serve that, and remove every file that came between.
TEST_F(QuarantineTest, AManifestThatEndsEarlyIsRefused) {
  const auto manifest = [this] {
    for (const auto& entry : fs::directory_iterator(harness.path() + "/rocksdb")) {
      if (entry.path().filename().string().starts_with("MANIFEST")) return entry.path();
    }
    return fs::path();
  };
  const auto early = fs::file_size(manifest());
  fill(1, 0, 50);
  ASSERT_EQ(commit(operation(1, put("k", "v"))), CommitStatus::committed);
  ASSERT_TRUE(harness.disk().database().flush().ok());
  fill(1, 50, 100);
  harness.close();
  fs::resize_file(manifest(), early);
  EXPECT_NE(harness.try_open(), "");
  EXPECT_TRUE(quarantine().lost.empty());
  harness.open();
  EXPECT_EQ(read_all(1), range(0, 100));
  EXPECT_EQ(value(1, "k"), "v");
}

// Else its offsets would be given out again, over what is behind the damage.
TEST_F(QuarantineTest, AStoreThatDoesNotSayWhichLogsItHasIsRefused) {
  const LogId stream{7};
  ASSERT_EQ(commit(records(1, 0, {contract_message("t", "a"), contract_message("t", "b")}, stream)), CommitStatus::committed);
  ASSERT_TRUE(harness.disk().database().flush().ok());
  ASSERT_EQ(commit(records(1, 2, {contract_message("t", std::string(500, 'c'))}, stream)), CommitStatus::committed);
  ASSERT_TRUE(harness.disk().database().flush().ok());
  std::string newest;
  for (const rocksdb::LiveFileMetaData& file : files()) {
    if (file.column_family_name == "blocks") newest = std::max(newest, file.name);
  }
  harness.close();
  change(database_file(newest), 100);
  EXPECT_NE(check_store(harness.path())->refused.find("which logs"), std::string::npos) << "the check knows it, too";
  const std::string reason = harness.try_open();
  EXPECT_NE(reason.find("which logs"), std::string::npos) << reason;
  EXPECT_NE(reason.find("--quarantine"), std::string::npos) << reason;
  quarantine();
  harness.open();
  EXPECT_GE(store().bounds(1, stream).end, 3u);
  EXPECT_EQ(store().newest_log(), stream);
}

// Streams, sessions and last values that are not seen would be served as if they had never been.
TEST_F(QuarantineTest, AStoreWithDamagedKeysIsRefused) {
  ASSERT_EQ(commit(operation(1, put("k", std::string(200, 'v')))), CommitStatus::committed);
  ASSERT_TRUE(harness.disk().database().flush().ok());
  std::string keys;
  for (const rocksdb::LiveFileMetaData& file : files()) {
    if (file.column_family_name == "spaces") keys = file.name;
  }
  ASSERT_FALSE(keys.empty());
  harness.close();
  change(database_file(keys), 100);
  EXPECT_EQ(check_store(harness.path())->refused, kDamagedKeys) << "the check knows it, too";
  const std::string reason = harness.try_open();
  EXPECT_NE(reason.find("--quarantine"), std::string::npos) << reason;
  quarantine();
  harness.open();
}

// What was purged would be served again.
TEST_F(QuarantineTest, AStoreThatDoesNotSayWhereALogBeginsIsRefused) {
  fill(1, 0, 50);
  store().trim(1, LogId::inbox, 50);
  ASSERT_EQ(commit(operation(1, put("k", "v"))), CommitStatus::committed);
  ASSERT_TRUE(harness.disk().database().flush().ok());
  std::string index;
  for (const rocksdb::LiveFileMetaData& file : files()) {
    if (file.column_family_name == "index") index = file.name;
  }
  ASSERT_FALSE(index.empty());
  harness.close();
  change(database_file(index), 40);
  const auto found = check_store(harness.path());
  EXPECT_NE(found->refused, "");
  const std::string reason = harness.try_open();
  EXPECT_NE(reason.find("--quarantine"), std::string::npos) << reason;
  EXPECT_TRUE(quarantine().deleted_may_return);
  harness.open();
  EXPECT_GT(store().bounds(1, LogId::inbox).end, 50u) << "no offset is used twice";
}

// It would go on at a place that the next start, which reads no more, would give out again.
TEST_F(QuarantineTest, AStoreThatDoesNotSayWhereALogEndsIsRefused) {
  for (uint64_t at = 0; at < 2; ++at) {
    ASSERT_EQ(commit(records(2, at, {contract_message("t", std::string(20'000, 'a'))})), CommitStatus::committed);
  }
  ASSERT_TRUE(harness.disk().database().flush().ok());
  std::string blocks;
  for (const rocksdb::LiveFileMetaData& file : files()) {
    if (file.column_family_name == "blocks") blocks = file.name;
  }
  harness.close();
  change(database_file(blocks), 30'000);
  EXPECT_NE(check_store(harness.path())->refused.find("ends"), std::string::npos);
  const std::string reason = harness.try_open();
  EXPECT_NE(reason.find("ends"), std::string::npos) << reason;
  EXPECT_NE(reason.find("--quarantine"), std::string::npos) << reason;
  quarantine();
  harness.open();
  EXPECT_GE(store().bounds(2, LogId::inbox).end, 2u);
  EXPECT_EQ(read_all(2), range(0, 1));
}

TEST_F(QuarantineTest, CurrentIsWrittenAgain) {
  fill_files();
  fs::remove(database_file("CURRENT"));
  EXPECT_NE(harness.try_open(), "") << "and it is not taken for a new one";
  EXPECT_TRUE(quarantine().lost.empty());
  harness.open();
  EXPECT_EQ(read_all(1), range(0, 150));
}

TEST_F(QuarantineTest, AHoleInRocksDBsLogCostsWhatStoodThere) {
  fill_files();
  const std::string log = log_file();
  change(log, fs::file_size(log) / 2);
  EXPECT_FALSE(check_store(harness.path())->sound());
  const Quarantined done = quarantine();
  EXPECT_TRUE(done.keys.hit());
  ASSERT_FALSE(done.lost.empty());
  harness.open();
  const std::vector<uint64_t> got = read_all(1);
  EXPECT_GE(got.size(), 110u);
  EXPECT_EQ(std::vector<uint64_t>(got.begin(), got.begin() + 100), range(0, 100));
  EXPECT_GT(told_, 0u);
  const uint64_t end = store().bounds(1, LogId::inbox).end;
  EXPECT_GE(end, 150u) << "offsets are not used twice";
  EXPECT_EQ(commit(records(1, end, {contract_message("t", "x")})), CommitStatus::committed);
  EXPECT_EQ(payloads(read(request(1, end))), (std::vector<std::string>{"x"}));
}

// RocksDB, told to skip what is damaged, would read it for ever. A record is whole, or pieces: the first, some, the last.
TEST_F(QuarantineTest, ARecordThatSaysItIsOfALogUsedAgainIsMended) {
  ASSERT_EQ(commit(records(3, 0, {contract_message("t", std::string(100'000, 'x'))})), CommitStatus::committed);
  fill(1, 0, 50);
  harness.close();
  const std::string log = log_file();
  std::ifstream in(log, std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(in)), {});
  const std::string name = "rocksdb/" + fs::path(log).filename().string();
  constexpr std::size_t kPage = 32 << 10;
  const std::map<char, char> changed = {{1, 5}, {2, 6}, {3, 7}, {4, 5}};  // by one bit
  for (const auto& [kind, other] : changed) {
    SCOPED_TRACE(int{kind});
    std::size_t at = 0;  // of the kind: behind a checksum of four bytes and a length of two
    while (bytes.at(at + 6) != kind) {
      at += 7 + static_cast<unsigned char>(bytes[at + 4]) + (std::size_t{static_cast<unsigned char>(bytes[at + 5])} << 8);
      if (at % kPage + 7 > kPage) at += kPage - at % kPage;
    }
    std::fstream(log, std::ios::in | std::ios::out | std::ios::binary).seekp(static_cast<std::streamoff>(at + 6)).put(other);
    const auto found = check_store(harness.path());
    ASSERT_TRUE(found.ok());
    EXPECT_FALSE(found->sound());
    EXPECT_TRUE(std::any_of(found->damages.begin(), found->damages.end(), [&](const Damage& one) { return one.file == name; }));
    EXPECT_EQ(found->messages, 51u) << "the record is right again";
    std::ofstream(log, std::ios::binary) << bytes;
  }
  std::fstream(log, std::ios::in | std::ios::out | std::ios::binary).seekp(6).put(static_cast<char>(bytes[6] + 4));
  quarantine();
  EXPECT_TRUE(fs::exists(harness.path() + "/quarantine/" + fs::path(log).filename().string()));
  harness.open();
  EXPECT_EQ(read_all(1), range(0, 50));
  EXPECT_EQ(read_all(3), range(0, 1));
}

TEST_F(QuarantineTest, WhatWasAcknowledgedAndIsMissingIsServedWithout) {
  fill_files();
  fs::resize_file(log_file(), 0);
  EXPECT_NE(harness.try_open().find("lacks the end of what was acknowledged"), std::string::npos);
  harness.close();
  quarantine();
  harness.open();
  EXPECT_EQ(read_all(1), range(0, 100));
  EXPECT_GE(told_, 50u);
  EXPECT_GE(store().bounds(2, LogId::inbox).end, 10u) << "partition 2 was in the log alone";
  const auto unknown = [&] {
    const std::vector<OffsetRange> lost = store().lost(1, LogId::inbox);
    return lost.size() == 1 && lost[0].base == 100 && lost[0].end - lost[0].base > kLostCountKnownMax;
  };
  EXPECT_TRUE(unknown());
  store().trim(1, LogId::inbox, store().bounds(1, LogId::inbox).end);
  ASSERT_EQ(commit(operation(1, put("k", "v"))), CommitStatus::committed);
  ASSERT_TRUE(harness.disk().database().compact().ok());
  harness.close();
  harness.open();
  EXPECT_TRUE(unknown()) << "or it would be counted as if it had been messages";
}

TEST_F(QuarantineTest, ADamagedMarkIsWrittenAgain) {
  fill_files();
  change(harness.path() + "/high-water", 3);
  change(harness.path() + "/high-water", 515);
  EXPECT_TRUE(quarantine().lost.empty());
  harness.open();
  EXPECT_EQ(read_all(1), range(0, 150));
}

TEST_F(QuarantineTest, AFormatIsTakenFromItsCopy) {
  fill_files();
  for (const std::size_t at : {std::size_t{0}, std::size_t{4}, std::size_t{12}, std::size_t{40}}) {
    const bool gone = at == 0;
    if (gone) {
      fs::remove(harness.path() + "/format");
    } else {
      change(harness.path() + "/format", at);
    }
    const std::string reason = harness.try_open();
    EXPECT_NE(reason.find("--quarantine"), std::string::npos) << reason;
    auto done = quarantine_store(harness.path(), "quarantine " + std::to_string(at));
    ASSERT_TRUE(done.ok()) << done.error().reason;
    EXPECT_EQ(done->findings.damages.size(), 1u);
    EXPECT_TRUE(done->lost.empty());
    harness.open();
    EXPECT_EQ(read_all(1), range(0, 150));
    harness.close();
  }
}

TEST_F(QuarantineTest, WithoutAFormatAStoreIsBeyondHelp) {
  fill_files();
  fs::remove(harness.path() + "/format");
  fs::remove(harness.path() + "/format.copy");
  const auto done = quarantine_store(harness.path(), "quarantine");
  ASSERT_FALSE(done.ok());
  EXPECT_NE(done.error().reason.find("no file \"format\""), std::string::npos);
}

TEST_F(QuarantineTest, ACheckpointHasEverythingSoFar) {
  fill(1, 0, 50);
  ASSERT_TRUE(harness.disk().database().flush().ok());
  fill(1, 50, 70);
  harness.disk().mark_high_water();
  ASSERT_TRUE(make_checkpoint(harness.disk().database(), harness.path(), "checkpoint-1").ok());
  fill(1, 70, 80);
  ASSERT_TRUE(copy_store(harness.path() + "/checkpoint-1", harness.beside("copy")).ok());
  EXPECT_EQ(read_stats(harness.beside("copy"))->total().messages, 70u);
  EXPECT_TRUE(check_store(harness.beside("copy"))->sound());
  remove_checkpoints(harness.path());
  EXPECT_FALSE(fs::exists(harness.path() + "/checkpoint-1"));
}

TEST_F(QuarantineTest, ACopyNeedsAnEmptyFolderAndAStoppedStore) {
  fill_files();
  fs::create_directory(harness.beside("full"));
  std::ofstream(harness.beside("full") + "/x") << "x";
  EXPECT_FALSE(copy_stopped_store(harness.path(), harness.beside("full")).ok());
  EXPECT_FALSE(copy_store(harness.beside("full"), harness.beside("copy")).ok()) << "no store";
  ASSERT_TRUE(copy_stopped_store(harness.path(), harness.beside("copy")).ok());
  EXPECT_EQ(read_stats(harness.beside("copy"))->total().messages, 160u);
  harness.open();
  EXPECT_FALSE(copy_stopped_store(harness.path(), harness.beside("other")).ok());
}

}  // namespace
}  // namespace arena::engine
