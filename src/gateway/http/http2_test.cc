// Goal: what comes by HTTP/2 is answered as by HTTP/1.1, each request on its own stream, and a connection ends with grace.
#include "gateway/http/events.h"
#include "gateway/http/publish.h"
#include "gateway/http/publishers.h"
#include "gateway/http/test_http2.h"

namespace arena::gateway::http::test {
namespace {

TEST(Http2, AnswersEachRequestOnItsStream) {
  WebWorld world;
  world.add_routes();
  Http2Client client(world);
  const int32_t late = client.get("/later");
  const int32_t now = client.get("/now?a=1");
  EXPECT_EQ(client.answer(now).body, "a=1") << "it does not wait for the one before";
  EXPECT_FALSE(client.replies[late].ended);
  world.let_answer(0);
  EXPECT_EQ(client.answer(late).body, "late");
  const Http2Client::Reply& reply = client.replies[now];
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.field("content-length"), "3");
  EXPECT_EQ(reply.field("cache-control"), "no-store");
  EXPECT_EQ(reply.field("x-request-id").size(), 16u);
  EXPECT_TRUE(reply.field("connection").empty());
  EXPECT_EQ(world.counters.requests.get(), 2u);
  EXPECT_EQ(world.counters.http2_connections.get(), 1u);
}

TEST(Http2, BodiesOfAnySizeGoBothWays) {
  WebWorld world;
  world.add_routes();
  Http2Client client(world);
  std::string body;
  for (int i = 0; i < 100'000; ++i) body += std::to_string(i) + ",";
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{65'535}, std::size_t{65'536}, body.size()}) {
    const std::string part = body.substr(0, size);
    const int32_t id = client.post("/now", part);
    EXPECT_TRUE(client.answer(id).body == part) << size;
    EXPECT_TRUE(client.replies[id].ended);
  }
}

TEST(Http2, AHeadHasNoBody) {
  WebWorld world;
  world.add_routes();
  Http2Client client(world);
  const int32_t id = client.send(Http2Client::request("HEAD", "/now?123"));
  EXPECT_EQ(client.answer(id).status, 200);
  EXPECT_EQ(client.replies[id].field("content-length"), "3");
  EXPECT_TRUE(client.replies[id].body.empty());
}

TEST(Http2, TellsWhoWaitsToGoOn) {
  WebWorld world;
  world.add_routes();
  Http2Client client(world);
  Fields fields = Http2Client::request("POST", "/now");
  fields.emplace_back("expect", "100-continue");
  const int32_t id = client.send(fields, nullptr, false);
  EXPECT_EQ(client.replies[id].informational, 100);
  client.send_more(id, "body", true);
  EXPECT_EQ(client.answer(id).body, "body");
}

TEST(Http2, IsKnownByItsFirstBytesHoweverTheyCome) {
  WebWorld world;
  world.add_routes();
  Browser browser(world);
  const std::string begin = std::string(arena::http::kHttp2Preface) + frame(NGHTTP2_SETTINGS, 0, 0);
  for (const char c : begin) browser.bytes(std::string(1, c));
  world.broker.run_ms(1);
  EXPECT_EQ(browser.received().substr(3, 2), std::string("\x04\0", 2)) << "SETTINGS";
  EXPECT_EQ(world.counters.http2_connections.get(), 1u);
  Browser other(world);
  EXPECT_EQ(other.ask("PRI * HTTP/2.0\r\n\r\nSN\r\n\r\n").status, 505) << "nearly";
  Browser post(world);
  EXPECT_EQ(post.ask("P").status, 0);
  EXPECT_EQ(post.ask("OST /now HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab").body, "ab");
}

TEST(Http2, NothingIsDoneForWhatWasResetAtOnce) {
  WebWorld world;
  world.add_routes();
  Http2Client client(world);
  const int32_t id = client.get("/later");
  ASSERT_EQ(world.waiting.size(), 1u);
  EXPECT_FALSE(world.waiting[0]->gone());
  client.reset(id);
  EXPECT_TRUE(world.waiting[0]->gone()) << "its handler hears of it";
  world.let_answer(0);
  EXPECT_EQ(client.answer(client.get("/now?1")).body, "1");
}

