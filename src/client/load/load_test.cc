// Goal: the load's own judgement can be trusted: it sees loss, duplicates and changed order, and percentiles.
#include <gtest/gtest.h>

#include "client/load/latencies.h"
#include "client/load/schedule.h"
#include "client/load/sequence.h"

namespace arena::client {
namespace {

SequenceCheck after(std::initializer_list<uint64_t> seen) {
  SequenceCheck check;
  for (const uint64_t sequence : seen) check.see(sequence);
  return check;
}

TEST(SequenceCheck, IsContentWithOrder) {
  const SequenceCheck check = after({0, 1, 2, 3});
  EXPECT_EQ(check.lost(4) + check.duplicated() + check.reordered(), 0u);
}

TEST(SequenceCheck, SeesLoss) {
  EXPECT_EQ(after({0, 1, 4}).lost(5), 2u);
  EXPECT_EQ(after({0, 1}).lost(5), 3u);
  EXPECT_EQ(after({2}).lost(4), 3u);
  EXPECT_EQ(after({}).lost(4), 4u);
}

TEST(SequenceCheck, SeesDuplicates) {
  const SequenceCheck check = after({0, 1, 1, 0, 2});
  EXPECT_EQ(check.duplicated(), 2u);
  EXPECT_EQ(check.lost(3), 0u);
}

TEST(SequenceCheck, SeesChangedOrder) {
  const SequenceCheck check = after({0, 2, 1, 3});
  EXPECT_EQ(check.reordered(), 1u);
  EXPECT_EQ(check.duplicated(), 0u);
  EXPECT_EQ(check.lost(4), 0u);
}

TEST(Latencies, AreExactToOneInThirtyTwo) {
  Latencies latencies;
  for (int64_t us = 1; us <= 1000; ++us) latencies.add(us * 1000);
  EXPECT_NEAR(latencies.percentile_us(0.5), 500, 500.0 / 32 + 1);
  EXPECT_NEAR(latencies.percentile_us(0.99), 990, 990.0 / 32 + 1);
  EXPECT_EQ(latencies.percentile_us(1.0), 1000);
  EXPECT_EQ(latencies.max_us(), 1000);
}

TEST(Latencies, TakeAnything) {
  Latencies latencies;
  EXPECT_EQ(latencies.percentile_us(0.5), 0);
  latencies.add(-5);
  latencies.add(0);
  latencies.add(31);
  latencies.add(32);
  latencies.add(INT64_MAX);
  EXPECT_EQ(latencies.count(), 5u);
  EXPECT_EQ(latencies.percentile_us(0.5), 0.031);
}

TEST(Schedule, SpreadsEvenlyAndDoesNotDrift) {
  const Schedule schedule(1'000, 3);
  EXPECT_EQ(schedule.due_ns(0), 1'000);
  EXPECT_NEAR(static_cast<double>(schedule.due_ns(1)), 1e9 / 3 + 1'000, 1);
  EXPECT_NEAR(static_cast<double>(schedule.due_ns(3'000'000)), 1e15 + 1'000, 1000);
}

}  // namespace
}  // namespace arena::client
