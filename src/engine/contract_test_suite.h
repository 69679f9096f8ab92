// What every engine must do: engine/store.h as tests. An engine's test instantiates the suite with its harness:
//
//   INSTANTIATE_TYPED_TEST_SUITE_P(Memory, StoreContract, MemoryHarness);
//
// A harness is default constructible, gives an empty store with kPartitions partitions, and has
//   Store& store();
//   void settle();                          // runs the loop until every callback that is due has run
//   void reopen();                          // crash and recovery: what was committed is there, what waited is not
//   void set_full(bool);                    // no space for another byte; and space again
//   void fail_device();                     // from now on every commit fails
//   bool corrupt(PartitionId, LogId, uint64_t offset);  // damages the stored block that holds the offset
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "engine/test_fixture.h"

namespace arena::engine {

TYPED_TEST_SUITE_P(StoreContract);

TYPED_TEST_P(StoreContract, StartsEmpty) {
  const LogBounds bounds = this->store().bounds(1, LogId::inbox);
  EXPECT_EQ(bounds.start, 0u);
  EXPECT_EQ(bounds.end, 0u);
  const ReadResult result = this->read(this->request(1));
  EXPECT_TRUE(result.status.ok());
  EXPECT_TRUE(result.records.empty());
  EXPECT_EQ(result.next, 0u);
  EXPECT_TRUE(this->keys(1).empty());
}

TYPED_TEST_P(StoreContract, ReturnsWhatWasCommittedUnchanged) {
  auto* made = new Message;
  made->id = {7, 9};
  made->topic = "a//b";
  made->payload = std::string("\0\xff", 2);
  made->principal = "ann";
  made->publisher = 77;
  made->published_ms = 123;
  made->expires_ms = 456;
  made->guarantee = Guarantee::exactly_once;
  made->retain = true;
  auto extras = std::make_unique<Extras>();
  extras->headers = {{"k", "1"}, {"k", "2"}};
  extras->has_correlation = true;
  made->extras = std::move(extras);
  ASSERT_EQ(this->commit(this->records(1, 5, {MessageRef(made)})), CommitStatus::committed);
  this->harness.reopen();
  const ReadResult result = this->read(this->request(1));
  ASSERT_EQ(this->offsets(result), (std::vector<uint64_t>{5}));
  const Message& got = *result.records[0].message;
  EXPECT_EQ(got.id, (MessageId{7, 9}));
  EXPECT_EQ(got.topic, "a//b");
  EXPECT_EQ(got.payload, std::string("\0\xff", 2));
  EXPECT_EQ(got.principal, "ann");
  EXPECT_EQ(got.publisher, 77u);
  EXPECT_EQ(got.published_ms, 123);
  EXPECT_EQ(got.expires_ms, 456);
  EXPECT_EQ(got.guarantee, Guarantee::exactly_once);
  EXPECT_TRUE(got.retain);
  ASSERT_NE(got.extras, nullptr);
  EXPECT_TRUE(got.extras->has_correlation);
  EXPECT_EQ(got.extras->headers, (std::vector<Header>{{"k", "1"}, {"k", "2"}}));
}

TYPED_TEST_P(StoreContract, BatchIsAllOrNothing) {
  Batch batch = this->records(2, 0, {contract_message("t", "1"), contract_message("t", "2")});
  batch.operations = {this->put("k", "v"), this->put("r", "w", Space::retained)};
  bool called = false;
  this->store().commit(std::move(batch), [&](CommitStatus) { called = true; });
  this->harness.reopen();  // before it was answered: all of it or none
  this->harness.settle();
  EXPECT_FALSE(called) << "a closed store called back";
  const std::size_t records = this->read(this->request(2)).records.size();
  EXPECT_TRUE(records == 0 || records == 2) << records;
  EXPECT_EQ(this->value(2, "k"), records == 2 ? "v" : "(none)");
  EXPECT_EQ(this->value(2, "r", Space::retained), records == 2 ? "w" : "(none)");
}

TYPED_TEST_P(StoreContract, AnsweredMeansItSurvives) {
  Batch batch = this->records(2, 0, {contract_message("t", "1"), contract_message("t", "2")});
  batch.operations = {this->put("k", "v")};
  ASSERT_EQ(this->commit(std::move(batch)), CommitStatus::committed);
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(this->payloads(this->read(this->request(2))), (std::vector<std::string>{"1", "2"}));
    EXPECT_EQ(this->value(2, "k"), "v");
    EXPECT_EQ(this->store().bounds(2, LogId::inbox).end, 2u);
    this->harness.reopen();
  }
  EXPECT_EQ(this->commit(this->records(2, 2, {contract_message("t", "3")})), CommitStatus::committed);
  EXPECT_EQ(this->payloads(this->read(this->request(2))), (std::vector<std::string>{"1", "2", "3"}));
}

