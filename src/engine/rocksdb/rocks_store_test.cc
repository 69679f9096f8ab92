// Goal: the disk engine keeps the store's contract, in a folder of its own.
#include "engine/rocksdb/rocks_store.h"

#include <gtest/gtest.h>
#include <rocksdb/db.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include "base/hash.h"
#include "engine/contract_test_suite.h"
#include "engine/rocksdb/log_reader.h"
#include "engine/rocksdb/store_stats.h"
#include "engine/rocksdb/test_disk.h"
#include "engine/test_loop.h"

namespace arena::engine {
namespace {

constexpr uint64_t kReserveBytes = 1 << 20;

class RocksHarness {
 public:
  RocksHarness() { open(); }

  Store& store() { return *store_; }
  void settle() { loop_.run_until_idle(); }
  void reopen() {
    close();
    open();
  }
  void set_full(bool full) { free_bytes_ = full ? 0 : UINT64_MAX; }
  void set_free_bytes(uint64_t bytes) { free_bytes_ = bytes; }
  void fail_device() { files_.fail(); }
  bool corrupt(PartitionId partition, LogId log, uint64_t offset) { return disk_->corrupt({partition, log}, offset); }

  void close() {
    store_.reset();
    disk_.reset();
  }
  Result<std::shared_ptr<RocksDisk>> try_open(PartitionId partitions = kPartitions) {
    RocksOptions options;
    options.path = folder_.path();
    options.partitions = partitions;
    options.env = files_.env();
    options.reserve_bytes = kReserveBytes;
    options.free_bytes = [this] { return free_bytes_; };
    return RocksDisk::open(std::move(options));
  }
  void open() {
    auto opened = try_open();
    ASSERT_TRUE(opened.ok()) << opened.error().reason;
    disk_ = std::move(*opened);
    store_ = std::make_unique<RocksStore>(loop_, disk_);
  }
  RocksDisk& disk() { return *disk_; }
  const std::string& path() const { return folder_.path(); }
  ManualLoop& loop() { return loop_; }

