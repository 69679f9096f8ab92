// The broker's promises, through subscribers that speak no protocol; every test on one core and on three.
#include "broker/test_world.h"

namespace arena::broker::test {
namespace {

constexpr auto k0 = Guarantee::at_most_once;
constexpr auto k1 = Guarantee::at_least_once;
constexpr auto k2 = Guarantee::exactly_once;
using Texts = std::vector<std::string>;

class BrokerTest : public ::testing::TestWithParam<unsigned> {
 protected:
  World world{GetParam()};
};
INSTANTIATE_TEST_SUITE_P(Cores, BrokerTest, ::testing::Values(1u, 3u));

TEST_P(BrokerTest, DeliversToEveryMatchingSubscriberInOrder) {
  Peer pub(world, "pub"), a(world, "a"), b(world, "b");
  ASSERT_TRUE(pub.connect() && a.connect() && b.connect());
  a.subscribe("x/+", k0);
  b.subscribe("x/#", k1);
  for (int i = 0; i < 20; ++i) pub.publish("x/1", std::to_string(i), k1);
  ASSERT_TRUE(a.wait_for(20) && b.wait_for(20));
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(a.payloads()[static_cast<std::size_t>(i)], std::to_string(i));
    EXPECT_EQ(b.payloads()[static_cast<std::size_t>(i)], std::to_string(i));
  }
  EXPECT_EQ(a.received[0].guarantee, k0);
  EXPECT_EQ(b.received[0].guarantee, k1);
}

TEST_P(BrokerTest, SaysWhenNobodyMatched) {
  Peer pub(world, "pub");
  ASSERT_TRUE(pub.connect());
  EXPECT_EQ(pub.publish("nobody", "x", k1).outcome, Outcome::no_match);
}

TEST_P(BrokerTest, OverlappingSubscriptionsComeToOneDelivery) {
  Peer pub(world, "pub"), a(world, "a");
  ASSERT_TRUE(pub.connect() && a.connect());
  a.subscribe("x/#", k0, "", 7);
  a.subscribe("x/y", k2, "", 9);
  pub.publish("x/y", "m", k2, false, 1);
  ASSERT_TRUE(a.wait_for(1));
  world.run_ms(100);
  ASSERT_EQ(a.received.size(), 1u);
  EXPECT_EQ(a.received[0].guarantee, k2);
  EXPECT_EQ(std::set<uint32_t>(a.received[0].ids.begin(), a.received[0].ids.end()), (std::set<uint32_t>{7, 9}));
}

TEST_P(BrokerTest, KeepsWhatAPersistentSessionMissed) {
  Peer pub(world, "pub"), a(world, "a");
  ASSERT_TRUE(pub.connect() && a.connect(true, 100));
  a.subscribe("q/#", k1);
  a.drop();
  for (int i = 0; i < 50; ++i) EXPECT_EQ(pub.publish("q/" + std::to_string(i % 5), std::to_string(i), k1).outcome, Outcome::ok);
  ASSERT_TRUE(a.connect(false, 100));
  EXPECT_TRUE(a.present);
  ASSERT_TRUE(a.wait_for(50));
  pub.publish("q/0", "live", k1);
  ASSERT_TRUE(a.wait_for(51));
  EXPECT_EQ(a.received.back().payload, "live");
  std::map<std::string, int> last;
  for (const Got& got : a.received) {
    if (got.payload == "live") continue;
    const int n = std::stoi(got.payload);
    EXPECT_TRUE(!last.contains(got.topic) || last[got.topic] < n) << "out of order on " << got.topic;
    last[got.topic] = n;
    EXPECT_FALSE(got.redelivered);
  }
}

// What nobody is there for is counted, whether the session went away or was away when the broker started.
TEST_P(BrokerTest, CountsWhatPassesByThoseWhoAreAway) {
  Peer pub(world, "pub"), a(world, "a"), b(world, "b");
  ASSERT_TRUE(pub.connect() && a.connect(true, 100) && b.connect(true, 100));
  a.subscribe("q/1", k1);
  b.subscribe("q/#", k2);
  const auto away = [&](bool crash) {
    a.drop();
    b.drop();
    if (crash) {
      pub.forget();
      world.crash();
      ASSERT_TRUE(pub.connect());
    }
    const uint64_t before = world.dropped(Drop::offline);
    pub.publish("q/1", "lost", k0);
    ASSERT_TRUE(world.settle([&] { return world.dropped(Drop::offline) == before + 2; }));
    EXPECT_EQ(pub.publish("q/1", "kept", k1).outcome, Outcome::ok) << "somebody matches";
    EXPECT_EQ(world.dropped(Drop::offline), before + 2);
    for (Peer* peer : {&a, &b}) {
      peer->received.clear();
      ASSERT_TRUE(peer->connect(false, 100));
      ASSERT_TRUE(peer->wait_for(1));
      EXPECT_EQ(peer->received.front().payload, "kept");
    }
    pub.publish("q/1", "live", k0);
    const auto is_live = [](const Peer& peer) { return peer.received.back().payload == "live"; };
    EXPECT_TRUE(world.settle([&] { return is_live(a) && is_live(b); })) << "they are told again";
  };
  away(false);
  away(true);
}

TEST_P(BrokerTest, RedeliversWhatWasNotSettled) {
  Peer pub(world, "pub"), a(world, "a");
  ASSERT_TRUE(pub.connect() && a.connect(true, 100));
  a.subscribe("t", k1);
  a.auto_settle = false;
  pub.publish("t", "1", k1);
  ASSERT_TRUE(a.wait_for(1));
  const uint16_t tag = a.received[0].tag;
  a.drop();
  a.received.clear();
  ASSERT_TRUE(a.connect(false, 100));
  ASSERT_TRUE(a.wait_for(1));
  EXPECT_TRUE(a.received[0].redelivered);
  EXPECT_EQ(a.received[0].tag, tag);
  EXPECT_TRUE(a.session()->settle(tag));
  EXPECT_FALSE(a.session()->settle(tag));
}

TEST_P(BrokerTest, TheWindowBoundsWhatIsUnsettledAndTheLogHoldsTheRest) {
  Peer pub(world, "pub"), a(world, "a");
  a.window = 3;
  a.auto_settle = false;
  ASSERT_TRUE(pub.connect() && a.connect(true, 100));
  a.subscribe("t", k1);
  for (int i = 0; i < 10; ++i) pub.publish("t", std::to_string(i), k1);
  world.run_ms(500);
  ASSERT_EQ(a.received.size(), 3u);
  for (std::size_t i = 0; i < 10; ++i) {
    ASSERT_TRUE(a.wait_for(i + 1));
    EXPECT_EQ(a.received[i].payload, std::to_string(i));
    a.session()->settle(a.received[i].tag);
  }
}

TEST_P(BrokerTest, SurvivesACrash) {
  {
    Peer pub(world, "pub"), a(world, "a");
    ASSERT_TRUE(pub.connect() && a.connect(true, 1000));
    a.subscribe("c/+", k1);
    a.drop();
    for (int i = 0; i < 10; ++i) pub.publish("c/x", std::to_string(i), k1);
    pub.publish("last", "value", k1, true);
    pub.forget();
    a.forget();
    world.crash();
  }
  Peer a(world, "a"), late(world, "late");
  ASSERT_TRUE(a.connect(false, 1000) && late.connect());
  EXPECT_TRUE(a.present);
  ASSERT_TRUE(a.wait_for(10));
  EXPECT_EQ(a.payloads(), (Texts{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"}));
  late.subscribe("last", k1);
  ASSERT_TRUE(late.wait_for(1));
  EXPECT_TRUE(late.received[0].retained);
  Peer pub(world, "pub");
  ASSERT_TRUE(pub.connect());
  pub.publish("c/x", "after", k1);
  ASSERT_TRUE(a.wait_for(11));
}

TEST_P(BrokerTest, ExactlyOnceKeepsItsTagOverACrash) {
  uint16_t tag = 0;
  {
    Peer pub(world, "pub"), a(world, "a");
    ASSERT_TRUE(pub.connect() && a.connect(true, 1000));
    a.subscribe("t", k2);
    a.auto_settle = false;
    pub.publish("t", "first", k2, false, 1);
    pub.publish("t", "second", k2, false, 2);
    ASSERT_TRUE(a.wait_for(2));
    tag = a.received[1].tag;
    a.session()->received(a.received[0].tag);
    ASSERT_TRUE(world.settle([&] { return a.releases.size() == 1; }));
    a.forget();
    pub.forget();
    world.crash();
  }
  Peer a(world, "a");
  a.auto_settle = false;
  ASSERT_TRUE(a.connect(false, 1000));
  ASSERT_TRUE(a.wait_for(1));
  world.run_ms(200);
  ASSERT_EQ(a.received.size(), 1u) << "the one that was received is only released";
  EXPECT_EQ(a.received[0].payload, "second");
  EXPECT_EQ(a.received[0].tag, tag);
  EXPECT_TRUE(a.received[0].redelivered);
  EXPECT_EQ(a.releases.size(), 1u);
}

TEST_P(BrokerTest, WhatIsDroppedBeforeLastValuesLetsNothingOvertakeThem) {
  Peer pub(world, "pub"), sub(world, "sub");
  ASSERT_TRUE(pub.connect() && sub.connect());
  EXPECT_EQ(pub.publish("r", "old", k1, true).outcome, Outcome::no_match);
  sub.takes_max = 0;
  sub.subscribe("other", k1);
  pub.publish("other", "x", k1);
  world.run_ms(50);
  sub.subscribe("r", k1);
  pub.publish("r", "new", k1, true);
  world.run_ms(50);
  EXPECT_TRUE(sub.unsubscribe("other"));
  sub.take(10);
  ASSERT_TRUE(sub.wait_for(2));
  EXPECT_EQ(sub.payloads(), (Texts{"old", "new"}));
}

TEST_P(BrokerTest, AReleaseRepeatedOnANewConnectionIsAnsweredWhenTheHandshakeIsDeleted) {
  Peer pub(world, "pub"), a(world, "a");
  ASSERT_TRUE(pub.connect(true, 1000) && a.connect(true, 1000));
  a.subscribe("t", k1);
  EXPECT_EQ(pub.publish("t", "0", k2, false, 5).outcome, Outcome::ok);
  world.disk().set_commit_delay_ms(1000);
  pub.send("t", "1", k1);
  world.run_ms(100);
  pub.session()->release(5, 1'000'000);  // behind what is being committed
  pub.drop();
  ASSERT_TRUE(pub.connect(false, 1000));
  EXPECT_TRUE(pub.release_inbound(5)) << "a crash would bring it back until then";
  EXPECT_FALSE(pub.release_inbound(5));
}

TEST_P(BrokerTest, AnExactlyOncePublishIsTakenOnceAlsoOverACrash) {
  {
    Peer pub(world, "pub"), a(world, "a");
    ASSERT_TRUE(pub.connect(true, 1000) && a.connect(true, 1000));
    a.subscribe("t", k1);
    a.drop();
    EXPECT_FALSE(pub.publish("t", "once", k2, false, 5).duplicate);
    EXPECT_TRUE(pub.publish("t", "once", k2, false, 5).duplicate);
    pub.forget();
    world.crash();
  }
  Peer pub(world, "pub"), a(world, "a");
  ASSERT_TRUE(pub.connect(false, 1000));
  EXPECT_TRUE(pub.publish("t", "once", k2, false, 5).duplicate);
  EXPECT_TRUE(pub.release_inbound(5));
  EXPECT_FALSE(pub.release_inbound(5));
  EXPECT_FALSE(pub.publish("t", "twice", k2, false, 5).duplicate);
  ASSERT_TRUE(a.connect(false, 1000));
  ASSERT_TRUE(a.wait_for(2));
  world.run_ms(200);
  EXPECT_EQ(a.payloads(), (Texts{"once", "twice"}));
}

// A last value that no log keeps is stored, too: repeated after a crash it must not take the place of a newer one.
TEST_P(BrokerTest, AnExactlyOnceLastValueIsTakenOnceAlsoOverACrash) {
  {
    Peer pub(world, "pub");
    ASSERT_TRUE(pub.connect(true, 1000));
    EXPECT_FALSE(pub.publish("t", "old", k2, true, 5).duplicate);
    pub.forget();
    world.crash();
  }
  Peer pub(world, "pub"), other(world, "other"), a(world, "a");
  ASSERT_TRUE(other.connect() && a.connect() && pub.connect(false, 1000));
  other.publish("t", "new", k1, true);
  EXPECT_TRUE(pub.publish("t", "old", k2, true, 5).duplicate);
  EXPECT_TRUE(pub.release_inbound(5));
  EXPECT_FALSE(pub.release_inbound(5));
  a.subscribe("t", k1);
  ASSERT_TRUE(a.wait_for(1));
  EXPECT_EQ(a.payloads(), Texts{"new"});
  EXPECT_FALSE(pub.publish("t", "newest", k2, true, 5).duplicate);
}

// Its deletion is not stored: the release is not answered, or the next message under the tag would be taken for a repetition.
TEST_P(BrokerTest, AReleaseIsAnsweredOnlyWhenItsHandshakeIsDeleted) {
  Peer pub(world, "pub");
  ASSERT_TRUE(pub.connect(true, 1000));
  pub.publish("t", "once", k2, true, 5);
  world.disk().fail_after(0);
  pub.session()->release(5, 77);
  world.run_ms(500);
  EXPECT_FALSE(pub.was_released(77));
}

TEST_P(BrokerTest, RetainedValuesComeWithTheSubscription) {
  Peer pub(world, "pub"), a(world, "a");
  ASSERT_TRUE(pub.connect() && a.connect());
  pub.publish("r/1", "one", k0, true);
  pub.publish("r/2", "two", k1, true);
  pub.publish("r/1", "uno", k1, true);
  a.subscribe("r/#", k1);
  ASSERT_TRUE(a.wait_for(2));
  Texts got = a.payloads();
  std::sort(got.begin(), got.end());
  EXPECT_EQ(got, (Texts{"two", "uno"}));
  pub.publish("r/1", "live", k1, true);
  ASSERT_TRUE(a.wait_for(3));
  EXPECT_FALSE(a.received[2].retained);
  pub.publish("r/1", "", k1, true);
  pub.publish("r/2", "", k1, true);
  a.received.clear();
  a.subscribe("r/#", k1);
  world.run_ms(200);
  EXPECT_TRUE(a.received.empty());
}

// They are many times what may wait for one session, and the subscriber is slow: none is lost, and what came later
// comes later.
TEST(BrokerLastValues, LeaveAsFastAsTheSubscriberTakesThem) {
  Options options;
  options.queued_bytes_per_session_max = 32 << 10;
  for (const Guarantee guarantee : {k0, k1, k2}) {
    for (const bool persistent : {false, true}) {
      World world(2, 1, options);
      Peer pub(world, "pub"), a(world, "a");
      ASSERT_TRUE(pub.connect());
      for (int i = 0; i < 1000; ++i) pub.publish("r/" + std::to_string(i), std::string(100, 'x'), guarantee, true);
      a.window = 10;
      a.takes_max = 0;
      ASSERT_TRUE(a.connect(!persistent, persistent ? 100 : 0));
      a.subscribe("r/#", guarantee);
      pub.publish("r/5", "later", guarantee);
      a.take(20);
      while (a.received.size() < 1001) {
        const std::size_t before = a.received.size();
        a.take(100);
        world.run_ms(20);
        ASSERT_GT(a.received.size(), before) << "guarantee " << static_cast<int>(guarantee);
      }
      EXPECT_EQ(a.received.size(), 1001u);
      EXPECT_EQ(a.received.back().payload, "later");
      EXPECT_EQ(world.dropped(Drop::queue_full), 0u);
    }
  }
}

TEST_P(BrokerTest, RetainedOnlyIfNewOrNever) {
  Peer pub(world, "pub"), a(world, "a");
  ASSERT_TRUE(pub.connect() && a.connect());
  pub.publish("r", "v", k1, true);
  a.subscribe("r", k1, "", 0, RetainedOnSubscribe::never);
  world.run_ms(100);
  EXPECT_EQ(a.received.size(), 0u);
  a.subscribe("r", k1, "", 0, RetainedOnSubscribe::if_new);
  world.run_ms(100);
  EXPECT_EQ(a.received.size(), 0u) << "it was there already";
  a.unsubscribe("r");
  a.subscribe("r", k1, "", 0, RetainedOnSubscribe::if_new);
  ASSERT_TRUE(a.wait_for(1));
}

TEST_P(BrokerTest, NothingAfterUnsubscribing) {
  Peer pub(world, "pub"), a(world, "a");
  ASSERT_TRUE(pub.connect() && a.connect(true, 100));
  a.subscribe("t", k1);
  EXPECT_TRUE(a.unsubscribe("t"));
  EXPECT_FALSE(a.unsubscribe("t"));
  EXPECT_EQ(pub.publish("t", "x", k1).outcome, Outcome::no_match);
  world.run_ms(100);
  EXPECT_TRUE(a.received.empty());
}

// The removal is still being written when the same filter is asked for again.
TEST_P(BrokerTest, SubscribingAgainBehindAnUnsubscribeKeepsTheInterest) {
  for (const std::string group : {"", "g"}) {
    Peer pub(world, "pub"), a(world, "a");
    ASSERT_TRUE(pub.connect() && a.connect(true, 100));
    a.subscribe("+/x", k1, group);
    a.session()->unsubscribe({{group, "+/x"}}, 0);
    a.subscribe("+/x", k1, group);
    world.run_ms(100);
    a.drop();
    EXPECT_EQ(pub.publish("t/x", "kept", k1).outcome, Outcome::ok);
    ASSERT_TRUE(a.connect(false, 100));
    EXPECT_TRUE(a.wait_for(1)) << "group '" << group << "'";
  }
}

// Cores are told of a filter once, however often it comes and goes while a removal is being written.
TEST_P(BrokerTest, TheLastUnsubscribeEndsTheInterestOfAllCores) {
  Peer a(world, "a"), pub(world, "pub");
  ASSERT_TRUE(a.connect(true, 100) && pub.connect());
  world.disk().set_commit_delay_ms(50);
  for (int n = 0; n < 10; ++n) {  // topics with owners on every core
    const std::string topic = "x" + std::to_string(n);
    a.subscribe(topic, k0);
    for (int i = 0; i < 3; ++i) {
      a.session()->unsubscribe({{"", topic}}, 0);
      a.subscribe(topic, k0);
    }
    EXPECT_EQ(pub.publish(topic, "m", k1).outcome, Outcome::ok);
    EXPECT_TRUE(a.unsubscribe(topic));
    world.run_ms(1000);
    EXPECT_EQ(pub.publish(topic, "m", k1).outcome, Outcome::no_match) << topic;
  }
}

TEST_P(BrokerTest, AGroupSharesItsMessages) {
  Peer pub(world, "pub"), a(world, "a"), b(world, "b");
  ASSERT_TRUE(pub.connect() && a.connect() && b.connect());
  a.subscribe("s/#", k1, "g");
  b.subscribe("s/#", k1, "g");
  for (int i = 0; i < 20; ++i) pub.publish("s/x", std::to_string(i), k1);
  ASSERT_TRUE(world.settle([&] { return a.received.size() + b.received.size() == 20; }));
  world.run_ms(100);
  EXPECT_EQ(a.received.size() + b.received.size(), 20u);
  EXPECT_GE(a.received.size(), 5u);
  EXPECT_GE(b.received.size(), 5u);
}

TEST_P(BrokerTest, ALeaverGivesBackToItsGroup) {
  Peer pub(world, "pub"), a(world, "a"), b(world, "b");
  a.auto_settle = false;
  ASSERT_TRUE(pub.connect() && a.connect() && b.connect());
  a.subscribe("s", k1, "g");
  b.subscribe("s", k1, "g");
  for (int i = 0; i < 10; ++i) pub.publish("s", std::to_string(i), k1);
  ASSERT_TRUE(world.settle([&] { return a.received.size() + b.received.size() == 10; }));
  const std::size_t held = a.received.size();
  EXPECT_GT(held, 0u);
  a.drop();
  ASSERT_TRUE(b.wait_for(10));
  std::set<std::string> seen;
  for (const std::string& payload : b.payloads()) seen.insert(payload);
  EXPECT_EQ(seen.size(), 10u);
}

TEST_P(BrokerTest, ADurableGroupCollectsWhileAllAreAway) {
  Peer pub(world, "pub"), a(world, "a");
  ASSERT_TRUE(pub.connect() && a.connect(true, 100));
  a.subscribe("s/+", k1, "g");
  a.drop();
  for (int i = 0; i < 10; ++i) pub.publish("s/x", std::to_string(i), k1);
  ASSERT_TRUE(a.connect(false, 100));
  ASSERT_TRUE(a.wait_for(10));
  EXPECT_EQ(a.payloads(), (Texts{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"}));
}

TEST_P(BrokerTest, ExpiredMessagesAreNotDelivered) {
  Peer pub(world, "pub"), a(world, "a");
  ASSERT_TRUE(pub.connect() && a.connect(true, 100));
  a.subscribe("t", k1);
  a.drop();
  auto message = std::make_unique<Message>();
  message->topic = "t";
  message->payload = "old";
  message->guarantee = k1;
  message->expires_ms = world.sim().wall_ms() + 2000;
  pub.session()->publish(std::move(message), 0, 0);
  pub.publish("t", "fresh", k1);
  world.run_ms(2500);
  ASSERT_TRUE(a.connect(false, 100));
  ASSERT_TRUE(a.wait_for(1));
  EXPECT_EQ(a.payloads(), Texts{"fresh"});
  EXPECT_EQ(world.dropped(Drop::expired), 1u);
}

TEST_P(BrokerTest, TheLogIsTrimmedWhenAllHaveReadIt) {
  Peer pub(world, "pub"), a(world, "a");
  ASSERT_TRUE(pub.connect() && a.connect(true, 100));
  a.subscribe("t", k1);
  for (int i = 0; i < 200; ++i) pub.publish("t", std::string(1000, 'x'), k1);
  ASSERT_TRUE(a.wait_for(200));
  const auto bytes = [&] {
    uint64_t sum = 0;
    const PartitionId p = world.shard(0).placement().partition_of("t");
    for (unsigned core = 0; core < world.cores(); ++core) {
      if (world.shard(0).placement().core_of(p) == core) sum += world.shard(core).store().bounds(p, engine::LogId::inbox).bytes;
    }
    return sum;
  };
  EXPECT_TRUE(world.settle([&] { return bytes() < 5'000; })) << bytes();
}

TEST_P(BrokerTest, WhatIsDamagedIsCountedAndTheRestIsDelivered) {
  Peer pub(world, "pub"), a(world, "a");
  ASSERT_TRUE(pub.connect() && a.connect(true, 100));
  a.subscribe("t", k1);
  a.drop();
  std::optional<Position> second;
  for (int i = 0; i < 4; ++i) {
    const Receipt receipt = pub.publish("t", std::to_string(i), k1);
    ASSERT_TRUE(receipt.position);
    if (i == 1) second = receipt.position;
  }
  ASSERT_TRUE(world.disk().corrupt(second->partition, engine::LogId::inbox, second->offset));
  ASSERT_TRUE(a.connect(false, 100));
  ASSERT_TRUE(a.wait_for(3));
  EXPECT_EQ(a.received[0].payload, "0");
  EXPECT_EQ(a.received[1].payload, "2");
  EXPECT_EQ(a.received[2].payload, "3");
  EXPECT_EQ(world.dropped(Drop::damaged), 1u);
}

TEST(BrokerBudget, OneTopicMayUseAllOfTheInbox) {
  Options options;
  options.inbox_bytes_max = 64 << 10;
  World world(1, 1, options);
  Peer pub(world, "pub"), a(world, "a");
  ASSERT_TRUE(pub.connect() && a.connect(true, 100));
  a.subscribe("t", k1);
  a.drop();
  const std::string kilobyte(1024, 'x');
  int taken = 0;
  while (taken < 100 && pub.publish("t", kilobyte, k1).outcome == Outcome::ok) ++taken;
  EXPECT_GT(taken, 55);
  EXPECT_LT(taken, 66);
  EXPECT_EQ(world.dropped(Drop::quota_publish), 1u);
  ASSERT_TRUE(a.connect(false, 100));
  ASSERT_TRUE(a.wait_for(static_cast<std::size_t>(taken)));
  EXPECT_TRUE(world.settle([&] { return world.sum(&Counters::inbox_bytes) == 0; }));
  EXPECT_EQ(pub.publish("t", kilobyte, k1).outcome, Outcome::ok);
}

TEST(BrokerBudget, RetainedMessagesAreCountedOverAllCores) {
  Options options;
  options.retained_messages_max = 10;
  World world(3, 1, options);
  Peer pub(world, "pub");
  ASSERT_TRUE(pub.connect());
  for (int i = 0; i < 10; ++i) EXPECT_NE(pub.publish("r/" + std::to_string(i), "v", k1, true).outcome, Outcome::quota) << i;
  EXPECT_EQ(pub.publish("r/10", "v", k1, true).outcome, Outcome::quota);
  EXPECT_NE(pub.publish("r/3", "again", k1, true).outcome, Outcome::quota);
}

TEST_P(BrokerTest, AFullStoreRefusesDurablePublishesAndServesTheRest) {
  Peer pub(world, "pub"), a(world, "a"), live(world, "live");
  ASSERT_TRUE(pub.connect() && a.connect(true, 100) && live.connect());
  a.subscribe("t", k1);
  live.subscribe("mem", k1);
  world.disk().set_bytes_max(1);
  EXPECT_EQ(pub.publish("t", "x", k1).outcome, Outcome::quota);
  EXPECT_EQ(pub.publish("mem", "x", k1).outcome, Outcome::ok);
  world.disk().set_bytes_max(0);
  EXPECT_EQ(pub.publish("t", "y", k1).outcome, Outcome::ok);
  ASSERT_TRUE(a.wait_for(1));
  EXPECT_EQ(a.payloads(), Texts{"y"});
}

TEST_P(BrokerTest, ASlowSubscriberLosesItsOldestTransientMessages) {
  Options options;
  options.queued_bytes_per_session_max = 20'000;
  World small(GetParam(), 2, options);
  Peer pub(small, "pub"), a(small, "a");
  ASSERT_TRUE(pub.connect() && a.connect());
  a.subscribe("t", k0);
  a.is_ready = false;
  for (int i = 0; i < 100; ++i) pub.publish("t", std::to_string(i) + std::string(1000, 'x'), k0);
  small.run_ms(100);
  EXPECT_TRUE(a.received.empty());
  EXPECT_GT(small.dropped(Drop::queue_full), 50u);
  a.is_ready = true;
  a.session()->resume();
  ASSERT_GT(a.received.size(), 5u);
  EXPECT_EQ(a.received.back().payload.substr(0, 2), "99");
}

TEST_P(BrokerTest, ALiveDurableSubscriberThatOverflowsReadsTheLog) {
  Options options;
  options.queued_bytes_per_session_max = 10'000;
  World small(GetParam(), 3, options);
  Peer pub(small, "pub"), a(small, "a");
  ASSERT_TRUE(pub.connect() && a.connect(true, 100));
  a.subscribe("t", k1);
  a.is_ready = false;
  for (int i = 0; i < 100; ++i) pub.publish("t", std::to_string(i) + ":" + std::string(1000, 'x'), k1);
  EXPECT_GT(small.sum(&Counters::seams_lost), 0u);
  a.is_ready = true;
  a.session()->resume();
  ASSERT_TRUE(a.wait_for(100));
  for (int i = 0; i < 100; ++i) {
    const std::string& payload = a.received[static_cast<std::size_t>(i)].payload;
    EXPECT_EQ(payload.substr(0, payload.find(':')), std::to_string(i));
  }
}

TEST_P(BrokerTest, AGroupEndsThoughItsMemberExpiresWhileTheStoreIsSlowToRecover) {
  {
    Peer a(world, "a");
    ASSERT_TRUE(a.connect(true, 2));
    a.subscribe("t", k1, "g");
    a.drop();
    world.run_ms(200);
    world.disk().set_commit_delay_ms(3000);
    world.crash();
  }
  world.disk().set_commit_delay_ms(0);
  EXPECT_TRUE(world.settle([&] { return world.sum(&Counters::sessions) == 0 && world.sum(&Counters::groups) == 0; }));
}

}  // namespace
}  // namespace arena::broker::test
