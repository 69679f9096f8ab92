// What must be there when a broker that has come back begins to listen.
#include "broker/test_world.h"

namespace arena::broker::test {
namespace {

constexpr auto k2 = Guarantee::exactly_once;

// However long mail between cores takes: a publish that is repeated on the first connection after a crash is not a new one.
TEST(Recovery, KnowsOpenHandshakesBeforeItListens) {
  runtime::SimOptions slow_mail;
  slow_mail.mail_delay_max_us = 100'000;
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    World world(3, seed, {}, slow_mail);
    Peer pub(world, "pub"), sub(world, "sub");
    ASSERT_TRUE(pub.connect(true, 100) && sub.connect(true, 100));
    sub.subscribe("t/+", k2);
    for (uint16_t tag = 1; tag <= 8; ++tag) pub.publish("t/" + std::to_string(tag), "x", k2, false, tag);
    world.crash();
    pub.forget();
    sub.forget();
    ASSERT_TRUE(pub.connect(false, 100));
    for (uint16_t tag = 1; tag <= 8; ++tag) {
      EXPECT_TRUE(pub.publish("t/" + std::to_string(tag), "x", k2, false, tag).duplicate) << "seed " << seed << ", tag " << tag;
    }
  }
}

access::Rule denied_to_read(const std::string& filter) {
  access::Rule rule;
  rule.allow = false;
  rule.subscribe = true;
  rule.filter = filter;
  return rule;
}

// What was given before a crash and is denied when it is read again stays settled when the rules allow it again: under another tag
// its receiver would take it for new.
TEST(Recovery, WhatIsDeniedWhenItIsReadAgainIsDoneWith) {
  Options options;
  options.partitions = 1;
  World world(1, 1, options);
  Peer pub(world, "pub"), a(world, "a");
  ASSERT_TRUE(pub.connect() && a.connect(true, 100));
  a.auto_settle = false;
  a.subscribe("#", k2);
  for (const char* topic : {"first", "second", "secret"}) pub.publish(topic, topic, k2);
  ASSERT_TRUE(a.wait_for(3));
  world.crash();
  pub.forget();
  a.forget();
  a.received.clear();
  a.window = 1;  // the second waits, below the one that is denied
  world.deny({denied_to_read("secret")});
  ASSERT_TRUE(a.connect(false, 100));
  ASSERT_TRUE(world.settle([&] { return a.releases.size() == 1; }));
  a.drop();
  world.deny({});
  a.window = 10;
  a.auto_settle = true;
  ASSERT_TRUE(a.connect(false, 100));
  world.run_ms(1000);
  for (const Got& got : a.received) EXPECT_NE(got.topic, "secret");
  EXPECT_EQ(a.received.back().topic, "second");
}

// Its receiver forgets a tag that is released: were that not written, a crash would bring the message back under it, as a new one.
TEST(Recovery, LetsGoOfATagWhenThatIsWritten) {
  World world(1);
  Peer pub(world, "pub"), a(world, "a");
  ASSERT_TRUE(pub.connect() && a.connect(true, 100));
  a.auto_settle = false;
  a.subscribe("#", k2);
  pub.publish("secret", "secret", k2);
  ASSERT_TRUE(a.wait_for(1));
  world.crash();
  pub.forget();
  a.forget();
  world.deny({denied_to_read("secret")});
  world.disk().set_bytes_max(1);
  ASSERT_TRUE(a.connect(false, 100));
  world.run_ms(3000);
  EXPECT_TRUE(a.releases.empty());
  a.drop();
  ASSERT_TRUE(a.connect(false, 100));
  world.run_ms(3000);
  EXPECT_TRUE(a.releases.empty()) << "on another connection, either";
  world.disk().set_bytes_max(0);
  ASSERT_TRUE(world.settle([&] { return a.releases.size() == 1; }));
  world.crash();
  a.forget();
  a.received.clear();
  ASSERT_TRUE(a.connect(false, 100));
  world.run_ms(1000);
  EXPECT_TRUE(a.received.empty()) << "though it may be read again";
}

// With a full store it waits: a crash would bring the subscription back to whom was told that it has ended.
TEST(Recovery, AnUnsubscribeIsAnsweredWhenItIsStored) {
  World world(1);
  Peer pub(world, "pub"), a(world, "a");
  ASSERT_TRUE(pub.connect() && a.connect(true, 100));
  a.subscribe("t", k2);
  world.disk().set_bytes_max(1);
  const int64_t full_ms = world.sim().now_ms();
  world.sim().at(5'000'000, [&] { world.disk().set_bytes_max(0); });
  EXPECT_TRUE(a.unsubscribe("t"));
  EXPECT_GE(world.sim().now_ms(), full_ms + 5000);
  world.crash();
  pub.forget();
  a.forget();
  ASSERT_TRUE(pub.connect() && a.connect(false, 100));
  pub.publish("t", "x", k2);
  world.run_ms(1000);
  EXPECT_TRUE(a.received.empty());
}

TEST(Recovery, AnUnsubscribeThatWaitsForAFullStoreEndsWithItsSession) {
  World world(3);
  Peer pub(world, "pub"), a(world, "a");
  ASSERT_TRUE(pub.connect() && a.connect(true, 100));
  a.subscribe("t", k2);
  world.disk().set_bytes_max(1);
  a.session()->unsubscribe({{"", "t"}}, 4711);
  world.run_ms(3000);
  a.drop();
  EXPECT_FALSE(a.connect(true, 100)) << "a new one cannot be stored";
  world.disk().set_bytes_max(0);
  world.run_ms(3000);
  EXPECT_EQ(pub.publish("t", "x", k2).outcome, Outcome::no_match) << "nobody keeps it any more";
}

Will will_on(const std::string& topic, Guarantee guarantee, uint32_t delay_s = 0) {
  auto message = std::make_unique<Message>();
  message->topic = topic;
  message->payload = "gone";
  message->guarantee = guarantee;
  return {MessageRef(message.release()), delay_s, 0};
}

// What its session is told to the store must not be there before the will is, wherever the crash comes between.
TEST(Recovery, SendsAWillThatWasOnItsWay) {
  runtime::SimOptions slow_mail;
  slow_mail.mail_delay_max_us = 40'000;
  for (const uint32_t expiry_s : {0u, 100u}) {
    for (const uint32_t delay_s : {0u, 1u}) {
      for (uint64_t seed = 1; seed <= 20; ++seed) {
        World world(3, seed, {}, slow_mail);
        Peer sub(world, "sub"), leaver(world, "leaver");
        ASSERT_TRUE(sub.connect(true, 100));
        sub.subscribe("will/+", k2);
        sub.drop();
        ASSERT_TRUE(leaver.connect(true, expiry_s, will_on("will/" + std::to_string(seed), k2, delay_s)));
        leaver.drop();
        world.run_ms(1000 * std::min(delay_s, expiry_s) + 3 * static_cast<int64_t>(seed));
        world.crash();
        world.run_ms(1500);
        ASSERT_TRUE(sub.connect(false, 100));
        EXPECT_TRUE(sub.wait_for(1)) << "expiry " << expiry_s << ", delay " << delay_s << ", seed " << seed;
        world.run_ms(1500);
        EXPECT_EQ(sub.received.size(), 1u);
        sub.drop();
      }
    }
  }
}

// The client that comes back at once has another will; the one before was due.
TEST(Recovery, SendsAWillWhoseClientCameBackWhileItWasOnItsWay) {
  runtime::SimOptions slow_mail;
  slow_mail.mail_delay_max_us = 40'000;
  for (const uint32_t expiry_s : {0u, 100u}) {
    for (uint64_t seed = 1; seed <= 20; ++seed) {
      World world(3, seed, {}, slow_mail);
      Peer sub(world, "sub"), leaver(world, "leaver");
      ASSERT_TRUE(sub.connect(true, 100));
      sub.subscribe("will/+", k2);
      sub.drop();
      ASSERT_TRUE(leaver.connect(true, expiry_s, will_on("will/" + std::to_string(seed), k2)));
      leaver.drop();
      leaver.ask_to_open(seed % 2 == 0, 100, will_on("will/other", k2, 200));
      world.run_ms(3 * static_cast<int64_t>(seed));
      world.crash();
      leaver.forget();
      ASSERT_TRUE(sub.connect(false, 100));
      EXPECT_TRUE(sub.wait_for(1)) << "expiry " << expiry_s << ", seed " << seed;
      world.run_ms(500);
      ASSERT_EQ(sub.received.size(), 1u);
      EXPECT_EQ(sub.received[0].topic, "will/" + std::to_string(seed));
      sub.drop();
    }
  }
}

// Whoever is sent away has not said goodbye [5 MQTT-3.1.2-8].
TEST(Recovery, WillsGoOutWhenTheBrokerStops) {
  World world(3);
  Peer sub(world, "sub"), lasting(world, "lasting"), passing(world, "passing");
  ASSERT_TRUE(sub.connect(true, 100));
  sub.subscribe("will/+", k2);
  sub.drop();
  ASSERT_TRUE(lasting.connect(true, 100, will_on("will/lasting", k2)));
  ASSERT_TRUE(passing.connect(true, 0, will_on("will/passing", k2)));
  std::size_t drained = 0;
  for (unsigned core = 0; core < world.cores(); ++core) world.shard(core).drain([&drained] { ++drained; });
  ASSERT_TRUE(world.settle([&] { return drained == world.cores(); }));
  world.crash();
  ASSERT_TRUE(sub.connect(false, 100));
  EXPECT_TRUE(sub.wait_for(2));
}

// A delivery that is released is over for the whole group, crash or not; each member had its release when that was stored.
TEST(Recovery, WhatAGroupGaveAndReleasedDoesNotComeAgain) {
  for (const unsigned cores : {1U, 3U}) {
    World world(cores);
    Peer pub(world, "pub"), a(world, "a"), b(world, "b");
    ASSERT_TRUE(pub.connect() && a.connect(true, 100) && b.connect(true, 100));
    a.subscribe("t/+", k2, "g");
    b.subscribe("t/+", k2, "g");
    for (int i = 0; i < 20; ++i) pub.publish("t/" + std::to_string(i), std::to_string(i), k2);
    ASSERT_TRUE(world.settle([&] { return a.releases.size() + b.releases.size() == 20; }));
    world.crash();
    pub.forget();
    a.forget();
    b.forget();
    ASSERT_TRUE(a.connect(false, 100) && b.connect(false, 100));
    world.run_ms(3000);
    EXPECT_EQ(a.received.size() + b.received.size(), 20U) << cores;
  }
}

// Releases leave in the order in which the messages were received, whoever gave them [5 MQTT-4.6.0-4].
TEST(Recovery, ReleasesKeepTheirOrderBesideAGroup) {
  World world(3);
  Peer pub(world, "pub"), a(world, "a");
  ASSERT_TRUE(pub.connect() && a.connect(true, 100));
  a.auto_settle = false;
  a.subscribe("g/+", k2, "g");
  a.subscribe("p/+", k2);
  for (int i = 0; i < 6; ++i) pub.publish((i % 2 == 0 ? "g/" : "p/") + std::to_string(i), "x", k2);
  ASSERT_TRUE(a.wait_for(6));
  std::vector<uint16_t> order;
  for (const Got& got : a.received) {
    order.push_back(got.tag);
    a.session()->received(got.tag);
    a.session()->received(got.tag);  // said twice
  }
  ASSERT_TRUE(world.settle([&] { return a.releases.size() == 6; }));
  EXPECT_EQ(a.releases, order);
}

}  // namespace
}  // namespace arena::broker::test