 private:
  TestFolder folder_;
  TestFiles files_;
  ManualLoop loop_;
  uint64_t free_bytes_ = UINT64_MAX;
  std::shared_ptr<RocksDisk> disk_;
  std::unique_ptr<RocksStore> store_;
};

}  // namespace

INSTANTIATE_TYPED_TEST_SUITE_P(Rocks, StoreContract, RocksHarness);

namespace {

using RocksStoreTest = StoreContract<RocksHarness>;

TEST_F(RocksStoreTest, CommitsOfATurnAreOneGroup) {
  const uint64_t before = harness.disk().database().sequence();
  int answered = 0;
  for (PartitionId partition = 0; partition < kPartitions; ++partition) {
    store().commit(records(partition, 0, {contract_message("t", "x")}), [&](CommitStatus) { ++answered; });
  }
  while (answered == 0) ASSERT_TRUE(harness.loop().turn());
  EXPECT_EQ(answered, kPartitions) << "all of them with the first";
  EXPECT_EQ(harness.disk().database().sequence(), before + kPartitions);
}

TEST_F(RocksStoreTest, IsFullWithLessThanItsReserveFree) {
  const auto message = [&] { return commit(records(1, store().bounds(1, LogId::inbox).end, {contract_message("t", "x")})); };
  harness.set_free_bytes(kReserveBytes - 1);
  EXPECT_EQ(message(), CommitStatus::full);
  EXPECT_EQ(commit(operation(1, put("topic", "value", Space::retained))), CommitStatus::full);
  EXPECT_EQ(commit(operation(1, put("k", "v"))), CommitStatus::committed) << "the reserve is for what is known of messages";
  harness.set_free_bytes(kReserveBytes / 2 - 1);
  EXPECT_EQ(commit(operation(1, put("k", "v"))), CommitStatus::full);
  EXPECT_EQ(commit(operation(1, erase("k"))), CommitStatus::committed);
  harness.set_free_bytes(kReserveBytes);
  EXPECT_EQ(message(), CommitStatus::committed);
}

class RocksLog : public RocksStoreTest {
 protected:
  // Messages of 1 KB in commits of a hundred, from the log's end on; topic "t/<offset % 100>".
  void fill_much(PartitionId partition, uint64_t upto) {
    for (uint64_t at = store().bounds(partition, LogId::inbox).end; at < upto;) {
      std::vector<MessageRef> messages;
      const uint64_t base = at;
      for (int i = 0; i < 100 && at < upto; ++i, ++at) {
        messages.push_back(contract_message("t/" + std::to_string(at % 100), std::string(1000, 'p')));
      }
      ASSERT_EQ(commit(records(partition, base, std::move(messages))), CommitStatus::committed);
    }
  }
  std::vector<uint64_t> read_all(ReadRequest wanted) {
    std::vector<uint64_t> out;
    wanted.bytes_max = 64 << 20;
    for (int steps = 0; steps < 1000; ++steps) {
      ReadRequest step = request(wanted.partition, wanted.from);
      step.topic = wanted.topic;
      const ReadResult result = read(std::move(step));
      EXPECT_TRUE(result.status.ok());
      for (const uint64_t offset : offsets(result)) out.push_back(offset);
      wanted.from = result.next;
      if (result.next >= store().bounds(wanted.partition, LogId::inbox).end) return out;
    }
    ADD_FAILURE() << "reading does not end";
    return out;
  }
};

TEST_F(RocksLog, SegmentsAndTheirIndexSurvive) {
  fill_much(1, 5000);  // five segments
  for (int round = 0; round < 3; ++round) {
    for (const uint64_t from : {uint64_t{0}, uint64_t{1234}, uint64_t{4990}}) {
      ReadRequest wanted = request(1, from);
      EXPECT_EQ(read_all(std::move(wanted)).size(), 5000 - from);
      wanted = request(1, from);
      wanted.topic = "t/34";
      std::vector<uint64_t> want;
      for (uint64_t at = 34; at < 5000; at += 100) {
        if (at >= from) want.push_back(at);
      }
      EXPECT_EQ(read_all(std::move(wanted)), want) << from;
    }
    harness.reopen();
  }
  EXPECT_EQ(harness.disk().damaged(), 0u);
}

TEST_F(RocksLog, ReadingOneTopicLooksAtItsBlocksAlone) {
  fill_much(1, 3000);
  ASSERT_EQ(commit(records(1, 3000, {contract_message("rare", "x")})), CommitStatus::committed);
  fill_much(1, 6000);
  const LogState& log = *harness.disk().logs().find({1, LogId::inbox});
  FetchRequest wanted;
  wanted.upto = 6000;
  wanted.topic = topic_hash(harness.disk().secret(), "rare");
  for (int round = 0; round < 2; ++round) {
    const Fetched fetched = fetch_blocks(harness.disk().database(), log, wanted);
    ASSERT_EQ(fetched.blocks.size(), 1u);
    EXPECT_EQ(fetched.next, 6000u);
  }
}

TEST_F(RocksLog, BytesFallAsItIsTrimmed) {
  fill_much(1, 5000);
  const uint64_t all = store().bounds(1, LogId::inbox).bytes;
  EXPECT_GT(all, 5'000'000u);
  for (int round = 0; round < 2; ++round) {
    store().trim(1, LogId::inbox, 2500);
    EXPECT_LT(store().bounds(1, LogId::inbox).bytes, all * 3 / 4) << "at once";
    EXPECT_GT(store().bounds(1, LogId::inbox).bytes, all / 2 - 1000);
    harness.settle();
    harness.reopen();
  }
  store().trim(1, LogId::inbox, 5000);
  EXPECT_EQ(store().bounds(1, LogId::inbox).bytes, 0u);
  harness.settle();
  harness.reopen();
  EXPECT_EQ(store().bounds(1, LogId::inbox).bytes, 0u);
  EXPECT_EQ(store().bounds(1, LogId::inbox).end, 5000u);
  fill_much(1, 5100);
  harness.reopen();
  EXPECT_EQ(read_all(request(1, 5000)).size(), 100u);
  EXPECT_EQ(harness.disk().damaged(), 0u) << "the chain goes on where all was trimmed";
}

// A budget is of all partitions: were the last megabyte of each counted until it is full, it could be used up by what is gone.
TEST_F(RocksLog, BytesFallThoughNoSegmentIsFull) {
  for (PartitionId partition = 1; partition < kPartitions; ++partition) {
    std::vector<MessageRef> messages(30, contract_message("t", std::string(20'000, 'x')));
    for (uint64_t i = 0; i < messages.size(); ++i) ASSERT_EQ(commit(records(partition, i, {messages[i]})), CommitStatus::committed);
    store().trim(partition, LogId::inbox, 28);
    EXPECT_NEAR(static_cast<double>(store().bounds(partition, LogId::inbox).bytes), 40'000, 2000);
  }
  harness.settle();
  harness.reopen();
  EXPECT_NEAR(static_cast<double>(store().bounds(1, LogId::inbox).bytes), 40'000, 2000);
}

TEST_F(RocksLog, TellsWhereItsBytesLie) {
  std::vector<MessageRef> large, small;
  for (int i = 0; i < 30; ++i) large.push_back(contract_message("t", std::string(100'000, 'l')));
  for (int i = 0; i < 20'000; ++i) small.push_back(contract_message("t", std::string(100, 's')));
  ASSERT_EQ(commit(records(1, 0, large)), CommitStatus::committed);
  ASSERT_EQ(commit(records(1, 30, small)), CommitStatus::committed);
  const auto measure = [&]() -> const Store& { return store(); };
  const auto from = [&](uint64_t offset) { return static_cast<double>(measure().bytes_from(1, LogId::inbox, offset)); };
  const auto behind = [&](uint64_t offset, double bytes) { return measure().offset_behind(1, LogId::inbox, offset, static_cast<uint64_t>(bytes)); };
  const auto all = static_cast<double>(store().bounds(1, LogId::inbox).bytes);
  const double of_small = from(30);
  EXPECT_EQ(from(0), all);
  EXPECT_EQ(from(20'030), 0);
  EXPECT_NEAR(from(5), all - 500'000, 2000);
  EXPECT_NEAR(of_small, all - 3'000'000, 10'000);
  EXPECT_NEAR(from(10'030), of_small / 2, 5000);
  EXPECT_EQ(behind(0, 0), 0u);
  EXPECT_EQ(behind(0, 1), 1u) << "a message is there or not";
  EXPECT_EQ(behind(2, 250'000), 5u);
  EXPECT_NEAR(static_cast<double>(behind(30, of_small / 4)), 5030, 30);
  EXPECT_EQ(behind(30, all), 20'030u);
  EXPECT_EQ(measure().bytes_from(2, LogId::inbox, 0), 0u);
  EXPECT_EQ(measure().offset_behind(2, LogId::inbox, 0, 100), 0u);
  store().trim(1, LogId::inbox, 8);
  EXPECT_NEAR(from(8), of_small + 2'200'000, 10'000);
  harness.settle();
  harness.reopen();
  EXPECT_NEAR(from(8), of_small + 2'200'000, 10'000);
  EXPECT_NEAR(from(10'030), of_small / 2, 1 << 20) << "whole segments, and in proportion between their ends";
  EXPECT_NEAR(static_cast<double>(behind(8, 1'500'000)), 23, 12);
}

TEST_F(RocksLog, TrimmedFilesAreRemovedAndNothingElse) {
  fill_much(1, 40'000);
  fill_much(2, 5000);
  ASSERT_TRUE(harness.disk().database().compact().ok());
  const uint64_t before = harness.disk().database().file_bytes();
  ASSERT_GT(before, 40u << 20);
  store().trim(1, LogId::inbox, 35'555);
  harness.settle();
  harness.disk().clean();
  EXPECT_LT(harness.disk().database().file_bytes(), before / 2);
  EXPECT_EQ(read_all(request(1, 0)).size(), 40'000u - 35'555u);
  EXPECT_EQ(read_all(request(2, 0)).size(), 5000u);
  harness.reopen();
  ASSERT_TRUE(harness.disk().database().compact().ok());  // the rest goes when files are rewritten
  EXPECT_LT(harness.disk().database().file_bytes(), 12u << 20);
  EXPECT_EQ(read_all(request(1, 0)).size(), 40'000u - 35'555u);
  EXPECT_EQ(harness.disk().damaged(), 0u);
}

// Files from memory hold blocks of several logs: each goes when the last of them is trimmed, and what is left is not rewritten.
TEST_F(RocksLog, FilesFromMemoryGoUnreadWhenAllThatTheyHoldIsTrimmed) {
  Database* database = &harness.disk().database();
  for (const uint64_t upto : {uint64_t{3000}, uint64_t{6000}}) {
    fill_much(1, upto);
    fill_much(2, upto);
    ASSERT_TRUE(database->flush().ok());
  }
  const uint64_t before = database->file_bytes();
  ASSERT_GT(before, 11u << 20);
  const auto bytes_after_trimming = [&](PartitionId partition, uint64_t to) {
    store().trim(partition, LogId::inbox, to);
    harness.settle();
    harness.disk().clean();
    return harness.disk().database().file_bytes();
  };
  EXPECT_EQ(bytes_after_trimming(1, 4500), before) << "the other log's blocks are still wanted";
  EXPECT_EQ(bytes_after_trimming(2, 3001), before) << "a block below the start stays";
  EXPECT_LT(bytes_after_trimming(2, 3500), before * 6 / 10);
  EXPECT_EQ(read_all(request(1, 0)).size(), 1500u);
  EXPECT_EQ(read_all(request(2, 0)).size(), 2500u);
  harness.reopen();  // which file holds what is known again
  EXPECT_GT(bytes_after_trimming(1, 6000), before * 4 / 10);
  EXPECT_LT(bytes_after_trimming(2, 6000), 1u << 20);
  fill_much(1, 6100);
  harness.reopen();
  EXPECT_EQ(read_all(request(1, 0)).size(), 100u);
  EXPECT_EQ(harness.disk().damaged(), 0u);
}

TEST_F(RocksLog, FilesWaitToBeMergedWhileTheLogsHoldLittle) {
  Database& database = harness.disk().database();
  const auto files = [&] { return database.db().GetOptions(database.blocks()).level0_file_num_compaction_trigger; };
  EXPECT_EQ(files(), 18);
  database.suit(100 << 20);
  EXPECT_EQ(files(), 18);
  database.suit(110 << 20);
  EXPECT_EQ(files(), 4);
  database.suit(100 << 20);
  EXPECT_EQ(files(), 4) << "not with every commit";
  database.suit(70 << 20);
  EXPECT_EQ(files(), 18);
}

TEST_F(RocksLog, ADamagedLastBlockIsToldAndItsOffsetsAreNotUsedAgain) {
  for (const bool header : {false, true}) {
    SCOPED_TRACE(header);
    const PartitionId partition = header ? 1 : 2;
    fill(partition, 0, 5);
    ASSERT_TRUE(harness.disk().corrupt({partition, LogId::inbox}, 4, header));
    harness.reopen();
    EXPECT_GT(harness.disk().damaged(), 0u);
    EXPECT_GE(store().bounds(partition, LogId::inbox).end, 5u);
    const ReadResult result = read(request(partition));
    EXPECT_EQ(offsets(result), (std::vector<uint64_t>{0, 1, 2, 3}));
    EXPECT_FALSE(result.status.ok());
    const uint64_t end = store().bounds(partition, LogId::inbox).end;
    EXPECT_EQ(commit(records(partition, end, {contract_message("t", "x")})), CommitStatus::committed);
    harness.reopen();
    EXPECT_EQ(store().bounds(partition, LogId::inbox).end, end + 1);
    EXPECT_EQ(payloads(read(request(partition, end))), (std::vector<std::string>{"x"}));
  }
}

TEST_F(RocksLog, AMissingBlockIsTold) {
  fill(1, 0, 5);
  ASSERT_TRUE(harness.disk().database().remove_for_test(block_key({1, LogId::inbox}, 2)));
  const ReadResult result = read(request(1));
  EXPECT_EQ(offsets(result), (std::vector<uint64_t>{0, 1}));
  EXPECT_FALSE(result.status.ok()) << "the chain says so";
  EXPECT_EQ(result.next, 3u);
  EXPECT_EQ(offsets(read(request(1, 3))), (std::vector<uint64_t>{3, 4}));
  ReadRequest topic = request(1);
  topic.topic = "t/2";
  EXPECT_FALSE(read(std::move(topic)).status.ok()) << "and so does the index";
  harness.reopen();
  EXPECT_GT(harness.disk().damaged(), 0u);
}

testing::AssertionResult says(const std::string& text, const std::string& part) {
  if (text.find(part) != std::string::npos) return testing::AssertionSuccess();
  return testing::AssertionFailure() << "\"" << text << "\" does not say \"" << part << "\"";
}

class RocksFolder : public RocksStoreTest {
 protected:
  std::string reason(PartitionId partitions = kPartitions) {
    auto opened = harness.try_open(partitions);
    return opened.ok() ? "(none)" : opened.error().reason;
  }
  std::string file(const char* name) const { return harness.path() + "/" + name; }
  static std::string content(const std::string& path) {
    std::ifstream in(path);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  static void write(const std::string& path, const std::string& text) { std::ofstream(path) << text; }
  void replace_in_format(const std::string& from, const std::string& to) {
    std::string text = content(file("format"));
    text.replace(text.find(from), from.size(), to);
    write(file("format"), text);
  }
};

TEST_F(RocksFolder, IsUsedByOneAtATime) {
  EXPECT_TRUE(says(reason(), harness.path() + " is in use by process " + std::to_string(::getpid())));
  harness.close();
  EXPECT_EQ(reason(), "(none)");
}

TEST_F(RocksFolder, OfALaterFormatIsRefused) {
  harness.close();
  replace_in_format("arena-store 2", "arena-store 3");
  EXPECT_TRUE(says(reason(), harness.path() + " was written by a later release (format 3, this one knows 2)"));
  EXPECT_TRUE(says(StoreFolder::format_of(harness.path()).error().reason, "was written by a later release"));
  EXPECT_EQ(*StoreFolder::format_of(harness.path() + "-that-is-not-there"), 0u);
}

TEST_F(RocksFolder, OfAnEarlierFormatIsTakenAndMarked) {
  harness.close();
  const std::string now = content(file("format"));
  replace_in_format("arena-store 2", "arena-store 1");
  std::string before = content(file("format"));
  before.resize(before.rfind("checksum "));
  write(file("format"), before + "checksum " + std::to_string(checksum32(before)) + "\n");
  EXPECT_EQ(*StoreFolder::format_of(harness.path()), 1u);
  EXPECT_EQ(read_stats(harness.path())->format, 1u);
  EXPECT_EQ(reason(), "(none)");
  EXPECT_EQ(*StoreFolder::format_of(harness.path()), 2u) << "also while it is open";
  EXPECT_EQ(content(file("format")), now) << "an earlier release would not know the blocks that are written from now on";
  EXPECT_EQ(content(file("format.copy")), now);
}

TEST_F(RocksFolder, WithAnotherNumberOfPartitionsIsRefused) {
  harness.close();
  EXPECT_TRUE(says(reason(kPartitions + 1), "has 4 partitions, and this broker 5"));
}

TEST_F(RocksFolder, WithADamagedFormatIsRefused) {
  harness.close();
  replace_in_format("secret ", "secret 0");
  EXPECT_TRUE(says(reason(), "format is damaged"));
  std::filesystem::remove(file("format"));
  EXPECT_TRUE(says(reason(), "no file \"format\""));
}

TEST_F(RocksFolder, ThatIsAFileIsRefused) {
  RocksOptions options;
  options.path = file("format");
  const auto opened = RocksDisk::open(std::move(options));
  ASSERT_FALSE(opened.ok());
  EXPECT_TRUE(says(opened.error().reason, "is no folder"));
}

TEST_F(RocksFolder, ThatLostWhatWasAcknowledgedIsNotServed) {
  fill(1, 0, 10);
  harness.close();  // marks how far it came
  std::filesystem::remove_all(file("rocksdb"));
  EXPECT_TRUE(says(reason(), "lacks the end of what was acknowledged"));
  EXPECT_TRUE(says(reason(), "arena store check --quarantine " + harness.path()));
  std::filesystem::remove(file("high-water"));
  EXPECT_EQ(reason(), "(none)") << "the operator's word";
}

TEST_F(RocksFolder, WithADamagedMarkIsNotServed) {
  fill(1, 0, 3);
  harness.close();
  std::string mark = content(file("high-water"));
  ASSERT_FALSE(mark.empty());
  for (char& byte : mark) byte = static_cast<char>(byte ^ 0x55);
  write(file("high-water"), mark);
  EXPECT_TRUE(says(reason(), "high-water: it is damaged"));
}

TEST_F(RocksFolder, HoldsNoTextOfUsersInItsKeys) {
  ASSERT_EQ(commit(records(1, 0, {contract_message("secret-topic", "secret-payload")})), CommitStatus::committed);
  ASSERT_EQ(commit(operation(1, put("secret-key", "secret-value", Space::retained))), CommitStatus::committed);
  for (const std::string& key : harness.disk().database().all_keys()) {
    EXPECT_EQ(key.find("secret"), std::string::npos);
  }
}

}  // namespace
}  // namespace arena::engine