TYPED_TEST_P(StoreContract, CommitsOfAPartitionKeepTheirOrder) {
  std::vector<int> answered;
  for (int i = 0; i < 20; ++i) {
    Batch batch = this->records(1, static_cast<uint64_t>(i), {contract_message("t", std::to_string(i))});
    batch.operations = {this->put("last", std::to_string(i))};
    this->store().commit(std::move(batch), [&, i](CommitStatus status) {
      EXPECT_EQ(status, CommitStatus::committed);
      EXPECT_GT(this->store().bounds(1, LogId::inbox).end, static_cast<uint64_t>(i));
      answered.push_back(i);
    });
  }
  EXPECT_TRUE(answered.empty()) << "called back inside the call";
  this->harness.settle();
  ASSERT_EQ(answered.size(), 20u);
  EXPECT_TRUE(std::is_sorted(answered.begin(), answered.end()));
  EXPECT_EQ(this->value(1, "last"), "19");
  EXPECT_EQ(this->read(this->request(1)).records.size(), 20u);
}

TYPED_TEST_P(StoreContract, RefusesWhatIsWrong) {
  EXPECT_EQ(this->commit(this->records(kPartitions, 0, {contract_message("t", "1")})), CommitStatus::refused);
  ASSERT_EQ(this->commit(this->records(1, 10, {contract_message("t", "1")})), CommitStatus::committed);
  Batch below = this->records(1, 10, {contract_message("t", "2")});
  below.operations = {this->put("k", "v")};
  EXPECT_EQ(this->commit(std::move(below)), CommitStatus::refused);
  EXPECT_EQ(this->value(1, "k"), "(none)");
  EXPECT_EQ(this->payloads(this->read(this->request(1))), (std::vector<std::string>{"1"}));
  EXPECT_FALSE(this->read(this->request(kPartitions)).status.ok());
  EXPECT_TRUE(this->store().scan(kPartitions, Space::sessions, {}, {}, 1).empty());
  this->store().trim(kPartitions, LogId::inbox, 1);
  // Without records the base offset says nothing.
  EXPECT_EQ(this->commit(this->operation(1, this->put("k", "v"))), CommitStatus::committed);
}

TYPED_TEST_P(StoreContract, PartitionsAreApart) {
  this->fill(0, 0, 3);
  ASSERT_EQ(this->commit(this->operation(0, this->put("k", "0"))), CommitStatus::committed);
  EXPECT_EQ(this->store().bounds(1, LogId::inbox).end, 0u);
  EXPECT_EQ(this->value(1, "k"), "(none)");
  EXPECT_TRUE(this->read(this->request(1)).records.empty());
}

TYPED_TEST_P(StoreContract, OneBatchMayAppendToSeveralLogs) {
  const LogId stream{7};
  Batch batch = this->records(1, 0, {contract_message("t", "inbox 0")});
  batch.appends.push_back({stream, 5, {contract_message("s", "stream 5"), contract_message("s", "stream 6")}});
  batch.operations.push_back(this->put("k", "v"));
  ASSERT_EQ(this->commit(std::move(batch)), CommitStatus::committed);
  Batch below = this->records(1, 1, {contract_message("t", "inbox 1")});
  below.appends.push_back({stream, 6, {contract_message("s", "again")}});
  EXPECT_EQ(this->commit(std::move(below)), CommitStatus::refused) << "one of them is wrong: none is written";
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(this->store().bounds(1, LogId::inbox).end, 1u);
    EXPECT_EQ(this->store().bounds(1, stream).end, 7u);
    EXPECT_EQ(this->payloads(this->read(this->request(1))), (std::vector<std::string>{"inbox 0"}));
    ReadRequest request = this->request(1);
    request.log = stream;
    EXPECT_EQ(this->payloads(this->read(std::move(request))), (std::vector<std::string>{"stream 5", "stream 6"}));
    EXPECT_EQ(this->value(1, "k"), "v");
    this->harness.reopen();
  }
  this->store().trim(1, stream, 6);
  EXPECT_EQ(this->store().bounds(1, stream).start, 6u);
  EXPECT_EQ(this->store().bounds(1, LogId::inbox).start, 0u) << "each log has its own start";
}

