#include "broker/published.h"

#include <gtest/gtest.h>

#include "broker/test_world.h"

namespace arena::broker::test {
namespace {

constexpr Guarantee k0 = Guarantee::at_most_once;
constexpr Guarantee k1 = Guarantee::at_least_once;
constexpr Guarantee k2 = Guarantee::exactly_once;

PublishKey id(std::string text) { return {std::move(text), {}, 0, 0}; }
PublishKey producer(uint64_t sequence, uint32_t epoch = 1, std::string name = "p") { return {{}, std::move(name), epoch, sequence}; }

class Publishing : public testing::TestWithParam<unsigned> {
 protected:
  void SetUp() override {
    ASSERT_TRUE(world.create_stream("s", {"s/#"}).ok());
    ASSERT_TRUE(peer.connect());
  }
  Receipt publish(const std::string& topic, const std::string& payload, const PublishKey& key, Guarantee guarantee = k1, uint16_t tag = 0) {
    return peer.publish_by(key, topic, payload, guarantee, tag);
  }
  std::vector<std::string> stored() {
    Peer reader(world, "reader");
    EXPECT_TRUE(reader.connect());
    EXPECT_EQ(reader.replay("s/#", "earliest"), SubscribeStatus::granted);
    world.run_ms(200);
    return reader.payloads();
  }
  void crash() {
    world.run_ms(20);
    peer.forget();
    world.crash();
    ASSERT_TRUE(peer.connect());
  }

