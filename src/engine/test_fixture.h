// What the engines' contract tests stand on: a store opened by a harness, and short ways to use it. The harness is
// described in contract_test_suite.h.
#pragma once

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "engine/store.h"

namespace arena::engine {

inline constexpr PartitionId kPartitions = 4;

inline MessageRef contract_message(std::string topic, std::string payload) {
  auto* made = new Message;
  made->topic = std::move(topic);
  made->payload = std::move(payload);
  made->published_ms = 1'700'000'000'000;
  made->guarantee = Guarantee::at_least_once;
  return MessageRef(made);
}

template <typename Harness>
class StoreContract : public testing::Test {
 protected:
  using Texts = std::vector<std::string>;


  Store& store() { return harness.store(); }

  static Batch records(PartitionId partition, uint64_t base, std::vector<MessageRef> messages, LogId log = LogId::inbox) {
    Batch batch;
    batch.partition = partition;
    batch.appends.push_back({log, base, std::move(messages)});
    return batch;
  }
  static Batch operation(PartitionId partition, Operation operation) {
    Batch batch;
    batch.partition = partition;
    batch.operations.push_back(std::move(operation));
    return batch;
  }
  static Operation put(std::string key, std::string value, Space space = Space::sessions) {
    return {Operation::Kind::put, space, std::move(key), std::move(value)};
  }
  static Operation erase(std::string key, Space space = Space::sessions) {
    return {Operation::Kind::erase, space, std::move(key), {}};
  }
  static Operation erase_range(std::string first, std::string last, Space space = Space::sessions) {
    return {Operation::Kind::erase_range, space, std::move(first), std::move(last)};
  }

  CommitStatus commit(Batch batch) {
    std::optional<CommitStatus> status;
    store().commit(std::move(batch), [&](CommitStatus got) { status = got; });
    EXPECT_FALSE(status.has_value()) << "called back inside the call";
    harness.settle();
    EXPECT_TRUE(status.has_value()) << "never called back";
    return status.value_or(CommitStatus::failed);
  }
  // One record a commit: "t/<i % 3>" with payload "<i>" at offset i, for i in [from, upto).
  void fill(PartitionId partition, uint64_t from, uint64_t upto) {
    for (uint64_t i = from; i < upto; ++i) {
      const std::string text = std::to_string(i);
      ASSERT_EQ(commit(records(partition, i, {contract_message("t/" + std::to_string(i % 3), text)})),
                CommitStatus::committed);
    }
  }

  ReadResult read(ReadRequest request) {
    std::optional<ReadResult> result;
    store().read(std::move(request), [&](ReadResult got) { result = std::move(got); });
    EXPECT_FALSE(result.has_value()) << "called back inside the call";
    harness.settle();
    EXPECT_TRUE(result.has_value()) << "never called back";
    return result.has_value() ? std::move(*result) : ReadResult{};
  }
  static ReadRequest request(PartitionId partition, uint64_t from = 0, uint64_t upto = UINT64_MAX) {
    ReadRequest made;
    made.partition = partition;
    made.from = from;
    made.upto = upto;
    return made;
  }
  static Texts payloads(const ReadResult& result) {
    Texts out;
    for (const Record& record : result.records) out.push_back(record.message->payload);
    return out;
  }
  static std::vector<uint64_t> offsets(const ReadResult& result) {
    std::vector<uint64_t> out;
    for (const Record& record : result.records) out.push_back(record.offset);
    return out;
  }

  Texts keys(PartitionId partition, Space space = Space::sessions, std::string_view first = {},
             std::string_view last = {}, std::size_t limit = 1000) {
    Texts out;
    for (const KeyValue& at : store().scan(partition, space, first, last, limit)) out.push_back(at.key);
    return out;
  }
  std::string value(PartitionId partition, std::string key, Space space = Space::sessions) {
    const auto found = store().scan(partition, space, key, {}, 1);
    return found.empty() || found[0].key != key ? "(none)" : found[0].value;
  }

  Harness harness;
};

}  // namespace arena::engine
