// Goal: who reads slowly holds back what it reads slowly and nothing else, and what waits for it is bounded.
#include "gateway/http/events.h"
#include "gateway/http/test_http2.h"

namespace arena::gateway::http::test {
namespace {

// "/pour" answers without end, as fast as there is room.
class Http2Flow : public testing::Test {
 protected:
  struct Source {
    ExchangeRef exchange;
    std::size_t poured = 0;
    void pour() {
      while (!exchange->gone() && exchange->writable()) {
        poured += 1000;
        exchange->write(std::string(1000, 'p'));
      }
    }
  };
  Http2Flow() {
    world.add_routes();
    world.door.router().add({"GET", "/pour", Access::open, [this](const ExchangeRef& exchange) {
                               sources.push_back(std::make_unique<Source>(Source{exchange}));
                               exchange->on_room = [source = sources.back().get()] { source->pour(); };
                               exchange->begin({200, {}, {}});
                               sources.back()->pour();
                             }});
  }
  std::size_t heard(Http2Client& client, int32_t id) { return client.replies[id].body.size(); }

  WebWorld world;
  std::vector<std::unique_ptr<Source>> sources;
};

TEST_F(Http2Flow, ASlowReaderHoldsBackItsOwnStreamOnly) {
  Http2Client client(world);
  client.go_on();
  client.hold_next();
  const int32_t slow = client.get("/pour");
  const std::size_t stuck = heard(client, slow);
  EXPECT_GE(stuck, 1000u);
  EXPECT_LE(stuck, 100'000u);
  EXPECT_LE(sources[0]->poured - stuck, (64 << 10) + 2000u) << "what waits";
  EXPECT_EQ(client.answer(client.get("/now?quick")).body, "quick");
  EXPECT_EQ(client.answer(client.post("/now", std::string(300'000, 'x'))).body.size(), 300'000u);
  EXPECT_EQ(heard(client, slow), stuck);
}

TEST_F(Http2Flow, ManySlowReadersOfOneConnectionTogetherHoldLittle) {
  Http2Client client(world);
  std::vector<int32_t> all;
  for (int i = 0; i < 90; ++i) {
    client.hold_next();
    all.push_back(client.get("/pour"));
  }
  std::size_t waiting = 0;
  for (std::size_t i = 0; i < all.size(); ++i) waiting += sources[i]->poured - heard(client, all[i]);
  EXPECT_LE(waiting, 1'100'000u);
  EXPECT_EQ(client.answer(client.get("/now?quick")).body, "quick");
}

TEST_F(Http2Flow, AClientThatTakesNothingAtAllIsLeft) {
  Http2Client client(world, "127.0.0.1", 100 << 20);
  EXPECT_EQ(client.answer(client.get("/now")).status, 200);
  // Its own end does not read the socket any more.
  client.deaf = true;
  client.get("/pour");
  world.broker.run_ms(29'000);
  EXPECT_EQ(world.door.connections(), 1u);
  const std::size_t poured = sources[0]->poured;
  EXPECT_LE(poured, 4u << 20);
  for (int i = 0; i < 5; ++i) world.broker.run_ms(1'000);
  EXPECT_TRUE(sources[0]->exchange->gone());
  EXPECT_EQ(world.door.connections(), 0u);
}

TEST_F(Http2Flow, StreamsHaveTheirTurnsThoughOneAlwaysHasMore) {
  Http2Client client(world);
  client.go_on();
  const int32_t flood = client.get("/later");
  const int32_t other = client.get("/later");
  world.let_answer(0, text_response(200, std::string(900'000, 'x')));
  world.let_answer(1, text_response(200, std::string(30'000, 'y')));
  EXPECT_TRUE(client.wait([&] { return client.replies[other].ended; }));
  EXPECT_TRUE(client.answer(flood).ended);
  EXPECT_EQ(heard(client, flood), 900'000u);
}

TEST_F(Http2Flow, WhatIsAskedWhileMuchWaitsIsDoneLater) {
  Http2Client client(world, "127.0.0.1", 10);
  const int32_t large = client.get("/later");
  client.hold(large);
  world.let_answer(0, text_response(200, std::string(2 << 20, 'x')));
  client.go_on();
  const int32_t more = client.get("/later");
  EXPECT_EQ(world.waiting.size(), 1u);
  client.reset(large);
  EXPECT_TRUE(client.wait([&] { return world.waiting.size() == 2; }));
  world.let_answer(1, text_response(200, "short"));
  EXPECT_EQ(client.answer(more).body, "short");
}

TEST_F(Http2Flow, EventsOfASlowPageWaitWhereTheyAreKept) {
  EventSeats seats;
  Events events(world.door, world.broker.shard(0), seats);
  add_event_routes(world.door, events);
  broker::test::Peer source(world.broker, "source");
  ASSERT_TRUE(source.connect());
  ASSERT_TRUE(world.broker.create_stream("a", {"a/#"}).ok());
  Http2Client client(world);
  const int32_t slow = client.get("/v1/events?topic=a/%23");
  const int32_t quick = client.get("/v1/events?topic=a/%23&topic=none");
  ASSERT_TRUE(client.wait([&] { return heard(client, quick) != 0 && heard(client, slow) != 0; }));
  client.hold(slow);
  const int n = 200;
  for (int i = 0; i < n; ++i) source.publish("a/" + std::to_string(i), std::string(10'000, 'm'), Guarantee::at_least_once);
  const auto count = [&](int32_t id) {
    std::size_t found = 0;
    for (std::size_t at = client.replies[id].body.find("data: "); at != std::string::npos; at = client.replies[id].body.find("data: ", at + 1)) ++found;
    return found;
  };
  EXPECT_TRUE(client.wait([&] { return count(quick) == n; }, 5'000)) << count(quick);
  EXPECT_LT(count(slow), 20u);
  client.let_go(slow);
  EXPECT_TRUE(client.wait([&] { return count(slow) == n; }, 5'000)) << count(slow);
}

TEST_F(Http2Flow, PollsOfAClientThatDoesNotReadWaitWithTheirAnswers) {
  EventSeats seats;
  Events events(world.door, world.broker.shard(0), seats);
  add_event_routes(world.door, events);
  broker::test::Peer source(world.broker, "source");
  ASSERT_TRUE(source.connect());
  Http2Client client(world);
  std::vector<int32_t> polls;
  for (int i = 0; i < 60; ++i) {
    client.hold_next();
    polls.push_back(client.get("/v1/topics/a?wait=60"));
  }
  ASSERT_TRUE(client.wait([&] { return events.followers() == polls.size(); }));
  source.publish("a", std::string(500'000, 'm'), Guarantee::at_least_once);
  world.broker.run_ms(100);
  EXPECT_GE(world.counters.answers[2].get(), 1u);
  EXPECT_LE(world.counters.answers[2].get(), 4u) << "each is half of what may wait for a connection";
  for (const int32_t id : polls) {
    EXPECT_TRUE(client.wait([&] { return client.replies[id].status != 0; })) << id;
    client.let_go(id);
    EXPECT_TRUE(client.answer(id).ended) << id;
    EXPECT_GT(heard(client, id), 500'000u);
  }
  EXPECT_EQ(events.followers(), 0u);
}

TEST_F(Http2Flow, EventsOfManyPagesThatDoNotReadAreBoundedTogether) {
  EventSeats seats;
  Events events(world.door, world.broker.shard(0), seats);
  add_event_routes(world.door, events);
  broker::test::Peer source(world.broker, "source");
  ASSERT_TRUE(source.connect());
  Http2Client client(world);
  std::vector<int32_t> pages;
  for (int i = 0; i < 40; ++i) pages.push_back(client.get("/v1/events?topic=a"));
  ASSERT_TRUE(client.wait([&] { return heard(client, pages.back()) != 0; }));
  for (const int32_t id : pages) client.hold(id);
  const uint64_t before = world.counters.bytes_sent.get();
  source.publish("a", std::string(500'000, 'm'), Guarantee::at_least_once);
  client.wait([] { return false; }, 100);
  EXPECT_LT(world.counters.bytes_sent.get() - before, 8u << 20) << "what a window takes, and no more";
  for (const int32_t id : pages) client.let_go(id);
  for (const int32_t id : pages) EXPECT_TRUE(client.wait([&] { return heard(client, id) > 500'000; }, 3'000)) << id;
}

}  // namespace
}  // namespace arena::gateway::http::test
