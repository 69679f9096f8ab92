// What is told of messages that damage took: never silence, each once, with their count where it is known.
#include "broker/stream/test_streams.h"

#include "broker/stream/stream_reader.h"

namespace arena::broker::test {
namespace {

constexpr uint64_t kEndUnknown = uint64_t{1} << 32;  // so far above what is known a log goes on whose end was lost

class StreamDamage : public testing::TestWithParam<unsigned> {
 protected:
  // The stream "count" with the messages 0 to 29 at those offsets, to the topics count/0 ... count/2 in turn.
  void SetUp() override {
    ASSERT_TRUE(world.create_stream("count", {"count/#"}).ok());
    Peer source(world, "source");
    ASSERT_TRUE(source.connect());
    for (int i = 0; i < 30; ++i) source.publish("count/" + std::to_string(i % 3), std::to_string(i), k1);
    source.drop();
    world.run_ms(50);
  }
  // As when the store was damaged, and came back from quarantine.
  void lose(uint64_t base, uint64_t end) {
    world.disk().lose(0, log, {base, end});
    world.crash();
  }
  std::vector<std::string> replayed(const std::string& filter, const std::string& from) {
    Peer reader(world, "reader");
    EXPECT_TRUE(reader.connect());
    EXPECT_EQ(reader.replay(filter, from), SubscribeStatus::granted);
    world.run_ms(500);
    return texts(reader);
  }
  static std::vector<std::string> texts(const Peer& peer) {
    std::vector<std::string> out;
    for (const Got& got : peer.received) out.push_back(got.gap.empty() ? got.payload : got.topic + " " + got.gap);
    return out;
  }
  static std::vector<std::string> with(std::vector<std::string> first, const std::string& gap, const std::vector<std::string>& then) {
    first.push_back("$gap/count " + gap);
    first.insert(first.end(), then.begin(), then.end());
    return first;
  }
  Page page(const std::string& from, std::size_t most) {
    PageRequest request;
    request.stream = "count";
    request.from = parse_from(from, world.sim().loop(0).wall_ms()).value();
    request.messages_max = most;
    return page(std::move(request));
  }
  Page page(PageRequest request) {
    std::optional<Page> page;
    read_page(world.shard(0), std::move(request), [&](Result<Page> got) { page = std::move(got).value(); });
    EXPECT_TRUE(world.settle([&] { return page.has_value(); }));
    return std::move(*page);
  }
  static Options one_partition() {
    Options options;
    options.partitions = 1;
    return options;
  }
  World world{GetParam(), 1, one_partition()};
  const LogId log{1};
};

INSTANTIATE_TEST_SUITE_P(Cores, StreamDamage, testing::Values(1U, 3U));

TEST_P(StreamDamage, AReplayIsToldOfAHoleWhereverItIs) {
  lose(0, 3);
  lose(10, 15);
  lose(27, 30);
  std::vector<std::string> all = with({}, "3", numbers(3, 10));
  all = with(with(all, "5", numbers(15, 27)), "3", {});
  EXPECT_EQ(replayed("count/#", "earliest"), all);
  EXPECT_EQ(replayed("count/#", "12"), with(with({}, "3", numbers(15, 27)), "3", {})) << "no more than was asked for";
  EXPECT_EQ(replayed("count/#", "15"), with(numbers(15, 27), "3", {}));
  EXPECT_EQ(replayed("count/#", "latest"), numbers(0, 0));
}

TEST_P(StreamDamage, AReplayOfOneTopicIsToldOfTheSameHole) {
  lose(10, 15);
  EXPECT_EQ(replayed("count/1", "earliest"), with({"1", "4", "7"}, "5", {"16", "19", "22", "25", "28"})) << "whatever topics it had";
}

TEST_P(StreamDamage, ABlockThatCannotBeReadIsToldToo) {
  ASSERT_TRUE(world.disk().corrupt(0, log, 12));
  EXPECT_EQ(replayed("count/#", "earliest"), with(numbers(0, 12), "1", numbers(13, 30)));
  EXPECT_EQ(replayed("count/0", "earliest"), with({"0", "3", "6", "9"}, "1", {"15", "18", "21", "24", "27"}));
}

TEST_P(StreamDamage, WhoGoesOnBehindTheGapIsNotToldAgain) {
  lose(10, 15);
  Peer reader(world, "reader");
  ASSERT_TRUE(reader.connect());
  ASSERT_EQ(reader.replay("count/#", "earliest"), SubscribeStatus::granted);
  ASSERT_TRUE(reader.wait_for(26));
  ASSERT_EQ(reader.received[10].gap, "5");
  const auto [log_name, offset] = *reader.received[10].position;
  EXPECT_EQ(replayed("count/#", to_text(log_name, offset)), numbers(15, 30));
}

TEST_P(StreamDamage, WhenTheEndWasLostNobodyKnowsHowManyAndWhatIsPublishedFollows) {
  lose(28, 30 + kEndUnknown);
  Peer reader(world, "reader"), source(world, "source");
  ASSERT_TRUE(reader.connect() && source.connect());
  ASSERT_EQ(reader.replay("count/#", "earliest"), SubscribeStatus::granted);
  ASSERT_TRUE(reader.wait_for(29));
  source.publish("count/1", "30", k1);
  ASSERT_TRUE(reader.wait_for(30));
  EXPECT_EQ(texts(reader), with(numbers(0, 28), "unknown", {"30"}));
  EXPECT_NE(reader.received[28].payload.find("\"missing\":null"), std::string::npos) << reader.received[28].payload;
  EXPECT_EQ(replayed("count/#", "29"), with({}, "unknown", {"30"}));
  EXPECT_LT(world.dropped(Drop::damaged), 10u) << "what is not known is not counted";
}

// Both are gone for who asks for them, and are counted once.
TEST_P(StreamDamage, WhatWasLostAndThenDeletedIsMissingLikeWhatWasDeleted) {
  lose(5, 10);
  lose(19, 22);
  world.disk().partition(0)->logs[log].trim(20);
  world.crash();
  EXPECT_EQ(replayed("count/#", "2"), with(with({}, "18", {}), "2", numbers(22, 30)));
  EXPECT_EQ(replayed("count/#", "earliest"), with({}, "2", numbers(22, 30)));
  EXPECT_EQ(world.streams().at(0).usage.messages, 8u);
}

TEST_P(StreamDamage, AGapWaitsForRoomAndIsToldOnce) {
  lose(10, 15);
  Peer reader(world, "reader");
  ASSERT_TRUE(reader.connect());
  reader.takes_max = 0;
  ASSERT_EQ(reader.replay("count/#", "earliest", k0), SubscribeStatus::granted);
  for (std::size_t i = 1; i <= 31; ++i) {
    reader.take(1);
    world.run_ms(20);
  }
  EXPECT_EQ(texts(reader), with(numbers(0, 10), "5", numbers(15, 30)));
}

// How old they were is not known: who asks from a time is told when they may have been younger.
TEST_P(StreamDamage, WhoAsksByTimeIsToldOfWhatMayHaveBeenYounger) {
  world.run_ms(60'000);
  {
    Peer source(world, "source");
    ASSERT_TRUE(source.connect());
    for (int i = 30; i < 40; ++i) source.publish("count/" + std::to_string(i % 3), std::to_string(i), k1);
    source.drop();
    world.run_ms(50);
  }
  lose(10, 15);
  lose(28, 33);
  EXPECT_EQ(replayed("count/#", "30s"), with({}, "5", numbers(33, 40)));
  EXPECT_EQ(replayed("count/#", "1h"), with(with(numbers(0, 10), "5", numbers(15, 28)), "5", numbers(33, 40)));
}

TEST_P(StreamDamage, PagesTellItOnceHoweverSmallTheyAre) {
  lose(10, 15);
  lose(28, 30);
  PageRequest request;
  request.stream = "count";
  request.messages_max = 4;
  std::vector<std::string> got;
  for (bool more = true; more;) {
    const Page one = page(request);
    for (const PageItem& item : one.items) got.push_back(item.message->payload);
    if (one.missing) got.push_back("gap " + one.missing.json());
    request.from.kind = ReplayFrom::Kind::after;
    request.from.after = one.next;
    more = one.more;
  }
  std::vector<std::string> all = numbers(0, 10);
  all.push_back("gap 5");
  for (const std::string& number : numbers(15, 28)) all.push_back(number);
  all.push_back("gap 2");
  EXPECT_EQ(got, all);
}

TEST_P(StreamDamage, APageSaysThatItDoesNotKnowHowMany) {
  lose(28, 30 + kEndUnknown);
  EXPECT_EQ(page("20", 100).missing.json(), "null");
}

TEST_P(StreamDamage, ASessionThatAskedForPositionsIsToldWhatItLost) {
  const auto begin = [&](Peer& peer, bool positions) {
    ASSERT_TRUE(peer.connect(true, 3600));
    peer.positions = positions;
    peer.subscribe("count/#", k1);
    peer.drop();
  };
  Peer asked(world, "asked"), plain(world, "plain"), source(world, "source");
  begin(asked, true);
  begin(plain, false);
  ASSERT_TRUE(source.connect());
  for (int i = 30; i < 40; ++i) source.publish("count/1", std::to_string(i), k1);
  source.drop();
  lose(34, 37);
  ASSERT_TRUE(asked.connect(false, 3600) && plain.connect(false, 3600));
  ASSERT_TRUE(asked.wait_for(8) && plain.wait_for(7));
  world.run_ms(200);
  EXPECT_EQ(texts(asked), with(numbers(30, 34), "3", numbers(37, 40)));
  EXPECT_EQ(plain.payloads(), [&] {
    std::vector<std::string> rest = numbers(30, 34);
    for (const std::string& number : numbers(37, 40)) rest.push_back(number);
    return rest;
  }());
  EXPECT_EQ(world.dropped(Drop::damaged), 6u) << "for each session";
}

}  // namespace
}  // namespace arena::broker::test