TYPED_TEST_P(StoreContract, ReadsARange) {
  this->fill(1, 0, 10);
  const ReadResult middle = this->read(this->request(1, 3, 6));
  EXPECT_EQ(this->offsets(middle), (std::vector<uint64_t>{3, 4, 5}));
  EXPECT_EQ(middle.next, 6u);
  const ReadResult tail = this->read(this->request(1, 8));
  EXPECT_EQ(this->offsets(tail), (std::vector<uint64_t>{8, 9}));
  EXPECT_EQ(tail.next, 10u);
  const ReadResult beyond = this->read(this->request(1, 12));
  EXPECT_TRUE(beyond.records.empty());
  EXPECT_EQ(beyond.next, 12u) << "a reader is never sent back";
}

TYPED_TEST_P(StoreContract, ReadsAcrossHoles) {
  ASSERT_EQ(this->commit(this->records(1, 5, {contract_message("t", "a"), contract_message("t", "b")})),
            CommitStatus::committed);
  ASSERT_EQ(this->commit(this->records(1, 1'000'000, {contract_message("t", "c")})), CommitStatus::committed);
  EXPECT_EQ(this->store().bounds(1, LogId::inbox).end, 1'000'001u);
  const ReadResult all = this->read(this->request(1));
  EXPECT_EQ(this->offsets(all), (std::vector<uint64_t>{5, 6, 1'000'000}));
  EXPECT_EQ(all.next, 1'000'001u);
  EXPECT_EQ(all.trimmed, 0u);
  const ReadResult in_hole = this->read(this->request(1, 100, 200));
  EXPECT_TRUE(in_hole.records.empty());
  EXPECT_EQ(in_hole.next, 200u);
  EXPECT_EQ(this->offsets(this->read(this->request(1, 6, 7))), (std::vector<uint64_t>{6}));
}

TYPED_TEST_P(StoreContract, ReadsInStepsWithinTheByteLimit) {
  std::vector<MessageRef> messages;
  for (int i = 0; i < 500; ++i) messages.push_back(contract_message("t", std::string(1000, 'p')));
  ASSERT_EQ(this->commit(this->records(1, 0, messages)), CommitStatus::committed);
  uint64_t next = 0;
  int steps = 0;
  for (; next < 500 && steps < 500; ++steps) {
    ReadRequest request = this->request(1, next);
    request.bytes_max = 20'000;
    const ReadResult result = this->read(std::move(request));
    ASSERT_FALSE(result.records.empty());
    ASSERT_EQ(result.records.front().offset, next);
    ASSERT_LE(result.records.size(), 20u);
    ASSERT_EQ(result.next, result.records.back().offset + 1);
    next = result.next;
  }
  EXPECT_EQ(next, 500u);
  EXPECT_GE(steps, 25);
  ReadRequest tiny = this->request(1, 7);
  tiny.bytes_max = 0;
  EXPECT_EQ(this->read(std::move(tiny)).records.size(), 1u) << "at least one record, or a reader would stand still";
}

TYPED_TEST_P(StoreContract, StopsAfterLookingAtMuch) {
  std::vector<MessageRef> messages;
  for (int i = 0; i < 300; ++i) messages.push_back(contract_message("t", std::string(1000, 'p')));
  messages.push_back(contract_message("wanted", "x"));
  ASSERT_EQ(this->commit(this->records(1, 0, messages)), CommitStatus::committed);
  uint64_t next = 0;
  std::size_t found = 0;
  int steps = 0;
  for (; next < 301 && steps < 301; ++steps) {
    ReadRequest request = this->request(1, next);
    request.scan_bytes_max = 100'000;
    request.wanted = [](std::string_view topic) { return topic == "wanted"; };
    const ReadResult result = this->read(std::move(request));
    ASSERT_GT(result.next, next);
    next = result.next;
    found += result.records.size();
  }
  EXPECT_EQ(found, 1u);
  EXPECT_GE(steps, 2);
  EXPECT_LE(steps, 10);
}

