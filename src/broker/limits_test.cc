// Goal: each limit of the broker's Options holds, and what it refuses is counted. docs/limits.md names these tests.
#include <string>

#include "broker/test_world.h"

namespace arena::broker::test {
namespace {

constexpr auto k0 = Guarantee::at_most_once;
constexpr auto k1 = Guarantee::at_least_once;

TEST(BrokerLimits, SubscriptionsOfASession) {
  Options options;
  options.subscriptions_per_session_max = 2;
  World world(1, 1, options);
  Peer peer(world, "peer");
  ASSERT_TRUE(peer.connect());
  EXPECT_EQ(peer.subscribe("a", k0)[0].status, SubscribeStatus::granted);
  EXPECT_EQ(peer.subscribe("b", k0, "group")[0].status, SubscribeStatus::granted);
  EXPECT_EQ(peer.subscribe("c", k0)[0].status, SubscribeStatus::quota);
  EXPECT_EQ(peer.subscribe("a", k1)[0].status, SubscribeStatus::granted) << "replaces";
  EXPECT_EQ(world.sum(&Counters::subscriptions_refused), 1u);
}

TEST(BrokerLimits, UnsettledDeliveriesOfASession) {
  Options options;
  options.inflight_per_session_max = 3;
  World world(1, 1, options);
  Peer pub(world, "pub"), sub(world, "sub");
  sub.window = 10;
  sub.auto_settle = false;
  ASSERT_TRUE(pub.connect() && sub.connect());
  sub.subscribe("a", k1);
  for (int i = 0; i < 10; ++i) pub.publish("a", "", k1);
  world.run_ms(100);
  EXPECT_EQ(sub.received.size(), 3u);
}

TEST(BrokerLimits, HowLongASessionOutlivesItsConnection) {
  Options options;
  options.session_expiry_max_s = 5;
  World world(1, 1, options);
  Peer peer(world, "peer");
  ASSERT_TRUE(peer.connect(false, 100));
  EXPECT_EQ(peer.session()->expiry_s(), 5u);
  peer.drop();
  world.run_ms(7'000);
  ASSERT_TRUE(peer.connect(false, 100));
  EXPECT_FALSE(peer.present);
  EXPECT_EQ(world.sum(&Counters::sessions_expired), 1u);
}

TEST(BrokerLimits, RetainedMessages) {
  Options options;
  options.retained_messages_max = 2;
  World world(1, 1, options);
  Peer pub(world, "pub");
  ASSERT_TRUE(pub.connect());
  EXPECT_NE(pub.publish("a", "1", k0, true).outcome, Outcome::quota);
  EXPECT_NE(pub.publish("b", "1", k0, true).outcome, Outcome::quota);
  EXPECT_EQ(pub.publish("c", "1", k0, true).outcome, Outcome::quota);
  EXPECT_NE(pub.publish("a", "2", k0, true).outcome, Outcome::quota) << "replaces";
  EXPECT_NE(pub.publish("b", "", k0, true).outcome, Outcome::quota) << "makes room";
  EXPECT_NE(pub.publish("c", "1", k0, true).outcome, Outcome::quota);
  EXPECT_EQ(world.dropped(Drop::quota_publish), 1u);
}

// What the broker says of itself takes no room from its clients, and finds room where they have left none.
TEST(BrokerLimits, RetainedMessagesOfTheBrokerItself) {
  Options options;
  options.retained_messages_max = 1;
  World world(1, 1, options);
  const auto say = [&](const std::string& topic, const std::string& payload) {
    auto message = std::make_unique<Message>();
    message->topic = topic;
    message->payload = payload;
    message->retain = true;
    world.shard(0).publish_internal(std::move(message));
    world.run_ms(100);
  };
  say("$SYS/a", "1");
  say("$SYS/b", "1");
  Peer pub(world, "pub"), sub(world, "sub");
  ASSERT_TRUE(pub.connect() && sub.connect());
  EXPECT_NE(pub.publish("a", "1", k0, true).outcome, Outcome::quota);
  say("$SYS/c", "1");
  EXPECT_EQ(pub.publish("b", "1", k0, true).outcome, Outcome::quota);
  EXPECT_EQ(world.sum(&Counters::retained), 1u);
  sub.subscribe("$SYS/#", k0);
  EXPECT_TRUE(sub.wait_for(3));
  say("$SYS/a", "");
  EXPECT_EQ(world.sum(&Counters::retained), 1u);
}

std::size_t stored_last_values(World& world) {
  std::size_t rows = 0;
  for (unsigned core = 0; core < world.cores(); ++core) {
    for (const auto& [id, partition] : world.shard(core).partitions()) rows += world.shard(core).store().scan(id, engine::Space::retained, {}, {}, SIZE_MAX).size();
  }
  return rows;
}

void publish_expiring(World& world, Peer& peer, const std::string& topic, const std::string& payload, int64_t lifetime_ms) {
  auto message = std::make_unique<Message>();
  message->topic = topic;
  message->payload = payload;
  message->retain = true;
  message->guarantee = Guarantee::at_least_once;
  message->expires_ms = world.sim().loop(0).wall_ms() + lifetime_ms;
  peer.session()->publish(std::move(message), 0, 0);
}

TEST(BrokerLimits, RetainedMessagesThatHaveExpiredTakeNoRoom) {
  for (const unsigned cores : {1U, 3U}) {
    Options options;
    options.retained_messages_max = 500;
    World world(cores, 1, options);
    Peer peer(world, "peer");
    ASSERT_TRUE(peer.connect());
    for (int i = 0; i < 500; ++i) publish_expiring(world, peer, "t/" + std::to_string(i), "x", 1000);
    world.run_ms(500);
    EXPECT_EQ(world.sum(&Counters::retained), 500u);
    EXPECT_EQ(peer.publish("new", "x", k1, true).outcome, Outcome::quota);
    world.run_ms(1000);
    EXPECT_EQ(world.sum(&Counters::retained), 0u);
    EXPECT_EQ(stored_last_values(world), 0u);
    EXPECT_NE(peer.publish("new", "x", k1, true).outcome, Outcome::quota);
    for (int i = 0; i < 400; ++i) publish_expiring(world, peer, "t/" + std::to_string(i), "x", 1000);
    world.run_ms(500);
    peer.forget();
    world.crash();
    EXPECT_EQ(world.sum(&Counters::retained), 401u);
    world.run_ms(1000);
    EXPECT_EQ(world.sum(&Counters::retained), 1u) << "also what was there before a restart";
    EXPECT_EQ(stored_last_values(world), 1u);
  }
}

TEST(BrokerLimits, ALastValueThatReplacesAnExpiredOneStays) {
  World world;
  Peer peer(world, "peer");
  ASSERT_TRUE(peer.connect());
  for (int early_ms = -20; early_ms <= 20; ++early_ms) {
    publish_expiring(world, peer, "t", "old", 500);
    world.run_ms(450 + early_ms);
    world.disk().set_commit_delay_ms(50);
    peer.send("t", "new", k1, true);
    world.run_ms(500);
    world.disk().set_commit_delay_ms(0);
    world.run_ms(100);
    Peer reader(world, "reader");
    ASSERT_TRUE(reader.connect());
    reader.subscribe("t", k1);
    ASSERT_TRUE(reader.wait_for(1)) << early_ms;
    EXPECT_EQ(reader.payloads(), (std::vector<std::string>{"new"}));
    EXPECT_EQ(stored_last_values(world), 1u) << early_ms;
  }
}

TEST(BrokerLimits, RetainedMessagesExpireWithAFullStoreToo) {
  World world;
  Peer peer(world, "peer");
  ASSERT_TRUE(peer.connect());
  for (int i = 0; i < 50; ++i) publish_expiring(world, peer, "t/" + std::to_string(i), "x", 1000);
  world.run_ms(990);
  world.disk().set_bytes_max(1);
  for (int i = 0; i < 50; ++i) {
    peer.send("t/" + std::to_string(i), "y", k1, true);
    world.run_ms(1);
  }
  world.run_ms(1000);
  EXPECT_EQ(stored_last_values(world), 0u);
  EXPECT_EQ(world.sum(&Counters::retained), 0u);
}

TEST(BrokerLimits, BytesOfRetainedMessages) {
  Options options;
  options.retained_bytes_max = 2'000;
  World world(1, 1, options);
  Peer pub(world, "pub");
  ASSERT_TRUE(pub.connect());
  EXPECT_EQ(pub.publish("a", std::string(2'000, 'x'), k0, true).outcome, Outcome::quota);
  EXPECT_NE(pub.publish("a", std::string(1'500, 'x'), k0, true).outcome, Outcome::quota);
  EXPECT_EQ(pub.publish("b", std::string(500, 'x'), k0, true).outcome, Outcome::quota);
  EXPECT_EQ(world.dropped(Drop::quota_publish), 2u);
  EXPECT_LE(world.sum(&Counters::retained_bytes), 2'000u);
}

TEST(BrokerLimits, RetainedMessagesMayBeReplacedByWhatThereIsRoomFor) {
  Options options;
  options.retained_bytes_max = 2'000;
  World world(1, 1, options);
  Peer pub(world, "pub");
  ASSERT_TRUE(pub.connect());
  EXPECT_NE(pub.publish("a", "1", k1, true).outcome, Outcome::quota);
  EXPECT_EQ(pub.publish("a", std::string(10'000, 'x'), k1, true).outcome, Outcome::quota);
  EXPECT_NE(pub.publish("a", std::string(1'500, 'x'), k1, true).outcome, Outcome::quota);
  EXPECT_NE(pub.publish("a", std::string(1'400, 'y'), k1, true).outcome, Outcome::quota);
  EXPECT_NE(pub.publish("a", "", k1, true).outcome, Outcome::quota);
  EXPECT_EQ(world.sum(&Counters::retained_bytes), 0u);
  EXPECT_NE(pub.publish("b", std::string(1'500, 'x'), k1, true).outcome, Outcome::quota);
}

// What is being stored takes its room already.
TEST(BrokerLimits, RetainedMessagesOnTheirWayCount) {
  Options options;
  options.retained_bytes_max = 2'000;
  options.retained_messages_max = 3;
  World world(1, 1, options);
  Peer pub(world, "pub");
  ASSERT_TRUE(pub.connect());
  world.disk().set_commit_delay_ms(20);
  for (int i = 0; i < 10; ++i) pub.send("large/" + std::to_string(i), std::string(600, 'x'), k1, true);
  world.run_ms(100);
  EXPECT_LE(world.sum(&Counters::retained_bytes), 2'000u);
  EXPECT_GT(world.sum(&Counters::retained_bytes), 1'000u);
  for (int i = 0; i < 10; ++i) pub.send("large/" + std::to_string(i), "", k1, true);
  world.run_ms(100);
  for (int i = 0; i < 10; ++i) pub.send("small/" + std::to_string(i), "x", k1, true);
  world.run_ms(100);
  EXPECT_EQ(world.sum(&Counters::retained), 3u);
}

// The limits of last values hold for all cores together.
TEST(BrokerLimits, RetainedMessagesOfAllCores) {
  Options options;
  options.retained_messages_max = 20;
  World world(2, 1, options);
  Peer pub(world, "pub");
  ASSERT_TRUE(pub.connect());
  for (int i = 0; i < 100; ++i) pub.publish("topic-" + std::to_string(i), "1", k0, true);
  EXPECT_EQ(world.sum(&Counters::retained), 20u);
}

TEST(BrokerLimits, BytesOfTheInbox) {
  Options options;
  options.partitions = 1;
  options.inbox_bytes_max = 10'000;
  World world(1, 1, options);
  Peer pub(world, "pub"), sub(world, "sub");
  ASSERT_TRUE(pub.connect() && sub.connect(false, 100));
  sub.subscribe("a", k1);
  sub.drop();
  const std::string kilobyte(1000, 'x');
  int taken = 0;
  for (int i = 0; i < 30; ++i) taken += pub.publish("a", kilobyte, k1).outcome == Outcome::ok;
  EXPECT_NEAR(taken, 10, 2);
  EXPECT_EQ(world.dropped(Drop::quota_publish), static_cast<uint64_t>(30 - taken));
  ASSERT_TRUE(sub.connect(false, 100));
  EXPECT_TRUE(sub.wait_for(static_cast<std::size_t>(taken)));
}

TEST(BrokerLimits, NumberOfStreams) {
  Options options;
  options.streams_max = 2;
  World world(1, 1, options);
  EXPECT_TRUE(world.create_stream("a", {"a"}).ok());
  EXPECT_TRUE(world.create_stream("b", {"b"}).ok());
  EXPECT_FALSE(world.create_stream("c", {"c"}).ok());
  EXPECT_TRUE(world.change_streams(&StreamRegistry::remove, "a").ok());
  EXPECT_TRUE(world.create_stream("c", {"c"}).ok());
}

TEST(BrokerLimits, BytesOfAllStreams) {
  Options options;
  options.stream_bytes_max = 10'000;
  World world(1, 1, options);
  ASSERT_TRUE(world.create_stream("a", {"a"}).ok());
  ASSERT_TRUE(world.create_stream("b", {"b"}).ok());
  Peer pub(world, "pub");
  ASSERT_TRUE(pub.connect());
  const std::string kilobyte(1000, 'x');
  int taken = 0;
  for (int i = 0; i < 30; ++i) taken += pub.publish(i % 2 == 0 ? "a" : "b", kilobyte, k1).outcome == Outcome::ok;
  EXPECT_NEAR(taken, 10, 2);
  EXPECT_EQ(world.dropped(Drop::quota_publish), static_cast<uint64_t>(30 - taken));
  ASSERT_TRUE(world.change_streams(&StreamRegistry::purge, "a").ok());
  world.run_ms(3000);
  EXPECT_EQ(pub.publish("b", kilobyte, k1).outcome, Outcome::ok);
}

// What is on its way to a core that stands still is what slows publishers; MqttLimits has the other half.
TEST(BrokerLimits, BytesOnTheWayToAnotherCore) {
  Options options;
  options.cross_core_bytes_max = 10'000;
  World world(2, 1, options);
  const auto name_on = [&](unsigned core) {
    int i = 0;
    while (&world.home(std::to_string(i)) != &world.shard(core)) ++i;
    return std::to_string(i);
  };
  Peer pub(world, name_on(0)), sub(world, name_on(1));
  ASSERT_TRUE(pub.connect() && sub.connect());
  sub.subscribe("a", k0);
  world.sim().pause_core(1, 1000);
  const std::string kilobyte(1000, 'x');
  for (int i = 0; i < 5; ++i) pub.send("a", kilobyte, k0);
  EXPECT_FALSE(world.shard(0).congested());
  for (int i = 0; i < 10; ++i) pub.send("a", kilobyte, k0);
  EXPECT_TRUE(world.shard(0).congested());
  world.run_ms(2000);
  EXPECT_FALSE(world.shard(0).congested());
  EXPECT_EQ(sub.received.size(), 15u);
}

}  // namespace
}  // namespace arena::broker::test