TEST(Http2, WhatAHandlerAnswersAfterTheClientHasGoneGoesNowhere) {
  WebWorld world;
  world.add_routes();
  {
    Http2Client client(world);
    client.get("/later");
  }
  ASSERT_EQ(world.waiting.size(), 1u);
  EXPECT_TRUE(world.waiting[0]->gone());
  world.let_answer(0);
  EXPECT_EQ(world.door.connections(), 0u);
  EXPECT_EQ(world.admission.connections(), 0u);
  EXPECT_EQ(world.admission.half_open(), 0u);
  EXPECT_EQ(world.counters.http2_connections.get(), 0u);
}

TEST(Http2, ShutsWithTheAnswersThatAreWaitedFor) {
  WebWorld world;
  world.add_routes();
  Http2Client idle(world), waiting(world);
  EXPECT_EQ(idle.answer(idle.get("/now")).status, 200);
  const int32_t late = waiting.get("/later");
  world.door.shut();
  // Neither has heard yet: what they ask meanwhile is answered.
  const int32_t meanwhile = waiting.get("/now?m");
  EXPECT_EQ(waiting.answer(meanwhile).body, "m");
  EXPECT_TRUE(idle.closed(100));
  EXPECT_EQ(idle.goaways, std::vector<uint32_t>{0});
  EXPECT_FALSE(waiting.closed(100));
  EXPECT_EQ(waiting.goaways, (std::vector<uint32_t>{0, 0})) << "first that it will end, then where it ends";
  EXPECT_EQ(waiting.goaway_last, meanwhile);
  world.let_answer(0);
  EXPECT_EQ(waiting.answer(late).body, "late");
  EXPECT_TRUE(waiting.closed(100));
}

TEST(Http2, ShutsThoughTheClientDoesNotListen) {
  WebWorld world;
  world.add_routes();
  Http2Client deaf(world);
  EXPECT_EQ(deaf.answer(deaf.get("/now")).status, 200);
  world.door.shut();
  world.broker.run_ms(900);
  EXPECT_EQ(world.door.connections(), 1u);
  world.broker.run_ms(200);
  EXPECT_EQ(world.door.connections(), 0u);
}

// The same routes as by HTTP/1.1.
TEST(Http2, PublishesAndFollows) {
  WebWorld world;
  Publishers publishers(world.loop(), world.broker.shard(0));
  EventSeats seats;
  Events events(world.door, world.broker.shard(0), seats);
  add_topic_routes(world.door, publishers);
  add_event_routes(world.door, events);
  {
    Http2Client client(world);
    const int32_t page = client.get("/v1/events?topic=a/%23");
    ASSERT_TRUE(client.wait([&] { return client.replies[page].body.find("id: ") != std::string::npos; }));
    EXPECT_EQ(client.replies[page].field("content-type"), "text/event-stream");
    EXPECT_EQ(client.answer(client.post("/v1/topics/a/1", "hello")).status, 200);
    Fields batch = Http2Client::request("POST", "/v1/publish");
    batch.emplace_back("content-type", "application/x-ndjson");
    const std::string lines = "{\"topic\":\"a/2\",\"payload\":\"one\"}\n{\"topic\":\"b\",\"payload\":\"two\"}\n";
    EXPECT_EQ(client.answer(client.send(batch, &lines)).status, 200);
    EXPECT_TRUE(client.wait([&] { return client.replies[page].body.find("\"one\"") != std::string::npos; }));
    EXPECT_NE(client.replies[page].body.find("\"hello\""), std::string::npos);
    EXPECT_EQ(client.replies[page].body.find("\"two\""), std::string::npos);
    client.reset(page);
    world.broker.run_ms(10);
    EXPECT_EQ(events.followers(), 0u);
  }
}

}  // namespace
}  // namespace arena::gateway::http::test
