// What limits of age, count and bytes hide of a stream, and what a budget refuses.
#include "broker/stream/test_streams.h"

namespace arena::broker::test {
namespace {

class StreamRetention : public Streams {};
INSTANTIATE_TEST_SUITE_P(Cores, StreamRetention, testing::Values(1U, 3U));

TEST_P(StreamRetention, RetentionByCountAgeAndBytesHidesTheOldest) {
  ASSERT_TRUE(world.create_stream("count", {"count/#"}, {0, 0, 10}).ok());
  ASSERT_TRUE(world.create_stream("age", {"age"}, {30'000, 0, 0}).ok());
  ASSERT_TRUE(world.create_stream("bytes", {"bytes"}, {0, 20'000, 0}).ok());
  Peer source(world, "source");
  ASSERT_TRUE(source.connect());
  for (int i = 0; i < 50; ++i) {
    source.publish("count/1", std::to_string(i), k1);
    source.publish("age", std::to_string(i), k1);
    source.publish("bytes", std::string(1000, 'b'), k1);
    world.run_ms(1000);
  }
  world.run_ms(2500);
  Peer reader(world, "reader");
  ASSERT_TRUE(reader.connect());
  ASSERT_EQ(reader.replay("count/1", "earliest"), SubscribeStatus::granted);
  ASSERT_TRUE(reader.wait_for(10));
  world.run_ms(100);
  EXPECT_EQ(reader.payloads(), numbers(40, 50)) << "from the earliest that is there: no gap";
  reader.received.clear();
  ASSERT_EQ(reader.replay("age", "earliest"), SubscribeStatus::granted);
  world.run_ms(100);
  EXPECT_GE(reader.received.size(), 26u);
  EXPECT_LE(reader.received.size(), 30u);
  EXPECT_EQ(reader.received.back().payload, "49");
  for (const StreamInfo& info : world.streams()) {
    if (info.stream.config.name == "bytes") {
      EXPECT_LE(info.usage.bytes, 22'000u);
      EXPECT_GE(info.usage.messages, 14u);
    }
  }
}

TEST_P(StreamRetention, WhoAsksForWhatIsGoneIsToldOfTheGapWithItsCount) {
  keep_ten_of_thirty();
  Peer reader(world, "reader");
  ASSERT_TRUE(reader.connect());
  ASSERT_EQ(reader.replay("count", "5"), SubscribeStatus::granted);
  ASSERT_TRUE(reader.wait_for(11));
  EXPECT_EQ(reader.received[0].topic, "$gap/count");
  EXPECT_EQ(reader.received[0].gap, "15");
  EXPECT_EQ(reader.received[1].payload, "20");
}

TEST_P(StreamRetention, AReaderThatIsOvertakenByRetentionIsToldOfTheGap) {
  ASSERT_TRUE(world.create_stream("count", {"count"}, {0, 0, 10}).ok());
  Peer source(world, "source"), slow(world, "slow");
  ASSERT_TRUE(source.connect() && slow.connect());
  ASSERT_EQ(slow.replay("count", "earliest"), SubscribeStatus::granted);
  slow.takes_max = 1;
  const std::string large(300'000, 'x');
  for (int i = 0; i < 60; ++i) source.publish("count", std::to_string(i) + large, k1);
  world.run_ms(2500);
  slow.take(1000);
  ASSERT_TRUE(world.settle([&] { return !slow.received.empty() && slow.received.back().payload.starts_with("59x"); }));
  std::size_t messages = 0, missing = 0;
  for (const Got& got : slow.received) {
    messages += got.gap.empty() ? 1 : 0;
    missing += got.gap.empty() ? 0 : std::stoul(got.gap);
  }
  EXPECT_GT(missing, 0u);
  EXPECT_EQ(messages + missing, 60u) << "never silence";
}

TEST_P(StreamRetention, ASessionKeepsWhatRetentionHides) {
  ASSERT_TRUE(world.create_stream("count", {"count"}, {0, 0, 5}).ok());
  Peer source(world, "source"), away(world, "away");
  ASSERT_TRUE(source.connect() && away.connect(true, 3600));
  away.subscribe("count", k1);
  away.drop();
  for (int i = 0; i < 30; ++i) source.publish("count", std::to_string(i), k1);
  world.run_ms(5000);
  EXPECT_EQ(world.streams().at(0).usage.messages, 5u);
  ASSERT_TRUE(away.connect(false, 3600));
  ASSERT_TRUE(away.wait_for(30));
  EXPECT_EQ(away.payloads(), numbers(0, 30));
  world.run_ms(5000);
  EXPECT_LT(world.streams().at(0).usage.bytes, 2000u) << "and lets go of it then";
}

TEST_P(StreamRetention, ARestartShowsNothingAgainThatRetentionHid) {
  ASSERT_TRUE(world.create_stream("count", {"count/#"}, {0, 0, 10}).ok());
  ASSERT_TRUE(world.create_stream("age", {"age"}, {5000, 0, 0}).ok());
  Peer source(world, "source"), away(world, "away");
  ASSERT_TRUE(source.connect() && away.connect(true, 3600));
  away.subscribe("#", k1);
  away.drop();
  for (int i = 0; i < 100; ++i) source.publish("count/" + std::to_string(i % 4), std::to_string(i), k1);
  for (int i = 0; i < 30; ++i) source.publish("age", std::to_string(i), k1);
  world.run_ms(9000);
  for (int i = 100; i < 103; ++i) source.publish("count/1", std::to_string(i), k1);
  world.run_ms(3000);
  const auto shown = [&](const std::string& filter) {
    Peer reader(world, "reader");
    EXPECT_TRUE(reader.connect());
    EXPECT_EQ(reader.replay(filter, "earliest"), SubscribeStatus::granted);
    world.run_ms(200);
    return reader.payloads();
  };
  const std::vector<std::string> before = shown("count/#");
  EXPECT_EQ(before.size(), 10u);
  source.forget();
  world.crash();
  EXPECT_EQ(shown("count/#"), before) << "at once";
  EXPECT_EQ(shown("age"), numbers(0, 0));
  world.run_ms(5000);
  EXPECT_EQ(shown("count/#"), before) << "and when retention has looked again";
  ASSERT_TRUE(away.connect(false, 3600));
  ASSERT_TRUE(away.wait_for(133)) << "who waits for it gets it";
  ASSERT_TRUE(world.change_streams(&StreamRegistry::remove, "count").ok() && world.change_streams(&StreamRegistry::remove, "age").ok());
  world.run_ms(100);
  std::size_t rows = 0;
  for (unsigned core = 0; core < world.cores(); ++core) {
    for (const auto& [id, partition] : world.shard(core).partitions()) rows += world.shard(core).store().scan(id, engine::Space::streams, {}, {}, SIZE_MAX).size();
  }
  EXPECT_EQ(rows, 1u) << "no more than which logs were given out";
}

TEST_P(StreamRetention, OverItsBudgetItRefusesUntilThereIsRoom) {
  ASSERT_TRUE(world.create_stream("small", {"small"}, {}, 10'000).ok());
  Peer source(world, "source");
  ASSERT_TRUE(source.connect());
  for (int i = 0; i < 12; ++i) source.publish("small", std::string(1000, 's'), k1);
  world.run_ms(2500);
  EXPECT_EQ(source.publish("small", "x", k1).outcome, Outcome::quota);
  EXPECT_EQ(source.publish("another", "x", k1).outcome, Outcome::no_match) << "others go on";
  ASSERT_TRUE(world.change_streams(&StreamRegistry::purge, "small").ok());
  world.run_ms(3500);
  EXPECT_EQ(source.publish("small", "x", k1).outcome, Outcome::ok);
}

TEST(StreamRetentionBounds, RetentionHidesNoMoreThanItSaysWhileACoreStandsStill) {
  World world(3);
  ASSERT_TRUE(world.create_stream("count", {"count/#"}, {0, 0, 10}).ok());
  Peer source(world, "source");
  ASSERT_TRUE(source.connect());
  for (int i = 0; i < 30; ++i) source.publish("count/" + std::to_string(i), std::to_string(i), k1);
  world.sim().pause_core(1, 5000);
  world.sim().pause_core(2, 5000);
  for (int i = 0; i < 4; ++i) {
    world.run_ms(1100);
    EXPECT_FALSE(world.create_stream("count", {"count"}).ok()) << "refused by the core that has them, at once";
  }
  world.run_ms(5000);
  EXPECT_EQ(world.streams().at(0).usage.messages, 10u);
}

TEST_P(StreamRetention, BytesThatASessionHoldsBackHideNoMoreThanTheLimitSays) {
  ASSERT_TRUE(world.create_stream("bytes", {"bytes/#"}, {0, 100'000, 0}).ok());
  Peer source(world, "source"), away(world, "away");
  ASSERT_TRUE(source.connect() && away.connect(true, 3600));
  away.subscribe("bytes/#", k1);
  away.drop();
  const std::string payload(900, 'b');
  for (int i = 0; i < 200; ++i) source.publish("bytes/" + std::to_string(i % 5), payload, k1);
  for (int second = 0; second < 20; ++second) {
    world.run_ms(1000);
    EXPECT_GE(world.streams().at(0).usage.messages, 80u) << "after " << second << " s";
  }
  const StreamUsage usage = world.streams().at(0).usage;
  EXPECT_LE(usage.messages, 110u);
  EXPECT_GT(usage.bytes, 180'000u) << "all is there for who is away";
  ASSERT_TRUE(away.connect(false, 3600));
  EXPECT_TRUE(away.wait_for(200));
}

// What is beyond the limit is not rounded up in each partition.
TEST_P(StreamRetention, OneByteOverTheLimitHidesOneMessage) {
  Peer source(world, "source");
  ASSERT_TRUE(source.connect());
  ASSERT_TRUE(world.create_stream("bytes", {"bytes/#"}, {0, 2'000'000, 0}).ok());
  const std::string payload(100'000, 'b');
  for (int i = 0; i < 20; ++i) source.publish("bytes/" + std::to_string(i), payload, k1);
  world.run_ms(5000);
  EXPECT_EQ(world.streams().at(0).usage.messages, 19u);
}

// Nothing comes to the partitions of the first ones any more.
TEST_P(StreamRetention, OverTheBytesTheOldestGoWhicheverPartitionHasThem) {
  ASSERT_TRUE(world.create_stream("bytes", {"bytes/#"}, {0, 2'000'000, 0}).ok());
  Peer source(world, "source");
  ASSERT_TRUE(source.connect());
  const std::string payload(100'000, 'b');
  for (int i = 0; i < 18; ++i) source.publish("bytes/" + std::to_string(i % 6), std::to_string(i) + "." + payload, k1);
  for (int i = 18; i < 30; ++i) {
    source.publish("bytes/new", std::to_string(i) + "." + payload, k1);
    world.run_ms(1500);
  }
  Peer reader(world, "reader");
  ASSERT_TRUE(reader.connect());
  ASSERT_EQ(reader.replay("bytes/#", "earliest"), SubscribeStatus::granted);
  world.run_ms(1000);
  std::set<int> shown;
  for (const std::string& text : reader.payloads()) shown.insert(std::stoi(text));
  ASSERT_GE(shown.size(), 18u);
  ASSERT_LE(shown.size(), 20u);
  EXPECT_EQ(*shown.begin(), 30 - static_cast<int>(shown.size())) << "and none that is newer than one that is left";
}

TEST_P(StreamRetention, OverTwoLimitsItGivesWhatTheTighterOneAsks) {
  ASSERT_TRUE(world.create_stream("both", {"both/#"}, {0, 100'000, 90}).ok());
  Peer source(world, "source");
  ASSERT_TRUE(source.connect());
  for (int i = 0; i < 200; ++i) source.publish("both/" + std::to_string(i % 5), std::string(900, 'b'), k1);
  world.run_ms(5000);
  EXPECT_GE(world.streams().at(0).usage.messages, 80u);
  EXPECT_LE(world.streams().at(0).usage.messages, 90u);
}

TEST(StreamRetentionBounds, APurgeWhileRetentionIsCountingHidesNothingOfWhatFollows) {
  World world(3);
  ASSERT_TRUE(world.create_stream("count", {"count/#"}, {0, 0, 10}).ok());
  std::string name = "source";
  while (world.home(name).core() != 0) name += '+';
  Peer source(world, name);
  ASSERT_TRUE(source.connect());
  std::vector<std::string> topics;  // all at home, as another core will stand still
  for (int i = 0; topics.size() < 5; ++i) {
    const std::string topic = "count/" + std::to_string(i);
    if (world.shard(0).placement().core_of_name(topic) == 0) topics.push_back(topic);
  }
  for (int i = 0; i < 30; ++i) source.send(topics[static_cast<std::size_t>(i % 5)], "old", k1);
  world.sim().pause_core(2, 4000);
  world.run_ms(2000);  // what core 2 holds is waited for
  world.shard(0).with_streams([](StreamRegistry& registry) { registry.purge("count", [](const Status&) {}); });
  world.run_ms(100);
  for (int i = 0; i < 10; ++i) source.publish(topics[static_cast<std::size_t>(i % 5)], "new", k1);
  world.run_ms(5000);
  EXPECT_EQ(world.streams().at(0).usage.messages, 10u);
}

// 20 MB a second into a stream of 4: it is looked at more often than once a second, from the beginning.
TEST_P(StreamRetention, KeepsUpWithWhatIsWrittenFast) {
  ASSERT_TRUE(world.create_stream("bytes", {"bytes/#"}, {0, 4'000'000, 0}).ok());
  Peer source(world, "source");
  ASSERT_TRUE(source.connect());
  const std::string payload(100'000, 'p');
  uint64_t most = 0;
  for (int i = 0; i < 600; ++i) {
    source.send("bytes/" + std::to_string(i % 5), payload, k1);
    world.run_ms(5);
    most = std::max(most, world.streams().at(0).usage.bytes);
  }
  EXPECT_LE(most, 7'000'000u);
}

}  // namespace
}  // namespace arena::broker::test