  World world{GetParam()};
  Peer peer{world, "peer"};
};

INSTANTIATE_TEST_SUITE_P(Cores, Publishing, testing::Values(1U, 3U));

TEST_P(Publishing, UnderTheSameIdIsStoredOnceAndGetsTheFirstReceipt) {
  const Receipt first = publish("s/1", "a", id("x"));
  ASSERT_TRUE(first.position.has_value());
  EXPECT_FALSE(first.duplicate);
  for (int round = 0; round < 2; ++round) {
    for (const Guarantee guarantee : {k1, k2}) {
      const Receipt again = publish("s/1", "a", id("x"), guarantee, guarantee == k2 ? 7 : 0);
      EXPECT_EQ(again.outcome, Outcome::ok);
      EXPECT_TRUE(again.duplicate);
      EXPECT_EQ(again.position, first.position);
      EXPECT_EQ(again.log, first.log);
      if (guarantee == k2) peer.release_inbound(7);
    }
    EXPECT_EQ(publish("s/1", "b", id("x")).outcome, Outcome::conflict) << "the same id with other content";
    crash();
  }
  EXPECT_EQ(stored(), (std::vector<std::string>{"a"}));
  EXPECT_FALSE(publish("s/2", "a", id("x")).duplicate) << "another topic";
  Peer other(world, "other");
  other.user = "ann";
  ASSERT_TRUE(other.connect());
  EXPECT_FALSE(other.publish_by(id("x"), "s/1", "a", k1).duplicate) << "another principal";
}

TEST_P(Publishing, ARepetitionThatOvertakesTheFirstCommitWaitsForIt) {
  const uint64_t first = peer.send_by(id("x"), "s/1", "a", k1);
  const uint64_t second = peer.send_by(id("x"), "s/1", "a", k1);
  ASSERT_TRUE(world.settle([&] { return peer.receipts.contains(first) && peer.receipts.contains(second); }));
  EXPECT_TRUE(peer.receipts[second].duplicate);
  EXPECT_EQ(peer.receipts[first].position, peer.receipts[second].position);
}

// A repetition is answered behind what waits, and what was known of it when it came may be forgotten by then.
TEST_P(Publishing, ARepetitionBeforeTheNextEpochIsNotSaidToBeRefused) {
  const Receipt first = publish("s/1", "a", producer(1));
  const uint64_t again = peer.send_by(producer(1), "s/1", "a", k1);
  const uint64_t next = peer.send_by(producer(1, 2), "s/1", "b", k1);
  const uint64_t next_again = peer.send_by(producer(1, 2), "s/1", "b", k1);
  peer.send_by(producer(1, 3), "s/1", "c", k1);
  ASSERT_TRUE(world.settle([&] { return peer.receipts.size() == 5; }));
  EXPECT_TRUE(peer.receipts[again].duplicate);
  EXPECT_EQ(peer.receipts[again].position, first.position);
  EXPECT_EQ(peer.receipts[next].outcome, Outcome::ok);
  EXPECT_EQ(peer.receipts[next_again].outcome, Outcome::unknown_producer) << "its epoch is over, and its place not known yet";
  EXPECT_EQ(stored(), (std::vector<std::string>{"a", "b", "c"}));
}

TEST_P(Publishing, WhatWasRefusedMayBeRepeated) {
  world.disk().set_bytes_max(1);
  EXPECT_EQ(publish("s/1", "a", id("x")).outcome, Outcome::quota);
  EXPECT_EQ(publish("s/1", "b", producer(1)).outcome, Outcome::quota);
  world.disk().set_bytes_max(0);
  EXPECT_FALSE(publish("s/1", "a", id("x")).duplicate);
  EXPECT_FALSE(publish("s/1", "c", producer(2)).duplicate);
  EXPECT_FALSE(publish("s/1", "b", producer(1)).duplicate) << "though a later one is there";
  EXPECT_TRUE(publish("s/1", "b", producer(1)).duplicate);
  EXPECT_EQ(stored(), (std::vector<std::string>{"a", "c", "b"}));
}

TEST_P(Publishing, WhatWasRefusedForABudgetMayBeRepeated) {
  Options options;
  options.stream_bytes_max = 5'000;
  World small(GetParam(), 1, options);
  Peer pub(small, "pub");
  ASSERT_TRUE(small.create_stream("s", {"s/#"}).ok() && pub.connect());
  for (int i = 0; i < 10; ++i) pub.publish("s/1", std::string(1000, 'x'), k1);
  EXPECT_EQ(pub.publish_by(id("x"), "s/1", "a", k1).outcome, Outcome::quota);
  EXPECT_EQ(pub.publish_by(producer(1), "s/1", "b", k1).outcome, Outcome::quota);
  ASSERT_TRUE(small.change_streams(&StreamRegistry::purge, "s").ok());
  for (const Receipt& receipt : {pub.publish_by(id("x"), "s/1", "a", k1), pub.publish_by(producer(1), "s/1", "b", k1)}) {
    EXPECT_EQ(receipt.outcome, Outcome::ok);
    EXPECT_FALSE(receipt.duplicate);
  }
}

// The row of a later one tells that an earlier one was refused.
TEST_P(Publishing, WhatWasRefusedMayBeRepeatedAfterACrashToo) {
  world.disk().set_bytes_max(1);
  EXPECT_EQ(publish("s/1", "a", producer(1)).outcome, Outcome::quota);
  world.disk().set_bytes_max(0);
  EXPECT_EQ(publish("s/1", "b", producer(2)).outcome, Outcome::ok);
  crash();
  EXPECT_FALSE(publish("s/1", "a", producer(1)).duplicate);
  EXPECT_TRUE(publish("s/1", "b", producer(2)).duplicate);
  EXPECT_EQ(stored(), (std::vector<std::string>{"b", "a"}));
}

// Rows of an epoch that is over stay until they are written over.
TEST_P(Publishing, AnEpochBeginsAnewAlsoAfterACrash) {
  for (uint64_t i = 1; i <= 5; ++i) publish("s/1", "old", producer(i, 1));
  EXPECT_FALSE(publish("s/1", "1", producer(1, 2)).duplicate);
  crash();
  const Receipt second = publish("s/1", "2", producer(2, 2));
  EXPECT_EQ(second.outcome, Outcome::ok);
  EXPECT_FALSE(second.duplicate);
  EXPECT_TRUE(publish("s/1", "1", producer(1, 2)).duplicate);
  EXPECT_EQ(publish("s/1", "old", producer(6, 1)).outcome, Outcome::unknown_producer);
}

TEST_P(Publishing, AProducersSequenceIsStoredOnceAlsoAfterManyAndAfterACrash) {
  std::vector<std::string> all;
  for (uint64_t i = 1; i <= 50; ++i) {
    all.push_back(std::to_string(i));
    EXPECT_FALSE(publish("s/1", all.back(), producer(i)).duplicate) << i;
    if (i % 20 == 0) crash();
  }
  for (uint64_t i = 1; i <= 50; ++i) {
    const Receipt again = publish("s/1", std::to_string(i), producer(i));
    EXPECT_EQ(again.outcome, Outcome::ok);
    EXPECT_TRUE(again.duplicate) << i;
    EXPECT_TRUE(i < 40 || again.position.has_value()) << i;
  }
  EXPECT_EQ(publish("s/1", "other", producer(50)).outcome, Outcome::conflict);
  EXPECT_FALSE(publish("s/1", "60", producer(60)).duplicate) << "it may leave some out";
  all.push_back("60");
  EXPECT_EQ(stored(), all);
}

// Left out, or refused before anybody could count it.
TEST_P(Publishing, WhatWasLeftOutIsNotARepetitionWhenItComes) {
  for (const uint64_t i : {1u, 2u, 5u, 40u}) EXPECT_FALSE(publish("s/1", std::to_string(i), producer(i)).duplicate);
  crash();
  EXPECT_FALSE(publish("s/1", "4", producer(4)).duplicate);
  EXPECT_FALSE(publish("s/1", "24", producer(24)).duplicate) << "a later one has its place among the recent ones";
  for (int round = 0; round < 2; ++round) {
    for (const uint64_t i : {1u, 2u, 4u, 5u, 24u, 40u}) EXPECT_TRUE(publish("s/1", std::to_string(i), producer(i)).duplicate) << i;
    crash();
  }
  EXPECT_FALSE(publish("s/1", "3", producer(3)).duplicate);
  EXPECT_EQ(stored(), (std::vector<std::string>{"1", "2", "5", "40", "4", "24", "3"}));
}

TEST_P(Publishing, WhatIsTakenAndNotStoredYetIsNotSaidToBeStored) {
  world.disk().set_commit_delay_ms(50);
  const uint64_t first = peer.send_by(producer(1), "s/1", "1", k1);
  world.run_ms(10);
  for (uint64_t i = 2; i <= 4; ++i) peer.send_by(producer(i), "s/1", std::to_string(i), k1);
  ASSERT_TRUE(world.settle([&] { return peer.receipts.contains(first); }));
  peer.forget();
  world.crash();
  world.disk().set_commit_delay_ms(0);
  ASSERT_TRUE(peer.connect());
  for (uint64_t i = 1; i <= 4; ++i) publish("s/1", std::to_string(i), producer(i));
  EXPECT_EQ(stored(), (std::vector<std::string>{"1", "2", "3", "4"}));
}

// A last value that no log keeps is stored all the same.
TEST_P(Publishing, AnOldLastValueThatIsRepeatedAfterACrashDoesNotComeBack) {
  const auto last_value = [&] {
    Peer reader(world, "reader");
    EXPECT_TRUE(reader.connect());
    reader.subscribe("r/#", k1);
    world.run_ms(100);
    return reader.payloads();
  };
  const auto set = [&](const PublishKey& key, const std::string& payload) { return peer.publish_by(key, "r/1", payload, k1, 0, true); };
  EXPECT_FALSE(set(id("x"), "a").duplicate);
  EXPECT_FALSE(set(producer(1), "b").duplicate);
  EXPECT_FALSE(set(producer(2), "c").duplicate);
  crash();
  for (const Receipt& again : {set(id("x"), "a"), set(producer(1), "b"), set(producer(2), "c")}) {
    EXPECT_TRUE(again.duplicate);
    EXPECT_FALSE(again.position.has_value());
  }
  EXPECT_EQ(last_value(), (std::vector<std::string>{"c"}));
  EXPECT_EQ(set(id("x"), "d").outcome, Outcome::conflict);
  EXPECT_FALSE(set(producer(3), "").duplicate) << "a deletion is one, too";
  crash();
  EXPECT_TRUE(set(producer(3), "").duplicate);
  EXPECT_EQ(last_value(), (std::vector<std::string>{}));
}

TEST_P(Publishing, AnUnknownProducerIsRefusedAndSoIsOneWhoseEpochIsOver) {
  EXPECT_EQ(publish("s/1", "a", producer(2)).outcome, Outcome::unknown_producer);
  EXPECT_EQ(publish("s/1", "a", producer(1)).outcome, Outcome::ok);
  EXPECT_EQ(publish("s/2", "a", producer(2)).outcome, Outcome::unknown_producer) << "on that topic it has not begun";
  EXPECT_EQ(publish("s/1", "b", producer(2, 2)).outcome, Outcome::unknown_producer) << "an epoch begins with 1";
  EXPECT_EQ(publish("s/1", "b", producer(1, 2)).outcome, Outcome::ok);
  EXPECT_EQ(publish("s/1", "c", producer(2, 1)).outcome, Outcome::unknown_producer) << "a later epoch has begun";
  crash();
  EXPECT_EQ(publish("s/1", "c", producer(2, 1)).outcome, Outcome::unknown_producer);
  EXPECT_EQ(publish("s/1", "c", producer(2, 2)).outcome, Outcome::ok);
  EXPECT_EQ(stored(), (std::vector<std::string>{"a", "b", "c"}));
}

// Each second one is a last value and stored, the others nobody keeps.
TEST_P(Publishing, AProducerThatLeavesNothingOutIsNeverRefusedWhateverIsStored) {
  const auto send = [&](uint64_t sequence, uint32_t epoch = 1) {
    return peer.publish_by(producer(sequence, epoch), "alt/t", std::to_string(sequence), k1, 0, sequence % 2 == 1);
  };
  for (uint64_t sequence = 1; sequence <= 2500; ++sequence) {
    const Receipt receipt = send(sequence);
    ASSERT_TRUE(receipt.outcome == Outcome::ok || receipt.outcome == Outcome::no_match) << sequence;
    ASSERT_FALSE(receipt.duplicate) << sequence;
  }
  crash();
  for (const uint64_t sequence : {1U, 2U, 1000U, 2499U}) EXPECT_TRUE(send(sequence).duplicate) << sequence;
  EXPECT_FALSE(send(2501).duplicate);
}

TEST_P(Publishing, AProducerThatLeftOutTooMuchBeginsAgainWithAnotherEpochOnly) {
  const auto send = [&](uint64_t sequence, uint32_t epoch) { return publish("s/1", std::to_string(sequence), producer(sequence, epoch)); };
  uint64_t sequence = 1;
  while (sequence < 5000 && send(sequence, 1).outcome == Outcome::ok) sequence += 2;
  ASSERT_GT(sequence, 2000u);
  ASSERT_LT(sequence, 5000u);
  const std::size_t all = stored().size();
  publish("s/1", "x", id("rides along"));
  for (int round = 0; round < 2; ++round) {
    for (const uint64_t again : {uint64_t{1}, uint64_t{2}, sequence, sequence + 1}) {
      EXPECT_EQ(send(again, 1).outcome, Outcome::unknown_producer) << again << " in round " << round;
    }
    crash();
  }
  EXPECT_EQ(stored().size(), all + 1);
  EXPECT_FALSE(send(1, 2).duplicate);
  EXPECT_TRUE(send(1, 2).duplicate);
  EXPECT_EQ(stored().size(), all + 2);
  crash();
  EXPECT_TRUE(send(1, 2).duplicate);
  EXPECT_EQ(send(2, 2).outcome, Outcome::ok);
}

TEST_P(Publishing, WhatNobodyStoresIsRememberedAtLevelMemory) {
  Peer sub(world, "sub");
  ASSERT_TRUE(sub.connect());
  sub.subscribe("m/#", k1);
  EXPECT_FALSE(publish("m/1", "a", id("x")).duplicate);
  const Receipt again = publish("m/1", "a", id("x"));
  EXPECT_TRUE(again.duplicate);
  EXPECT_FALSE(again.position.has_value());
  peer.send_by(id("y"), "m/1", "b", k0);
  peer.send_by(id("y"), "m/1", "b", k0);
  world.run_ms(100);
  EXPECT_EQ(sub.payloads(), (std::vector<std::string>{"a", "b"}));
}

TEST_P(Publishing, AnIdIsForgottenAfterItsHorizon) {
  EXPECT_FALSE(publish("s/1", "a", id("x")).duplicate);
  world.run_ms(3'599'000);
  EXPECT_TRUE(publish("s/1", "a", id("x")).duplicate);
  world.run_ms(2'000);
  EXPECT_FALSE(publish("s/1", "b", id("x")).duplicate);
  crash();
  EXPECT_TRUE(publish("s/1", "b", id("x")).duplicate);
}

TEST(PublishedLimits, TheHorizonShortensWhenThereIsNoRoomAndAForgottenProducerIsUnknown) {
  Options options;
  options.partitions = 1;
  options.published_bytes_max = 20'000;
  World world(1, 1, options);
  ASSERT_TRUE(world.create_stream("s", {"s"}).ok());
  Peer peer(world, "peer");
  ASSERT_TRUE(peer.connect());
  EXPECT_EQ(peer.publish_by(producer(1, 1, "idle"), "s", "a", k1).outcome, Outcome::ok);
  for (int i = 0; i < 500; ++i) peer.publish_by(id(std::to_string(i)), "s", "x", k1);
  EXPECT_TRUE(peer.publish_by(id("499"), "s", "x", k1).duplicate);
  EXPECT_FALSE(peer.publish_by(id("0"), "s", "x", k1).duplicate);
  EXPECT_GT(world.sum(&Counters::published_keys_cut), 300u);
  EXPECT_LE(world.sum(&Counters::published_keys_bytes), 21'000u);
  for (int i = 0; i < 100; ++i) peer.publish_by(producer(1, 1, "p" + std::to_string(i)), "s", "x", k1);
  EXPECT_LE(world.sum(&Counters::published_keys_bytes), 21'000u);
  EXPECT_EQ(peer.publish_by(producer(2, 1, "idle"), "s", "b", k1).outcome, Outcome::unknown_producer);
  std::size_t rows = 0;
  for (const auto& [space, entries] : world.disk().partition(0)->spaces) {
    if (space == engine::Space::published) rows += entries.size();
  }
  EXPECT_LT(rows, 400u) << "rows go with what is forgotten";
}

}  // namespace
}  // namespace arena::broker::test