TYPED_TEST_P(StoreContract, ReadsOneTopic) {
  this->fill(1, 0, 30);
  for (const uint64_t from : {uint64_t{0}, uint64_t{10}, uint64_t{28}}) {
    ReadRequest request = this->request(1, from, 29);
    request.topic = "t/1";
    const ReadResult result = this->read(std::move(request));
    std::vector<uint64_t> want;
    for (uint64_t i = from; i < 29; ++i) {
      if (i % 3 == 1) want.push_back(i);
    }
    EXPECT_EQ(this->offsets(result), want) << from;
    EXPECT_EQ(result.next, 29u);
  }
  ReadRequest none = this->request(1);
  none.topic = "t";
  const ReadResult result = this->read(std::move(none));
  EXPECT_TRUE(result.records.empty());
  EXPECT_EQ(result.next, 30u);
}

TYPED_TEST_P(StoreContract, ReadsOneTopicOutOfLargeBatchesAndAfterTrimming) {
  std::vector<MessageRef> messages;
  for (int i = 0; i < 1000; ++i) messages.push_back(contract_message("t/" + std::to_string(i % 7), std::string(500, 'p')));
  ASSERT_EQ(this->commit(this->records(1, 0, messages)), CommitStatus::committed);
  ASSERT_EQ(this->commit(this->records(1, 1000, messages)), CommitStatus::committed);
  this->store().trim(1, LogId::inbox, 777);
  for (int round = 0; round < 2; ++round) {
    ReadRequest request = this->request(1, 700);
    request.topic = "t/3";
    request.bytes_max = 64 << 20;
    const ReadResult result = this->read(std::move(request));
    std::vector<uint64_t> want;
    for (uint64_t i = 777; i < 2000; ++i) {
      if (i % 1000 % 7 == 3) want.push_back(i);
    }
    EXPECT_EQ(this->offsets(result), want);
    EXPECT_EQ(result.trimmed, 77u);
    this->harness.reopen();
  }
}

TYPED_TEST_P(StoreContract, ReadsByFilter) {
  this->fill(1, 0, 9);
  std::vector<std::string> asked;
  ReadRequest request = this->request(1, 2);
  request.wanted = [&](std::string_view topic) {
    asked.emplace_back(topic);
    return topic != "t/0";
  };
  const ReadResult result = this->read(std::move(request));
  EXPECT_EQ(this->offsets(result), (std::vector<uint64_t>{2, 4, 5, 7, 8}));
  EXPECT_EQ(result.next, 9u);
  EXPECT_EQ(asked.size(), 7u) << "asked once for each record in the range";
}

TYPED_TEST_P(StoreContract, TrimHidesAtOnceAndReaderIsToldHowMuch) {
  this->fill(1, 0, 10);
  const uint64_t bytes = this->store().bounds(1, LogId::inbox).bytes;
  EXPECT_GT(bytes, 0u);
  this->store().trim(1, LogId::inbox, 4);
  EXPECT_EQ(this->store().bounds(1, LogId::inbox).start, 4u);
  EXPECT_EQ(this->store().bounds(1, LogId::inbox).end, 10u);
  ReadResult result = this->read(this->request(1, 1));
  EXPECT_EQ(result.trimmed, 3u);
  EXPECT_EQ(this->offsets(result), (std::vector<uint64_t>{4, 5, 6, 7, 8, 9}));
  result = this->read(this->request(1, 0, 2));
  EXPECT_EQ(result.trimmed, 2u);
  EXPECT_EQ(result.next, 2u);
  EXPECT_TRUE(result.records.empty());
  EXPECT_EQ(this->read(this->request(1, 4)).trimmed, 0u);

  this->store().trim(1, LogId::inbox, 2);
  EXPECT_EQ(this->store().bounds(1, LogId::inbox).start, 4u) << "a trim never moves back";
  this->store().trim(1, LogId::inbox, 1000);
  EXPECT_EQ(this->store().bounds(1, LogId::inbox).start, 10u) << "nor beyond the end";
  result = this->read(this->request(1, 0));
  EXPECT_EQ(result.trimmed, 10u);
  EXPECT_EQ(result.next, 10u);
  this->harness.reopen();
  EXPECT_EQ(this->store().bounds(1, LogId::inbox).start, 10u);
  EXPECT_EQ(this->store().bounds(1, LogId::inbox).end, 10u) << "offsets are never used twice";
  EXPECT_EQ(this->commit(this->records(1, 9, {contract_message("t", "x")})), CommitStatus::refused);
  EXPECT_EQ(this->commit(this->records(1, 10, {contract_message("t", "x")})), CommitStatus::committed);
  EXPECT_EQ(this->payloads(this->read(this->request(1, 10))), (std::vector<std::string>{"x"}));
}

