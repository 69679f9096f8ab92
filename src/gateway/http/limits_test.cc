// Goal: whoever sends too much, too slowly or too much at once is told so, and costs no more than the limit says.
#include "gateway/http/test_web.h"

namespace arena::gateway::http::test {
namespace {

const std::string kLine = "GET /now HTTP/1.1\r\nHost: localhost\r\n";

TEST(HttpLimits, TimeOfARequest) {
  WebWorld world;
  world.add_routes();
  {
    Browser silent(world);
    EXPECT_FALSE(silent.closed(9'900));
    EXPECT_TRUE(silent.closed(200)) << "no request after the time that one has";
    EXPECT_TRUE(silent.received().empty());
    EXPECT_EQ(world.refused(Refused::request_timeout), 1u);
  }
  {
    Browser slow(world);
    slow.bytes("GET /now HTT");
    world.broker.run_ms(5'000);
    slow.bytes("P/1.1\r\n");  // more bytes do not bring more time
    EXPECT_EQ(slow.answer(4'900).status, 0);
    EXPECT_EQ(slow.answer(200).status, 408);
    EXPECT_TRUE(slow.closed());
  }
  {
    Browser slow(world);
    EXPECT_EQ(slow.get("/now").status, 200);
    world.broker.run_ms(20'000);  // not part of the next request
    slow.bytes("POST /now HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhell");
    EXPECT_EQ(slow.answer(9'900).status, 0);
    EXPECT_EQ(slow.answer(200).status, 408);
    EXPECT_TRUE(slow.closed());
  }
  {
    Browser knocking(world);
    for (int i = 0; i < 9; ++i) {
      world.broker.run_ms(1'000);
      knocking.bytes("\r\n");
    }
    EXPECT_TRUE(knocking.closed(1'100)) << "empty lines are no request";
  }
}

TEST(HttpLimits, SilenceBetweenRequests) {
  WebWorld world;
  world.add_routes();
  Browser quiet(world);
  EXPECT_EQ(quiet.get("/now").status, 200);
  EXPECT_FALSE(quiet.closed(59'900));
  EXPECT_EQ(quiet.get("/now").status, 200);
  EXPECT_FALSE(quiet.closed(59'900));
  EXPECT_TRUE(quiet.closed(200));
  EXPECT_EQ(world.counters.idle_closed.get(), 1u);
}

TEST(HttpLimits, NoTimeRunsWhileTheClientWaitsForUs) {
  WebWorld world;
  world.add_routes();
  Browser patient(world);
  patient.bytes("GET /later HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(patient.answer(100'000).status, 0);
  EXPECT_TRUE(patient.open());
  world.let_answer(0);
  EXPECT_EQ(patient.answer().body, "late");
}

TEST(HttpLimits, BytesOfAHead) {
  WebWorld world({.head_bytes_max = 1024});
  world.add_routes();
  Browser big(world);
  const Answer answer = big.ask(kLine + "x: " + std::string(2000, 'x') + "\r\n\r\n");
  EXPECT_EQ(answer.status, 431);
  EXPECT_NE(answer.body.find("\"code\":\"head_too_large\""), std::string::npos) << answer.body;
  EXPECT_TRUE(big.closed());
  EXPECT_EQ(world.refused(Refused::head_too_large), 1u);
}

TEST(HttpLimits, FieldsOfARequest) {
  WebWorld world({.fields_max = 8});
  world.add_routes();
  Browser many(world);
  std::string fields;
  for (int i = 0; i < 7; ++i) fields += "a: b\r\n";
  EXPECT_EQ(many.ask(kLine + fields + "\r\n").status, 200);
  EXPECT_EQ(many.ask(kLine + fields + "a: b\r\n\r\n").status, 431);
  EXPECT_TRUE(many.closed());
  EXPECT_EQ(world.refused(Refused::too_many_fields), 1u);
}

TEST(HttpLimits, BytesOfABody) {
  WebWorld world({.body_bytes_max = 1024});
  world.add_routes();
  Browser big(world);
  EXPECT_EQ(big.ask("POST /now HTTP/1.1\r\nHost: a\r\nContent-Length: 1024\r\n\r\n" + std::string(1024, 'x')).status, 200);
  EXPECT_EQ(big.ask("POST /now HTTP/1.1\r\nHost: a\r\nContent-Length: 1025\r\n\r\n").status, 413);
  EXPECT_TRUE(big.closed());
  Browser chunked(world);
  EXPECT_EQ(chunked.ask("POST /now HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n401\r\n" + std::string(1025, 'x') + "\r\n").status, 413);
  EXPECT_TRUE(chunked.closed());
  EXPECT_EQ(world.refused(Refused::body_too_large), 2u);
}

TEST(HttpLimits, BytesOfAllBodiesUnderWay) {
  WebWorld world({.uploads_bytes_max = 100'000});
  world.add_routes();
  const std::string head = "POST /now HTTP/1.1\r\nHost: a\r\nContent-Length: 80001\r\n\r\n";
  const std::string most(80'000, 'x');
  Browser first(world), second(world), third(world), small(world);
  first.bytes(head + most);
  EXPECT_EQ(world.uploads.bytes(), 80'000u);
  second.bytes(head + most.substr(0, 16 << 10));
  EXPECT_EQ(second.answer(0).status, 0) << "a little is free";
  const Answer refused = second.ask(most.substr(0, 5000));
  EXPECT_EQ(refused.status, 503);
  EXPECT_NE(refused.body.find("\"code\":\"busy\""), std::string::npos) << refused.body;
  EXPECT_NE(refused.head.find("retry-after: "), std::string::npos) << refused.head;
  EXPECT_TRUE(second.closed());
  EXPECT_EQ(world.refused(Refused::uploads), 1u);
  EXPECT_EQ(small.ask("POST /now HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n" + std::string(1000, 'x')).status, 200);
  EXPECT_EQ(first.ask("x").body.size(), 80'001u);
  EXPECT_EQ(world.uploads.bytes(), 0u);
  third.bytes(head + most);
  EXPECT_EQ(third.ask("x").status, 200) << "there is room again";
}

TEST(HttpLimits, ARefusedBodyIsLetGoOfBeforeItsTurn) {
  WebWorld world({.uploads_bytes_max = 100'000});
  world.add_routes();
  Browser slow(world);
  slow.bytes("GET /later HTTP/1.1\r\nHost: a\r\n\r\nPOST /now HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n" + std::string(90'000, 'x'));
  slow.bytes(std::string(90'000, 'x'));
  EXPECT_EQ(world.refused(Refused::uploads), 1u);
  EXPECT_EQ(world.uploads.bytes(), 0u);
  world.let_answer(0);
  EXPECT_EQ(slow.answer().body, "late");
  EXPECT_EQ(slow.answer().status, 503);
}

TEST(HttpLimits, RequestsAtOnce) {
  WebWorld world({.pipelined_max = 3});
  world.add_routes();
  Browser eager(world);
  for (int i = 0; i < 5; ++i) eager.bytes("GET /later HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(world.waiting.size(), 3u);
  EXPECT_EQ(world.counters.held_back.get(), 1u);
  world.let_answer(2, text_response(200, "third"));
  world.broker.run_ms(10);
  EXPECT_EQ(world.waiting.size(), 3u) << "its answer has not left: two come before it";
  world.let_answer(0, text_response(200, "first"));
  EXPECT_EQ(eager.answer().body, "first");
  world.broker.run_ms(1);
  EXPECT_EQ(world.waiting.size(), 4u);
  world.let_answer(1, text_response(200, "second"));
  EXPECT_EQ(eager.answer().body, "second");
  EXPECT_EQ(eager.answer().body, "third");
  world.broker.run_ms(1);
  EXPECT_EQ(world.waiting.size(), 5u);
}

TEST(HttpLimits, SilentConnectionsGiveWayToNewOnes) {
  Options options;
  options.half_open_max = 2;
  WebWorld world(options);
  world.add_routes();
  Browser first(world), second(world);
  EXPECT_EQ(second.get("/now").status, 200) << "takes no such place any more";
  Browser third(world), fourth(world);
  EXPECT_TRUE(first.closed());
  EXPECT_TRUE(second.open() && third.open() && fourth.open());
  EXPECT_EQ(world.refused(Refused::half_open), 1u);
}

TEST(HttpLimits, ConnectionsAreThoseOfAllDoors) {
  Options options;
  options.connections_max = 1;
  WebWorld world(options);
  Browser first(world), second(world);
  EXPECT_TRUE(second.closed());
  EXPECT_EQ(world.refused(Refused::connections), 1u);
}

TEST(HttpLimits, TimeThatAnAnswerIsNotTaken) {
  WebWorld world;
  world.add_routes();
  Browser slow(world, "127.0.0.1", {.output_high_bytes = 1000, .output_low_bytes = 100});
  slow.bytes("GET /now?" + std::string(2000, 'x') + " HTTP/1.1\r\nHost: a\r\n\r\n");
  slow.bytes("GET /now HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(world.counters.held_back.get(), 1u);
  EXPECT_FALSE(slow.closed(29'000));
  EXPECT_TRUE(slow.closed(2'000)) << "it is not read, and takes nothing";
  EXPECT_EQ(world.counters.stuck_closed.get(), 1u);
}

}  // namespace
}  // namespace arena::gateway::http::test
