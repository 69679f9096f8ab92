// Goal: one HTTP/2 connection costs no more than the limits say, in memory and in time, and its client is told.
#include "gateway/http/test_http2.h"

namespace arena::gateway::http::test {
namespace {

TEST(Http2Limits, RequestsAtOnce) {
  WebWorld world({.streams_max = 2});
  world.add_routes();
  Browser eager(world);
  std::string bytes = std::string(arena::http::kHttp2Preface) + frame(NGHTTP2_SETTINGS, 0, 0);
  for (uint32_t id = 1; id <= 7; id += 2) bytes += frame(NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, id, std::string("\x83\x86\x84\x41\x01" "a", 6));
  eager.bytes(bytes);
  world.broker.run_ms(1);
  EXPECT_EQ(world.refused(Refused::streams), 2u);
  EXPECT_NE(eager.received().find(frame(NGHTTP2_RST_STREAM, 0, 5, std::string("\0\0\0\x07", 4))), std::string::npos) << "to be tried again";
}

TEST(Http2Limits, HeadsAndBodies) {
  WebWorld world({.head_bytes_max = 1024, .body_bytes_max = 1024});
  world.add_routes();
  Http2Client client(world);
  Fields fields = Http2Client::request("GET", "/now");
  fields.emplace_back("x", std::string(1000, 'x'));
  EXPECT_EQ(client.answer(client.send(fields)).status, 431);
  EXPECT_EQ(world.refused(Refused::head_too_large), 1u);
  EXPECT_EQ(client.answer(client.post("/now", std::string(1024, 'x'))).status, 200);
  const int32_t large = client.post("/now", std::string(1025, 'x'));
  EXPECT_EQ(client.answer(large).status, 413);
  // By its length alone.
  Fields told = Http2Client::request("POST", "/now");
  told.emplace_back("content-length", "1025");
  const int32_t id = client.send(told, nullptr, false);
  EXPECT_EQ(client.answer(id).status, 413);
  EXPECT_TRUE(client.wait([&] { return client.replies[id].closed; })) << "the rest is not wanted";
  EXPECT_EQ(client.replies[id].code, static_cast<uint32_t>(NGHTTP2_NO_ERROR));
  EXPECT_EQ(world.refused(Refused::body_too_large), 2u);
  EXPECT_FALSE(client.closed());
}

TEST(Http2Limits, BytesOfAllBodies) {
  WebWorld world({.body_bytes_max = 1 << 20, .bodies_bytes_max = 100'000});
  world.add_routes();
  Http2Client client(world);
  const std::string body(500'000, 'x');
  const Fields post = Http2Client::request("POST", "/now");
  std::vector<int32_t> ids;
  for (int i = 0; i < 5; ++i) ids.push_back(client.send(post, &body, false));
  // The first has all it sent; the others what a stream may send unasked.
  EXPECT_EQ(client.unsent(ids[0]), 0u);
  for (std::size_t i = 1; i < 5; ++i) EXPECT_GE(client.unsent(ids[i]), body.size() - 2 * 65'536) << i;
  EXPECT_GE(world.counters.held_back.get(), 1u);
  // One after the other comes to its end; none waits for ever.
  for (const int32_t id : ids) {
    client.send_more(id, "", true);
    EXPECT_EQ(client.answer(id).body.size(), body.size());
  }
  EXPECT_EQ(world.refused(Refused::request_timeout), 0u);
}

TEST(Http2Limits, BytesOfAllBodiesUnderWay) {
  WebWorld world({.uploads_bytes_max = 100'000});
  world.add_routes();
  Browser other(world);
  other.bytes("POST /now HTTP/1.1\r\nHost: a\r\nContent-Length: 40001\r\n\r\n" + std::string(40'000, 'x'));
  Http2Client client(world);
  const std::string most(50'000, 'x');
  const Fields post = Http2Client::request("POST", "/now");
  const int32_t older = client.send(post, &most, false), younger = client.send(post, &most, false);
  EXPECT_EQ(client.answer(younger).status, 503);
  EXPECT_NE(client.replies[younger].body.find("\"code\":\"busy\""), std::string::npos);
  EXPECT_EQ(client.replies[younger].field("retry-after"), "1");
  EXPECT_EQ(world.uploads.bytes(), 90'000u);
  client.send_more(older, "x", true);
  EXPECT_EQ(client.answer(older).body.size(), 50'001u) << "the older one goes on, and the connection with it";
  EXPECT_EQ(world.refused(Refused::uploads), 1u);
  EXPECT_EQ(world.uploads.bytes(), 40'000u);
  const int32_t left = client.send(post, &most, false);
  EXPECT_EQ(world.uploads.bytes(), 90'000u);
  client.reset(left);
  EXPECT_EQ(world.uploads.bytes(), 40'000u);
}

// What a stranger sends need not be held; nobody is let in from there.
TEST(Http2Limits, WhoSaysNoNameIsRefusedBeforeTheBody) {
  WebWorld world;
  world.add_routes();
  Http2Client stranger(world, "192.0.2.1");
  const std::string most(50'000, 'x');
  Fields post = Http2Client::request("POST", "/who");
  post.emplace_back("expect", "100-continue");
  const int32_t id = stranger.send(post, &most, false);
  EXPECT_EQ(stranger.answer(id).status, 401);
  EXPECT_EQ(stranger.replies[id].informational, 0);
  EXPECT_FALSE(stranger.replies[id].field("www-authenticate").empty());
  EXPECT_EQ(world.uploads.bytes(), 0u);
  EXPECT_TRUE(stranger.wait([&] { return stranger.replies[id].closed; })) << "the rest is not wanted";
  EXPECT_EQ(stranger.answer(stranger.post("/now", "open")).body, "open") << "the connection goes on";
  Http2Client here(world);
  const int32_t let_in = here.send(post, &most, false);
  EXPECT_EQ(world.uploads.bytes(), 50'000u);
  here.send_more(let_in, "", true);
  EXPECT_EQ(here.answer(let_in).body, "anonymous");
  EXPECT_EQ(here.replies[let_in].informational, 100);
}

TEST(Http2Limits, TimeOfARequest) {
  WebWorld world;
  world.add_routes();
  {
    Http2Client silent(world);
    EXPECT_FALSE(silent.closed(9'900));
    EXPECT_TRUE(silent.closed(200)) << "no request after the time that one has";
    EXPECT_EQ(silent.goaways, std::vector<uint32_t>{0});
    EXPECT_EQ(world.refused(Refused::request_timeout), 1u);
  }
  {
    Http2Client slow(world);
    EXPECT_EQ(slow.answer(slow.get("/now")).status, 200);
    const int32_t id = slow.send(Http2Client::request("POST", "/now"), nullptr, false);
    for (int i = 0; i < 9; ++i) {
      EXPECT_FALSE(slow.wait([&] { return slow.replies[id].ended; }, 1'000));
      slow.send_more(id, "x");  // more bytes do not bring more time
    }
    EXPECT_EQ(slow.answer(id, 1'600).status, 408);
    EXPECT_EQ(slow.answer(slow.get("/now?on")).body, "on") << "others of the connection";
    EXPECT_EQ(world.refused(Refused::request_timeout), 2u);
  }
  {
    Http2Client slow(world);
    EXPECT_EQ(slow.answer(slow.get("/now")).status, 200);
    slow.raw(frame(NGHTTP2_HEADERS, NGHTTP2_FLAG_END_STREAM, 3, "\x82"));  // and no CONTINUATION
    EXPECT_FALSE(slow.closed(9'900));
    EXPECT_TRUE(slow.closed(700)) << "nothing else can come behind it";
    EXPECT_EQ(world.refused(Refused::request_timeout), 3u);
  }
}

TEST(Http2Limits, SilenceBetweenRequests) {
  WebWorld world;
  world.add_routes();
  Http2Client quiet(world);
  EXPECT_EQ(quiet.answer(quiet.get("/now")).status, 200);
  EXPECT_FALSE(quiet.closed(59'900));
  EXPECT_EQ(quiet.answer(quiet.get("/now")).status, 200);
  quiet.raw(frame(NGHTTP2_PING, 0, 0, "12345678"));  // is no request
  EXPECT_FALSE(quiet.closed(59'900));
  EXPECT_TRUE(quiet.closed(200));
  EXPECT_EQ(quiet.goaways, std::vector<uint32_t>{0});
  EXPECT_EQ(world.counters.idle_closed.get(), 1u);
}

TEST(Http2Limits, NoTimeRunsWhileTheClientWaitsForUs) {
  WebWorld world;
  world.add_routes();
  Http2Client patient(world);
  const int32_t id = patient.get("/later");
  EXPECT_FALSE(patient.closed(100'000));
  world.let_answer(0);
  EXPECT_EQ(patient.answer(id).body, "late");
}

TEST(Http2Limits, TimeThatAnAnswerIsNotTaken) {
  WebWorld world;
  world.add_routes();
  Http2Client slow(world, "127.0.0.1", 10);
  const int32_t id = slow.get("/later");
  slow.hold(id);
  world.let_answer(0, text_response(200, std::string(1000, 'x')));
  EXPECT_FALSE(slow.wait([&] { return slow.replies[id].closed; }, 29'000));
  EXPECT_EQ(slow.answer(slow.get("/now?1")).body, "1") << "the others go on";
  EXPECT_TRUE(slow.wait([&] { return slow.replies[id].closed; }, 3'000));
  EXPECT_EQ(slow.replies[id].code, static_cast<uint32_t>(NGHTTP2_CANCEL));
  EXPECT_EQ(slow.replies[id].body.size(), 10u);
  EXPECT_FALSE(slow.replies[id].ended);
  EXPECT_EQ(world.counters.stuck_closed.get(), 1u);
  EXPECT_FALSE(slow.closed());
}

TEST(Http2Limits, SilentConnectionsGiveWayToNewOnes) {
  Options options;
  options.half_open_max = 2;
  WebWorld world(options);
  world.add_routes();
  Http2Client first(world), second(world);
  first.go_on();
  EXPECT_EQ(second.answer(second.get("/now")).status, 200) << "takes no such place any more";
  Http2Client third(world), fourth(world);
  EXPECT_TRUE(first.closed());
  EXPECT_FALSE(second.closed() || third.closed() || fourth.closed());
  EXPECT_EQ(world.refused(Refused::half_open), 1u);
}

TEST(Http2Limits, AnAnswerThatNoFrameCanSayIsReset) {
  WebWorld world;
  world.add_routes();
  Http2Client client(world);
  const int32_t id = client.get("/later");
  world.let_answer(0, {200, {{"x", std::string(70'000, 'x')}}, "body"});
  EXPECT_TRUE(client.wait([&] { return client.replies[id].closed; })) << "its client would wait without end";
  EXPECT_EQ(client.replies[id].code, static_cast<uint32_t>(NGHTTP2_INTERNAL_ERROR));
  EXPECT_EQ(client.answer(client.get("/now?on")).body, "on");
}

}  // namespace
}  // namespace arena::gateway::http::test