TYPED_TEST_P(StoreContract, AnEmptyCommitAnswersForTheTrimBeforeIt) {
  this->fill(1, 0, 10);
  this->store().trim(1, LogId::inbox, 7);
  Batch nothing;
  nothing.partition = 1;
  EXPECT_EQ(this->commit(std::move(nothing)), CommitStatus::committed);
  this->harness.reopen();
  EXPECT_EQ(this->store().bounds(1, LogId::inbox).start, 7u);
}

TYPED_TEST_P(StoreContract, TrimInsideABlockHidesItsFront) {
  std::vector<MessageRef> messages;
  for (int i = 0; i < 10; ++i) messages.push_back(contract_message("t", std::to_string(i)));
  ASSERT_EQ(this->commit(this->records(1, 0, messages)), CommitStatus::committed);
  this->store().trim(1, LogId::inbox, 7);
  EXPECT_EQ(this->payloads(this->read(this->request(1))), (std::vector<std::string>{"7", "8", "9"}));
}

TYPED_TEST_P(StoreContract, LargeRecordsAndBatches) {
  const std::string large(3 << 20, 'L');
  std::vector<MessageRef> messages = {contract_message("s", "small"), contract_message("l", large),
                                      contract_message("s", "small")};
  ASSERT_EQ(this->commit(this->records(1, 0, messages)), CommitStatus::committed);
  ReadRequest request = this->request(1);
  request.bytes_max = 64 << 20;
  const ReadResult result = this->read(std::move(request));
  EXPECT_EQ(this->payloads(result), (std::vector<std::string>{"small", large, "small"}));
}

TYPED_TEST_P(StoreContract, ScansKeysInOrder) {
  Batch batch;
  batch.partition = 1;
  for (const char* key : {"b", "a", "c", "ab"}) batch.operations.push_back(this->put(key, key));
  batch.operations.push_back(this->put(std::string("a\0", 2), "nul"));
  batch.operations.push_back(this->put("\xff", "last"));
  batch.operations.push_back(this->put("b", "other space", Space::due));
  ASSERT_EQ(this->commit(std::move(batch)), CommitStatus::committed);
  using KeyTexts = std::vector<std::string>;
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(this->keys(1), (KeyTexts{"a", std::string("a\0", 2), "ab", "b", "c", "\xff"}));
    EXPECT_EQ(this->keys(1, Space::sessions, "ab", "c"), (KeyTexts{"ab", "b"}));
    EXPECT_EQ(this->keys(1, Space::sessions, "c", "ab"), KeyTexts{});
    EXPECT_EQ(this->keys(1, Space::sessions, "aa", {}, 2), (KeyTexts{"ab", "b"}));
    EXPECT_EQ(this->keys(1, Space::due), (KeyTexts{"b"}));
    EXPECT_EQ(this->keys(1, Space::groups), KeyTexts{});
    EXPECT_EQ(this->value(1, "b", Space::due), "other space");
    this->harness.reopen();
  }
}

TYPED_TEST_P(StoreContract, OperationsApplyInTheirOrder) {
  Batch batch;
  batch.partition = 1;
  batch.operations = {this->put("a", "1"), this->put("b", "1"), this->put("c", "1"), this->put("d", "1")};
  ASSERT_EQ(this->commit(std::move(batch)), CommitStatus::committed);
  Batch change;
  change.partition = 1;
  change.operations = {this->put("b", "2"), this->erase_range("b", "d"), this->put("c", "3"), this->erase("a"),
                       this->erase("not there")};
  ASSERT_EQ(this->commit(std::move(change)), CommitStatus::committed);
  EXPECT_EQ(this->keys(1), (std::vector<std::string>{"c", "d"}));
  EXPECT_EQ(this->value(1, "c"), "3");
  ASSERT_EQ(this->commit(this->operation(1, this->erase_range("d", "c"))), CommitStatus::committed);
  EXPECT_EQ(this->keys(1).size(), 2u) << "an empty range erases nothing";
  ASSERT_EQ(this->commit(this->operation(1, this->erase_range("d", ""))), CommitStatus::committed);
  EXPECT_EQ(this->keys(1), (std::vector<std::string>{"c"})) << "empty end: to the end of the space";
}

