// Goal: the memory engine keeps the store's contract, and its disk fills up, fails and counts as the simulator needs.
#include "engine/memory/memory_store.h"

#include <gtest/gtest.h>

#include "engine/block.h"
#include "engine/contract_test_suite.h"
#include "engine/test_loop.h"

namespace arena::engine {
namespace {

class MemoryHarness {
 public:
  Store& store() { return *store_; }
  void settle() { loop_.run_until_idle(); }
  void reopen() {
    store_.reset();
    store_ = std::make_unique<MemoryStore>(loop_, disk_);
  }
  void set_full(bool full) { disk_.set_bytes_max(full ? disk_.used_bytes() : 0); }
  void fail_device() { disk_.fail_after(0); }
  bool corrupt(PartitionId partition, LogId log, uint64_t offset) { return disk_.corrupt(partition, log, offset); }

  MemoryDisk& disk() { return disk_; }

 private:
  ManualLoop loop_;
  MemoryDisk disk_{kPartitions};
  std::unique_ptr<MemoryStore> store_ = std::make_unique<MemoryStore>(loop_, disk_);
};

}  // namespace

INSTANTIATE_TYPED_TEST_SUITE_P(Memory, StoreContract, MemoryHarness);

namespace {

using MemoryStoreTest = StoreContract<MemoryHarness>;

TEST_F(MemoryStoreTest, SpaceIsCountedAndGivenBack) {
  fill(1, 0, 100);
  ASSERT_EQ(commit(operation(1, put("k", std::string(1000, 'v')))), CommitStatus::committed);
  ASSERT_EQ(commit(operation(1, put("k", "short"))), CommitStatus::committed);
  EXPECT_GT(harness.disk().used_bytes(), store().bounds(1, LogId::inbox).bytes);
  ASSERT_EQ(commit(operation(1, erase("k"))), CommitStatus::committed);
  EXPECT_EQ(harness.disk().used_bytes(), store().bounds(1, LogId::inbox).bytes);
  store().trim(1, LogId::inbox, 100);
  EXPECT_EQ(harness.disk().used_bytes(), 0u);
}

TEST_F(MemoryStoreTest, TrimmingMakesRoom) {
  fill(1, 0, 100);
  harness.disk().set_bytes_max(harness.disk().used_bytes() + 10);
  EXPECT_EQ(commit(records(1, 100, {contract_message("t", "x")})), CommitStatus::full);
  store().trim(1, LogId::inbox, 50);
  EXPECT_EQ(commit(records(1, 100, {contract_message("t", "x")})), CommitStatus::committed);
}

TEST_F(MemoryStoreTest, WhatASlowDiskHasNotTakenYetIsLostWithTheStore) {
  harness.disk().set_commit_delay_ms(1);
  bool done = false;
  store().commit(operation(1, put("k", "v")), [&](CommitStatus) { done = true; });
  EXPECT_TRUE(store().scan(1, Space::sessions, {}, {}, 10).empty());
  harness.reopen();
  harness.settle();
  EXPECT_FALSE(done);
  EXPECT_TRUE(store().scan(1, Space::sessions, {}, {}, 10).empty());
}

TEST_F(MemoryStoreTest, DeviceFailsAfterSoManyCommits) {
  harness.disk().fail_after(2);
  EXPECT_EQ(commit(operation(1, put("a", "1"))), CommitStatus::committed);
  EXPECT_EQ(commit(operation(1, put("b", "1"))), CommitStatus::committed);
  EXPECT_EQ(commit(operation(1, put("c", "1"))), CommitStatus::failed);
  EXPECT_EQ(commit(operation(1, put("c", "1"))), CommitStatus::failed);
  harness.disk().repair();
  EXPECT_EQ(commit(operation(1, put("c", "1"))), CommitStatus::committed);
}

TEST_F(MemoryStoreTest, WhatWaitedWhenTheStoreDiedNeverHappened) {
  store().commit(records(1, 0, {contract_message("t", "1")}), [](CommitStatus) { FAIL() << "called after death"; });
  harness.reopen();
  harness.settle();
  EXPECT_EQ(store().bounds(1, LogId::inbox).end, 0u);
}

TEST_F(MemoryStoreTest, ACallbackMayDestroyTheStore) {
  store().commit(records(1, 0, {contract_message("t", "1")}), [&](CommitStatus) { harness.reopen(); });
  store().commit(records(1, 1, {contract_message("t", "2")}), [](CommitStatus) { FAIL() << "called after death"; });
  harness.settle();
  EXPECT_EQ(payloads(read(request(1))), (std::vector<std::string>{"1"}));
}

}  // namespace
}  // namespace arena::engine
