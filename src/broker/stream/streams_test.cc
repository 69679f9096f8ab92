// Streams in a whole broker: what they capture, keep and give back.
#include "broker/stream/test_streams.h"

namespace arena::broker::test {
namespace {

INSTANTIATE_TEST_SUITE_P(Cores, Streams, testing::Values(1U, 3U));

TEST_P(Streams, KeepsWhatItCapturesWhateverItsGuaranteeAndReplaysIt) {
  ASSERT_TRUE(world.create_stream("orders", {"orders/#"}).ok());
  Peer source(world, "source"), late(world, "late");
  ASSERT_TRUE(source.connect() && late.connect());
  publish(source, 0, 31);
  ASSERT_EQ(late.replay("orders/#", "earliest"), SubscribeStatus::granted);
  ASSERT_TRUE(late.wait_for(31));
  publish(source, 31, 40);
  ASSERT_TRUE(late.wait_for(40)) << "what is published follows";
  world.run_ms(100);
  EXPECT_EQ(late.payloads(), numbers(0, 40)) << "without gap or repetition";
  for (const Got& got : late.received) {
    EXPECT_TRUE(got.position.has_value());
    EXPECT_EQ(got.guarantee, std::stoi(got.payload) % 3 == 0 ? k0 : k1) << "as it was published";
  }
  EXPECT_EQ(world.streams().at(0).usage.messages, 40u);
}

TEST_P(Streams, ReplaysFromEveryKindOfPlace) {
  ASSERT_TRUE(world.create_stream("orders", {"orders/#"}).ok());
  Peer source(world, "source");
  ASSERT_TRUE(source.connect());
  publish(source, 0, 10);
  world.run_ms(60'000);
  publish(source, 10, 20);
  const auto replayed = [&](const std::string& from) {
    Peer reader(world, "reader");
    EXPECT_TRUE(reader.connect());
    EXPECT_EQ(reader.replay("orders/1", from), SubscribeStatus::granted);
    world.run_ms(200);
    return reader.payloads();
  };
  EXPECT_EQ(replayed("earliest"), numbers(0, 20));
  EXPECT_EQ(replayed("latest"), numbers(0, 0));
  EXPECT_EQ(replayed("13"), numbers(13, 20));
  EXPECT_EQ(replayed("1000"), numbers(0, 0));
  EXPECT_EQ(replayed("30s"), numbers(10, 20));
  EXPECT_EQ(replayed("1h"), numbers(0, 20));
  Peer reader(world, "reader");
  ASSERT_TRUE(reader.connect());
  ASSERT_EQ(reader.replay("orders/1", "earliest"), SubscribeStatus::granted);
  ASSERT_TRUE(reader.wait_for(20));
  const auto& seen = *reader.received[6].position;
  EXPECT_EQ(replayed(to_text(seen.first, seen.second)), numbers(7, 20)) << "what follows a position";
}

TEST_P(Streams, ASeamLosesAndRepeatsNothingUnderLoad) {
  ASSERT_TRUE(world.create_stream("orders", {"orders/#"}).ok());
  Peer source(world, "source");
  ASSERT_TRUE(source.connect());
  std::vector<std::unique_ptr<Peer>> readers;
  for (int i = 0; i < 300; ++i) {
    source.send("orders/" + std::to_string(i % 5), std::to_string(i), k1);
    if (i % 30 == 10) {
      readers.push_back(std::make_unique<Peer>(world, "reader " + std::to_string(i)));
      ASSERT_TRUE(readers.back()->connect());
      ASSERT_EQ(readers.back()->replay("orders/+", "earliest"), SubscribeStatus::granted);
    }
  }
  for (auto& reader : readers) {
    ASSERT_TRUE(reader->wait_for(300));
    world.run_ms(50);
    ASSERT_EQ(reader->received.size(), 300u);
    std::map<std::string, int> last;
    for (const Got& got : reader->received) {
      const int number = std::stoi(got.payload);
      const auto [at, first] = last.try_emplace(got.topic, -1);
      EXPECT_EQ(number, first ? number % 5 : at->second + 5) << got.topic;
      at->second = number;
    }
  }
}

TEST_P(Streams, ASlowReaderFallsBackToTheLogAndComesForwardAgain) {
  ASSERT_TRUE(world.create_stream("orders", {"orders/#"}).ok());
  Peer source(world, "source"), slow(world, "slow");
  ASSERT_TRUE(source.connect() && slow.connect());
  ASSERT_EQ(slow.replay("orders/#", "earliest"), SubscribeStatus::granted);
  slow.takes_max = 5;
  const std::string large(100'000, 'x');
  for (int i = 0; i < 200; ++i) source.publish("orders/1", std::to_string(i) + " " + large, i % 2 == 0 ? k1 : k2);
  EXPECT_LT(world.sum(&Counters::queued_bytes), 4u << 20) << "what it cannot take stays in the log";
  while (slow.received.size() < 200) {
    const std::size_t before = slow.received.size();
    slow.take(50);
    ASSERT_TRUE(slow.wait_for(std::min<std::size_t>(200, before + 5)));
  }
  for (int i = 0; i < 200; ++i) EXPECT_EQ(slow.received[static_cast<std::size_t>(i)].payload.substr(0, 4), (std::to_string(i) + " xxx").substr(0, 4));
}

TEST_P(Streams, ComeBackAfterACrash) {
  ASSERT_TRUE(world.create_stream("orders", {"orders/#"}).ok());
  Peer source(world, "source");
  ASSERT_TRUE(source.connect());
  publish(source, 0, 20);
  world.run_ms(50);
  source.forget();
  world.crash();
  EXPECT_FALSE(world.create_stream("orders", {"orders/#"}).ok()) << "it is there";
  EXPECT_EQ(world.streams().at(0).usage.messages, 20u);
  ASSERT_TRUE(source.connect());
  publish(source, 20, 30);
  Peer reader(world, "reader");
  ASSERT_TRUE(reader.connect());
  ASSERT_EQ(reader.replay("orders/#", "earliest"), SubscribeStatus::granted);
  ASSERT_TRUE(reader.wait_for(30));
  EXPECT_EQ(reader.payloads(), numbers(0, 30));
}

TEST_P(Streams, OverlapIsRefusedAndSoIsReplayOfNothing) {
  ASSERT_TRUE(world.create_stream("orders", {"orders/#"}).ok());
  EXPECT_FALSE(world.create_stream("all", {"#"}).ok());
  ASSERT_TRUE(world.create_stream("other", {"other/+"}).ok());
  EXPECT_EQ(world.streams().size(), 2u);
  Peer reader(world, "reader");
  ASSERT_TRUE(reader.connect());
  EXPECT_EQ(reader.replay("nowhere/#", "earliest"), SubscribeStatus::no_stream);
  EXPECT_EQ(reader.replay("#", "earliest"), SubscribeStatus::granted);
}

TEST_P(Streams, APersistentSessionGetsEachMessageOnceAndInOrderAcrossTheTakeOver) {
  Peer source(world, "source"), away(world, "away");
  ASSERT_TRUE(source.connect() && away.connect(true, 3600));
  away.subscribe("orders/#", k1);
  away.drop();
  for (int i = 0; i < 10; ++i) source.publish("orders/1", std::to_string(i), k1);
  ASSERT_TRUE(world.create_stream("orders", {"orders/#"}).ok());
  for (int i = 10; i < 20; ++i) source.publish("orders/1", std::to_string(i), k1);
  source.forget();
  world.crash();
  ASSERT_TRUE(source.connect());
  for (int i = 20; i < 25; ++i) source.publish("orders/1", std::to_string(i), k1);
  ASSERT_TRUE(away.connect(false, 3600));
  EXPECT_TRUE(away.present);
  ASSERT_TRUE(away.wait_for(25));
  for (int i = 25; i < 30; ++i) source.publish("orders/1", std::to_string(i), k1);
  ASSERT_TRUE(away.wait_for(30));
  world.run_ms(2000);
  EXPECT_EQ(away.payloads(), numbers(0, 30)) << "first what lay in $inbox, then the stream";
}

// What lies in $inbox takes several reads, what is in the stream one.
TEST_P(Streams, WhatCameBeforeTheTakeOverIsReadFirstHoweverMuchItIs) {
  Peer source(world, "source"), away(world, "away");
  ASSERT_TRUE(source.connect() && away.connect(true, 3600));
  away.subscribe("orders/#", k1);
  away.drop();
  const std::string large(60'000, 'x');
  for (int i = 0; i < 20; ++i) source.publish("orders/1", std::to_string(i) + " " + large, k1);
  ASSERT_TRUE(world.create_stream("orders", {"orders/#"}).ok());
  for (int i = 20; i < 25; ++i) source.publish("orders/1", std::to_string(i) + " ", k1);
  ASSERT_TRUE(away.connect(false, 3600));
  ASSERT_TRUE(away.wait_for(25));
  std::vector<std::string> got;
  for (const std::string& payload : away.payloads()) got.push_back(payload.substr(0, payload.find(' ')));
  EXPECT_EQ(got, numbers(0, 25));
}

TEST_P(Streams, WhatWasPublishedAtMostOnceComesToASessionLiveOrNotAtAll) {
  ASSERT_TRUE(world.create_stream("orders", {"orders/#"}).ok());
  Peer source(world, "source"), sub(world, "sub");
  ASSERT_TRUE(source.connect() && sub.connect(true, 3600));
  sub.subscribe("orders/#", k1);
  source.send("orders/1", "live", k0);
  ASSERT_TRUE(sub.wait_for(1));
  sub.drop();
  source.send("orders/1", "away", k0);
  source.publish("orders/1", "kept", k1);
  ASSERT_TRUE(sub.connect(false, 3600));
  ASSERT_TRUE(sub.wait_for(2));
  world.run_ms(2000);
  EXPECT_EQ(sub.payloads(), (std::vector<std::string>{"live", "kept"}));
}

TEST_P(Streams, AConnectedSessionSeesNoSeamAtTheTakeOver) {
  Peer source(world, "source"), there(world, "there"), shared(world, "shared");
  ASSERT_TRUE(source.connect() && there.connect(true, 3600) && shared.connect(true, 3600));
  there.subscribe("orders/#", k2);
  shared.subscribe("orders/#", k1, "group");
  for (int i = 0; i < 10; ++i) source.send("orders/1", std::to_string(i), k1);
  ASSERT_TRUE(world.create_stream("orders", {"orders/#"}).ok());
  for (int i = 10; i < 20; ++i) source.send("orders/1", std::to_string(i), k1);
  ASSERT_TRUE(there.wait_for(20) && shared.wait_for(20));
  world.run_ms(100);  // and settled
  there.drop();
  for (int i = 20; i < 30; ++i) source.publish("orders/1", std::to_string(i), k1);
  ASSERT_TRUE(there.connect(false, 3600));
  ASSERT_TRUE(there.wait_for(30) && shared.wait_for(30));
  world.run_ms(2000);
  EXPECT_EQ(there.payloads(), numbers(0, 30));
  EXPECT_EQ(shared.payloads(), numbers(0, 30));
}

TEST_P(Streams, PurgedItIsEmptyAndRemovedItIsGone) {
  ASSERT_TRUE(world.create_stream("orders", {"orders/#"}).ok());
  Peer source(world, "source"), away(world, "away"), reader(world, "reader");
  ASSERT_TRUE(source.connect() && away.connect(true, 3600) && reader.connect());
  away.subscribe("orders/#", k1);
  away.drop();
  publish(source, 0, 9);
  world.run_ms(50);
  ASSERT_TRUE(world.change_streams(&StreamRegistry::purge, "orders").ok());
  EXPECT_EQ(world.streams().at(0).usage.messages, 0u);
  publish(source, 9, 12);
  ASSERT_EQ(reader.replay("orders/#", "earliest"), SubscribeStatus::granted);
  ASSERT_TRUE(reader.wait_for(3));
  EXPECT_EQ(reader.payloads(), numbers(9, 12));
  ASSERT_TRUE(world.change_streams(&StreamRegistry::remove, "orders").ok());
  EXPECT_FALSE(world.change_streams(&StreamRegistry::remove, "orders").ok());
  EXPECT_TRUE(world.streams().empty());
  const Receipt receipt = source.publish("orders/1", "12", k1);
  EXPECT_EQ(receipt.outcome, Outcome::ok) << "a session waits for it: it goes to $inbox";
  ASSERT_TRUE(away.connect(false, 3600));
  ASSERT_TRUE(away.wait_for(1));
  EXPECT_EQ(away.payloads(), numbers(12, 13));
  ASSERT_TRUE(world.create_stream("orders", {"orders/#"}).ok()) << "the name is free";
  EXPECT_EQ(world.streams().at(0).usage.messages, 0u) << "and what was removed does not come back";
}

TEST_P(Streams, APurgeIsAnsweredWhenItIsDurable) {
  ASSERT_TRUE(world.create_stream("orders", {"orders/#"}).ok());
  bool answered = false;
  world.disk().set_commit_delay_ms(500);
  world.shard(0).with_streams([&answered](StreamRegistry& registry) {
    registry.purge("orders", [&answered](Status status) { answered = status.ok(); });
  });
  world.run_ms(400);
  EXPECT_FALSE(answered);
  EXPECT_TRUE(world.settle([&] { return answered; }));
}

TEST_P(Streams, AReplayEndsWithItsSubscriptionAndWithItsConnection) {
  ASSERT_TRUE(world.create_stream("orders", {"orders/#"}).ok());
  Peer source(world, "source"), reader(world, "reader");
  ASSERT_TRUE(source.connect() && reader.connect(true, 3600));
  ASSERT_EQ(reader.replay("orders/#", "earliest"), SubscribeStatus::granted);
  publish(source, 0, 3);
  ASSERT_TRUE(reader.wait_for(3));
  EXPECT_TRUE(reader.unsubscribe("replay orders/#"));
  EXPECT_FALSE(reader.unsubscribe("replay orders/#"));
  publish(source, 3, 6);
  world.run_ms(100);
  EXPECT_EQ(reader.received.size(), 3u);
  ASSERT_EQ(reader.replay("orders/#", "latest"), SubscribeStatus::granted);
  reader.drop();
  ASSERT_TRUE(reader.connect(false, 3600));
  publish(source, 6, 9);
  world.run_ms(100);
  EXPECT_EQ(reader.received.size(), 3u);
  EXPECT_EQ(world.sum(&Counters::subscriptions), 0u);
}

TEST_P(Streams, ABrokerThatStopsWithReplaysRunningStopsCleanly) {
  ASSERT_TRUE(world.create_stream("orders", {"orders/#"}).ok());
  Peer source(world, "source"), reader(world, "reader");
  ASSERT_TRUE(source.connect() && reader.connect());
  for (int i = 0; i < 8; ++i) ASSERT_EQ(reader.replay("orders/#", std::to_string(i)), SubscribeStatus::granted);
  reader.forget();
  source.forget();
  world.crash();
  ASSERT_TRUE(reader.connect());
  EXPECT_EQ(reader.replay("orders/#", "earliest"), SubscribeStatus::granted);
}

TEST_P(Streams, WhatNoStreamHasEndsWithItsReplayToo) {
  ASSERT_TRUE(world.create_stream("a", {"t/a"}).ok());
  Peer source(world, "source"), reader(world, "reader");
  ASSERT_TRUE(source.connect() && reader.connect(true, 3600));
  ASSERT_EQ(reader.replay("t/+", "earliest"), SubscribeStatus::granted);
  reader.takes_max = 0;
  source.publish("t/b", "0", k1);
  world.run_ms(50);
  reader.drop();
  reader.takes_max = SIZE_MAX;
  ASSERT_TRUE(reader.connect(false, 3600));
  world.run_ms(100);
  EXPECT_TRUE(reader.received.empty());
}

TEST_P(Streams, AGapIsToldThoughAnotherSubscriptionEndsBefore) {
  keep_ten_of_thirty();
  Peer reader(world, "reader");
  ASSERT_TRUE(reader.connect());
  reader.takes_max = 0;
  reader.subscribe("other", k0);
  ASSERT_EQ(reader.replay("count", "5"), SubscribeStatus::granted);
  EXPECT_TRUE(reader.unsubscribe("other"));
  reader.take(100);
  ASSERT_TRUE(reader.wait_for(11));
  EXPECT_EQ(reader.received[0].gap, "15");
}

TEST_P(Streams, WhatWaitsOfAnEndedReplayDoesNotComeThoughAnotherWantsItsTopics) {
  ASSERT_TRUE(world.create_stream("orders", {"orders/#"}).ok());
  Peer source(world, "source"), reader(world, "reader");
  ASSERT_TRUE(source.connect() && reader.connect());
  publish(source, 0, 3, "orders/1");
  reader.takes_max = 0;
  ASSERT_EQ(reader.replay("orders/1", "earliest"), SubscribeStatus::granted);
  ASSERT_EQ(reader.replay("orders/#", "earliest"), SubscribeStatus::granted);
  world.run_ms(100);
  EXPECT_TRUE(reader.unsubscribe("replay orders/1"));
  reader.take(100);
  world.run_ms(100);
  EXPECT_EQ(reader.payloads(), numbers(0, 3));
}

TEST_P(Streams, AGapIsToldThoughTheRulesChangeBefore) {
  keep_ten_of_thirty();
  Peer reader(world, "reader");
  ASSERT_TRUE(reader.connect());
  reader.takes_max = 0;
  ASSERT_EQ(reader.replay("count", "5"), SubscribeStatus::granted);
  access::Policy::Options options;
  options.epoch = 2;
  options.default_allow = true;
  const std::shared_ptr<const access::Policy> policy = access::Policy::make({}, options).value();
  for (unsigned core = 0; core < world.cores(); ++core) world.shard(core).set_policy(policy);
  reader.take(100);
  ASSERT_TRUE(reader.wait_for(11));
  EXPECT_EQ(reader.received[0].gap, "15") << "the broker's own word, which nobody is forbidden to read";
}

TEST_P(Streams, WhatHadNotLeftWhenItsConnectionEndedDoesNotComeOnTheNext) {
  ASSERT_TRUE(world.create_stream("orders", {"orders/#"}).ok());
  Peer source(world, "source"), reader(world, "reader");
  ASSERT_TRUE(source.connect() && reader.connect(true, 3600));
  source.publish("orders/1", "0", k2, false, 1);
  world.disk().set_commit_delay_ms(100);
  ASSERT_EQ(reader.replay("orders/#", "earliest", k2), SubscribeStatus::granted);
  world.run_ms(20);  // its tag is being written
  ASSERT_TRUE(reader.received.empty());
  reader.drop();
  world.disk().set_commit_delay_ms(0);
  ASSERT_TRUE(reader.connect(false, 3600));
  world.run_ms(300);
  EXPECT_TRUE(reader.received.empty());
}

TEST_P(Streams, AHandshakeOfARemovedStreamIsReleased) {
  ASSERT_TRUE(world.create_stream("orders", {"orders/#"}).ok());
  Peer source(world, "source"), away(world, "away");
  ASSERT_TRUE(source.connect() && away.connect(true, 3600));
  away.subscribe("orders/#", k2);
  away.auto_settle = false;
  source.publish("orders/1", "0", k2, false, 1);
  ASSERT_TRUE(away.wait_for(1));
  const uint16_t tag = away.received[0].tag;
  ASSERT_TRUE(world.change_streams(&StreamRegistry::remove, "orders").ok());
  away.subscribe("other", k1);  // its record is written again
  away.forget();
  source.forget();
  world.crash();
  ASSERT_TRUE(away.connect(false, 3600));
  EXPECT_TRUE(world.settle([&] { return away.releases == std::vector<uint16_t>{tag}; })) << "the receiver holds it open";
}

TEST_P(Streams, AHandshakeOfAStreamThatIsRemovedAfterARestartIsReleased) {
  ASSERT_TRUE(world.create_stream("orders", {"orders/#"}).ok());
  Peer source(world, "source"), away(world, "away");
  ASSERT_TRUE(source.connect() && away.connect(true, 3600));
  away.subscribe("orders/#", k2);
  away.auto_settle = false;
  source.publish("orders/1", "0", k2, false, 1);
  ASSERT_TRUE(away.wait_for(1));
  const uint16_t tag = away.received[0].tag;
  away.forget();
  source.forget();
  world.crash();
  ASSERT_TRUE(world.change_streams(&StreamRegistry::remove, "orders").ok());
  ASSERT_TRUE(away.connect(false, 3600));
  EXPECT_TRUE(world.settle([&] { return away.releases == std::vector<uint16_t>{tag}; })) << "the receiver holds it open";
}

// Its messages are there still: no other stream's readers may be given them.
TEST_P(Streams, TheLogOfAStreamWhoseDefinitionWasLostIsNotGivenToAnother) {
  const Result<Stream> lost = world.create_stream("orders", {"orders/#"});
  ASSERT_TRUE(lost.ok());
  {
    Peer source(world, "source");
    ASSERT_TRUE(source.connect());
    publish(source, 0, 9);
    source.forget();
  }
  std::vector<engine::Operation> rows;
  rows.push_back({engine::Operation::Kind::erase_range, engine::Space::streams, {}, {}});
  bool erased = false;
  world.shard(0).partition(0).submit(std::move(rows), [&](engine::CommitStatus) { erased = true; });
  ASSERT_TRUE(world.settle([&] { return erased; }));
  world.crash();
  const Result<Stream> made = world.create_stream("payroll", {"payroll/#"});
  ASSERT_TRUE(made.ok());
  EXPECT_GT(made->log, lost->log);
}

TEST_P(Streams, AReplayThatBeginsWhileAStreamIsAddedFollowsIt) {
  ASSERT_TRUE(world.create_stream("base", {"base"}).ok());
  Peer source(world, "source");
  ASSERT_TRUE(source.connect());
  std::vector<std::unique_ptr<Peer>> known;  // every core's interest in # is known, so a replay asks where it begins at once
  for (int i = 0; i < 6; ++i) {
    known.push_back(std::make_unique<Peer>(world, "known " + std::to_string(i)));
    ASSERT_TRUE(known.back()->connect());
    known.back()->subscribe("#", k0);
  }
  for (int moment = 0; moment < 60; ++moment) {
    const std::string topic = "t/" + std::to_string(moment);
    Peer reader(world, "reader " + topic);
    ASSERT_TRUE(reader.connect());
    bool created = false;
    world.shard(0).with_streams([&](StreamRegistry& registry) {
      registry.create({std::to_string(moment), {topic}, {}, 0}, [&](const Result<Stream>& made) { created = made.ok(); });
    });
    for (int i = 0; i < moment / 2; ++i) world.sim().step();
    ASSERT_EQ(reader.replay("#", "latest"), SubscribeStatus::granted);
    ASSERT_TRUE(world.settle([&] { return created; }));
    source.publish(topic, "0", k1);
    EXPECT_TRUE(reader.wait_for(1)) << "after " << moment << " turns";
  }
}

TEST_P(Streams, WhatARemovedStreamHadDoesNotComeBackWithACrash) {
  ASSERT_TRUE(world.create_stream("orders", {"orders/#"}).ok());
  Peer source(world, "source"), away(world, "away"), member(world, "member");
  ASSERT_TRUE(source.connect() && away.connect(true, 3600) && member.connect(true, 3600));
  away.subscribe("orders/#", k1);
  member.subscribe("orders/#", k1, "group");
  away.drop();
  member.drop();
  source.publish("orders/1", "0", k1);
  ASSERT_TRUE(world.change_streams(&StreamRegistry::remove, "orders").ok());
  source.forget();
  world.crash();
  ASSERT_TRUE(source.connect());
  source.publish("orders/1", "1", k1);
  ASSERT_TRUE(away.connect(false, 3600) && member.connect(false, 3600));
  ASSERT_TRUE(away.wait_for(1) && member.wait_for(1));
  world.run_ms(200);
  EXPECT_EQ(away.payloads(), numbers(1, 2));
  EXPECT_EQ(member.payloads(), numbers(1, 2));
}

TEST_P(Streams, WhatWasPurgedDoesNotComeBackWithACrash) {
  ASSERT_TRUE(world.create_stream("orders", {"orders/#"}).ok());
  Peer source(world, "source");
  ASSERT_TRUE(source.connect());
  publish(source, 0, 9);
  world.run_ms(50);
  ASSERT_TRUE(world.change_streams(&StreamRegistry::purge, "orders").ok());
  source.forget();
  world.crash();
  EXPECT_EQ(world.streams().at(0).usage.messages, 0u);
}

TEST_P(Streams, AReplayThatIsReplacedBeforeItsAnswerIsAnswered) {
  ASSERT_TRUE(world.create_stream("orders", {"orders/#"}).ok());
  Peer reader(world, "reader");
  ASSERT_TRUE(reader.connect());
  const uint64_t first = reader.send_replay("orders/#", "earliest");
  EXPECT_EQ(reader.replay("orders/#", "latest"), SubscribeStatus::granted);
  EXPECT_TRUE(reader.answered(first));
  const uint64_t second = reader.send_replay("orders/#", "earliest");
  EXPECT_TRUE(reader.unsubscribe("replay orders/#"));
  EXPECT_TRUE(reader.answered(second));
}

TEST(StreamsBounds, AReplayReadsLittleAheadOfAReceiverThatTakesNothing) {
  World world(2);
  ASSERT_TRUE(world.create_stream("big", {"big/#"}).ok());
  Peer source(world, "source"), reader(world, "reader");
  ASSERT_TRUE(source.connect() && reader.connect());
  for (int i = 0; i < 100; ++i) source.publish("big/" + std::to_string(i % 7), std::string(10'000, 'x'), k1);
  reader.is_ready = false;
  reader.send_replay("big/#", "earliest", k0);
  world.run_ms(500);
  EXPECT_GT(reader.session()->queued_bytes(), 0u);
  EXPECT_LT(reader.session()->queued_bytes(), 100'000u);
  reader.is_ready = true;
  reader.session()->resume();
  EXPECT_TRUE(reader.wait_for(100));
}

TEST(StreamsBounds, GapsWaitForRoomLikeMessages) {
  Options options;
  options.queued_bytes_per_session_max = 4000;
  World world(1, 1, options);
  ASSERT_TRUE(world.create_stream("count", {"count/#"}, {0, 0, 1}).ok());
  Peer source(world, "source"), reader(world, "reader");
  ASSERT_TRUE(source.connect() && reader.connect());
  for (int i = 0; i < 200; ++i) source.publish("count/" + std::to_string(i), "x", k1);
  world.run_ms(3000);
  reader.takes_max = 0;
  for (const char* filter : {"count/#", "count/+", "+/#", "+/+", "#"}) ASSERT_EQ(reader.replay(filter, "0"), SubscribeStatus::granted);
  world.run_ms(100);
  EXPECT_LT(world.sum(&Counters::queued_bytes), 2000u);
  reader.takes_max = SIZE_MAX;
  std::size_t missing = 0;
  EXPECT_TRUE(world.settle([&] {
    reader.take(100);
    missing = 0;
    for (const Got& got : reader.received) missing += got.gap.empty() ? 0 : std::stoul(got.gap);
    return missing >= 5 * 199;
  }));
  EXPECT_EQ(missing, 5u * 199);
}

TEST_P(Streams, AStreamThatComesLaterIsFollowedByARunningReplay) {
  ASSERT_TRUE(world.create_stream("a", {"t/a"}).ok());
  Peer source(world, "source"), reader(world, "reader");
  ASSERT_TRUE(source.connect() && reader.connect());
  ASSERT_EQ(reader.replay("t/+", "earliest"), SubscribeStatus::granted);
  source.publish("t/b", "0", k1);
  ASSERT_TRUE(world.create_stream("b", {"t/b"}).ok());
  source.publish("t/b", "1", k1);
  source.publish("t/a", "2", k1);
  ASSERT_TRUE(reader.wait_for(3));
  world.run_ms(50);
  EXPECT_EQ(reader.payloads(), numbers(0, 3));
  EXPECT_FALSE(reader.received[0].position.has_value()) << "no stream had it";
  EXPECT_TRUE(reader.received[1].position.has_value());
}

}  // namespace
}  // namespace arena::broker::test