TYPED_TEST_P(StoreContract, FullDiskRefusesButReadsErasesAndHeals) {
  this->fill(1, 0, 10);
  ASSERT_EQ(this->commit(this->operation(1, this->put("k", "v"))), CommitStatus::committed);
  this->harness.set_full(true);
  Batch batch = this->records(1, 10, {contract_message("t", std::string(10'000, 'x'))});
  batch.operations = {this->put("k", "new"), this->erase("k")};
  EXPECT_EQ(this->commit(std::move(batch)), CommitStatus::full);
  EXPECT_EQ(this->value(1, "k"), "v") << "nothing was written";
  EXPECT_EQ(this->store().bounds(1, LogId::inbox).end, 10u);
  EXPECT_EQ(this->read(this->request(1)).records.size(), 10u);
  EXPECT_EQ(this->commit(this->operation(1, this->erase("k"))), CommitStatus::committed);
  EXPECT_EQ(this->value(1, "k"), "(none)");
  this->store().trim(1, LogId::inbox, 5);
  EXPECT_EQ(this->store().bounds(1, LogId::inbox).start, 5u);
  this->harness.set_full(false);
  EXPECT_EQ(this->commit(this->records(1, 10, {contract_message("t", "x")})), CommitStatus::committed);
}

TYPED_TEST_P(StoreContract, FailedDeviceCommitsNothingMore) {
  this->fill(1, 0, 3);
  this->harness.fail_device();
  for (int i = 0; i < 2; ++i) {
    Batch batch = this->records(1, 3, {contract_message("t", "x")});
    batch.operations = {this->put("k", "v")};
    EXPECT_EQ(this->commit(std::move(batch)), CommitStatus::failed);
  }
  EXPECT_EQ(this->commit(this->operation(2, this->erase("k"))), CommitStatus::failed);
  EXPECT_EQ(this->value(1, "k"), "(none)");
  EXPECT_EQ(this->read(this->request(1)).records.size(), 3u);
}

TYPED_TEST_P(StoreContract, CorruptBlockIsReportedAndNeverServed) {
  this->fill(1, 0, 10);
  ASSERT_TRUE(this->harness.corrupt(1, LogId::inbox, 4));
  const ReadResult result = this->read(this->request(1));
  EXPECT_FALSE(result.status.ok());
  EXPECT_EQ(this->offsets(result), (std::vector<uint64_t>{0, 1, 2, 3}));
  EXPECT_EQ(result.next, 5u) << "next is behind what is damaged";
  const ReadResult rest = this->read(this->request(1, result.next));
  EXPECT_TRUE(rest.status.ok());
  EXPECT_EQ(rest.records.size(), 5u);
  this->store().trim(1, LogId::inbox, 6);
  EXPECT_EQ(this->read(this->request(1)).records.size(), 4u) << "trimming passes over it";
}

TYPED_TEST_P(StoreContract, CallbacksMayUseTheStore) {
  std::vector<std::string> got;
  this->store().commit(this->records(1, 0, {contract_message("t", "1")}), [&](CommitStatus) {
    this->store().commit(this->records(1, 1, {contract_message("t", "2")}), [&](CommitStatus status) {
      EXPECT_EQ(status, CommitStatus::committed);
      this->store().read(this->request(1), [&](ReadResult result) { got = this->payloads(result); });
      EXPECT_TRUE(got.empty()) << "called back inside the call";
    });
    EXPECT_EQ(this->store().bounds(1, LogId::inbox).end, 1u) << "committed inside the call";
  });
  this->harness.settle();
  EXPECT_EQ(got, (std::vector<std::string>{"1", "2"}));
}

REGISTER_TYPED_TEST_SUITE_P(StoreContract, StartsEmpty, ReturnsWhatWasCommittedUnchanged, BatchIsAllOrNothing,
                            AnsweredMeansItSurvives, CommitsOfAPartitionKeepTheirOrder, RefusesWhatIsWrong,
                            PartitionsAreApart, OneBatchMayAppendToSeveralLogs, ReadsARange, ReadsAcrossHoles, ReadsInStepsWithinTheByteLimit,
                            StopsAfterLookingAtMuch, ReadsOneTopic, ReadsOneTopicOutOfLargeBatchesAndAfterTrimming,
                            ReadsByFilter, TrimHidesAtOnceAndReaderIsToldHowMuch,
                            AnEmptyCommitAnswersForTheTrimBeforeIt, TrimInsideABlockHidesItsFront,
                            LargeRecordsAndBatches, ScansKeysInOrder, OperationsApplyInTheirOrder,
                            FullDiskRefusesButReadsErasesAndHeals, FailedDeviceCommitsNothingMore,
                            CorruptBlockIsReportedAndNeverServed, CallbacksMayUseTheStore);

}  // namespace arena::engine
