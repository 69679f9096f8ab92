// Goal: each way known to make an HTTP/2 server work or remember without end meets its limit: the connection ends with
// ENHANCE_YOUR_CALM, is counted by its reason, and others are served on.
#include "gateway/http/test_http2.h"

namespace arena::gateway::http::test {
namespace {

class Http2Floods : public testing::Test {
 protected:
  Http2Floods() : world(few()) { world.add_routes(); }

  static Options few() {
    Options options;
    options.resets_per_s = 2;           // 20 at once
    options.control_frames_per_s = 10;  // 100 at once
    options.fields_max = 20;
    return options;
  }
  void expect_calmed(Http2Client& client, Refused reason, const std::string& what) {
    EXPECT_TRUE(client.closed()) << what;
    EXPECT_TRUE(!client.goaways.empty() && client.goaways.back() == NGHTTP2_ENHANCE_YOUR_CALM) << what;
    EXPECT_EQ(world.refused(reason), ++calmed[reason]) << what;
    Http2Client other(world);
    EXPECT_EQ(other.answer(other.get("/now?1")).body, "1") << what;
  }
  // So many go, and with one more it is too much.
  void expect_flood(Refused reason, int n, const std::string& what, UniqueFunction<void(Http2Client&, int)> one) {
    {
      Http2Client client(world);
      for (int i = 0; i < n; ++i) one(client, i);
      EXPECT_FALSE(client.closed()) << what << " " << client.goaways.size();
    }
    Http2Client client(world);
    for (int i = 0; i < 3 * n && !client.closed(); ++i) one(client, i);
    expect_calmed(client, reason, what);
  }

  WebWorld world;
  std::map<Refused, uint64_t> calmed;
};

// CVE-2023-44487 (rapid reset).
TEST_F(Http2Floods, RequestsThatAreReset) {
  expect_flood(Refused::resets, 18, "reset by the client", [](Http2Client& client, int) { client.reset(client.get("/later")); });
  for (const ExchangeRef& exchange : world.waiting) EXPECT_TRUE(exchange->gone());
}

TEST_F(Http2Floods, RequestsThatAreResetMayBeAsManyAsItsRate) {
  Http2Client client(world);
  for (int i = 0; i < 60; ++i) {
    client.reset(client.get("/later"));
    world.broker.run_ms(500);
  }
  EXPECT_FALSE(client.closed());
}

TEST_F(Http2Floods, OpenedAndResetInOneBreath) {
  Http2Client client(world);
  client.go_on();
  // HEADERS by the static table: GET, http, /, and "a" as :authority.
  const std::string head("\x82\x86\x84\x41\x01" "a", 6);
  std::string burst;
  for (uint32_t id = 1; id < 2000; id += 2) {
    burst += frame(NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS | NGHTTP2_FLAG_END_STREAM, id, head) + frame(NGHTTP2_RST_STREAM, 0, id, std::string("\0\0\0\x08", 4));
  }
  client.raw(burst);
  expect_calmed(client, Refused::resets, "in one breath");
  EXPECT_LE(world.counters.requests.get(), 2u) << "nothing was done for them";
}

// CVE-2025-8671 (MadeYouReset): the client makes the server reset.
TEST_F(Http2Floods, RequestsThatTheServerIsMadeToReset) {
  const auto stream_of = [](int32_t id) { return static_cast<uint32_t>(id); };
  const std::pair<const char*, std::string (*)(uint32_t)> frames[] = {
      {"a window that overflows", [](uint32_t id) { return frame(NGHTTP2_WINDOW_UPDATE, 0, id, "\x7f\xff\xff\xff"); }},
      {"a window of nothing more", [](uint32_t id) { return frame(NGHTTP2_WINDOW_UPDATE, 0, id, std::string(4, '\0')); }},
      {"data behind the end", [](uint32_t id) { return frame(NGHTTP2_DATA, 0, id, "x"); }},
      {"a head behind the end", [](uint32_t id) { return frame(NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS | NGHTTP2_FLAG_END_STREAM, id, std::string("\x00\x01x\x01y", 5)); }},
  };
  for (const auto& [what, bytes] : frames) {
    Http2Client client(world);
    client.go_on();
    for (int i = 0; i < 100 && !client.closed(); ++i) client.raw(bytes(stream_of(client.get("/later"))));
    EXPECT_TRUE(client.closed()) << what;
    EXPECT_FALSE(client.goaways.empty()) << what;
    for (const ExchangeRef& exchange : world.waiting) EXPECT_TRUE(exchange->gone()) << what;
    EXPECT_LE(world.waiting.size(), 25u) << what;
    world.waiting.clear();
  }
  Http2Client client(world);
  for (int i = 0; i < 100 && !client.closed(); ++i) client.send({{":method", "GET"}, {":path", "/later"}});
  EXPECT_TRUE(client.closed()) << "no request at all";
  EXPECT_GE(world.refused(Refused::resets), 1u);
}

// CVE-2019-9512, -9515, -9518 and their kin.
TEST_F(Http2Floods, FramesThatCarryNothing) {
  const auto flood = [this](const std::string& what, const std::string& bytes) {
    expect_flood(Refused::control_frames, 90, what, [&bytes](Http2Client& client, int) { client.raw(bytes); });
  };
  flood("PING", frame(NGHTTP2_PING, 0, 0, "12345678"));
  flood("PRIORITY", frame(NGHTTP2_PRIORITY, 0, 1, std::string("\0\0\0\0\x10", 5)));
  flood("WINDOW_UPDATE", frame(NGHTTP2_WINDOW_UPDATE, 0, 0, std::string("\0\0\0\x01", 4)));
  flood("of no known type", frame(0xee, 0, 0, "what"));
}

TEST_F(Http2Floods, Settings) {
  Browser client(world);
  client.bytes(std::string(arena::http::kHttp2Preface));
  for (int i = 0; i < 90; ++i) client.bytes(frame(NGHTTP2_SETTINGS, 0, 0));
  EXPECT_FALSE(client.closed(10));
  for (int i = 0; i < 20; ++i) client.bytes(frame(NGHTTP2_SETTINGS, 0, 0));
  EXPECT_TRUE(client.closed(10));
  EXPECT_TRUE(client.received().ends_with(std::string("\0\0\0\x0b", 4)));
  EXPECT_EQ(world.refused(Refused::control_frames), 1u);
}

TEST_F(Http2Floods, DataThatIsNone) {
  for (const std::string& bytes : {frame(NGHTTP2_DATA, 0, 1), frame(NGHTTP2_DATA, NGHTTP2_FLAG_PADDED, 1, std::string("\x03\0\0\0", 4))}) {
    expect_flood(Refused::control_frames, 90, "empty DATA", [&bytes](Http2Client& client, int i) {
      if (i == 0) client.send(Http2Client::request("POST", "/now"), nullptr, false);
      client.raw(bytes);
    });
  }
}

TEST_F(Http2Floods, FramesThatCarryNothingMayBeAsManyAsTheirRate) {
  Http2Client client(world);
  for (int i = 0; i < 300; ++i) {
    client.raw(frame(NGHTTP2_PING, 0, 0, "12345678"));
    world.broker.run_ms(100);
    if (i % 80 == 0) client.get("/now");
  }
  EXPECT_FALSE(client.closed());
  EXPECT_EQ(client.pings_answered, 300u);
}

// CVE-2024-27316, -28182: a head without end.
TEST_F(Http2Floods, AHeadInManyPieces) {
  const std::string head("\x82\x86\x84\x41\x01" "a", 6);
  const auto piece = [](int i) { return frame(NGHTTP2_CONTINUATION, i == 8 ? NGHTTP2_FLAG_END_HEADERS : 0, 1, std::string("\x00\x01x\x01y", 5)); };
  {
    Browser client(world);  // the library would not take an answer to what it did not ask
    std::string bytes = std::string(arena::http::kHttp2Preface) + frame(NGHTTP2_SETTINGS, 0, 0) + frame(NGHTTP2_HEADERS, NGHTTP2_FLAG_END_STREAM, 1, head);
    for (int i = 1; i <= 8; ++i) bytes += piece(i);
    client.bytes(bytes);
    EXPECT_FALSE(client.closed(10));
    EXPECT_EQ(world.counters.answers[4].get(), 1u) << "nothing is at /";
  }
  Http2Client client(world);
  client.go_on();
  std::string bytes = frame(NGHTTP2_HEADERS, NGHTTP2_FLAG_END_STREAM, 1, head);
  for (int i = 9; i <= 100; ++i) bytes += piece(i);
  client.raw(bytes);
  expect_calmed(client, Refused::continuations, "CONTINUATION");
  Http2Client empty(world);
  empty.go_on();
  bytes = frame(NGHTTP2_HEADERS, NGHTTP2_FLAG_END_STREAM, 1, head);
  for (int i = 0; i < 100; ++i) bytes += frame(NGHTTP2_CONTINUATION, 0, 1);
  empty.raw(bytes);
  expect_calmed(empty, Refused::continuations, "empty CONTINUATION");
}

// CVE-2026-49975: one byte each stands for a large field of the table.
TEST_F(Http2Floods, AHeadThatIsABomb) {
  Http2Client client(world);
  client.go_on();
  std::string head("\x82\x86\x84\x41\x01" "a", 6);
  head += std::string("\x40\x06", 2) + "cookie" + std::string("\x7f\xa1\x1e", 3) + std::string(4000, 'c');  // into the table
  head += std::string(4000, '\xbe');                                                                    // and out of it again
  client.raw(frame(NGHTTP2_HEADERS, NGHTTP2_FLAG_END_STREAM | NGHTTP2_FLAG_END_HEADERS, 1, head));
  EXPECT_TRUE(client.closed());
  EXPECT_EQ(world.refused(Refused::head_too_large), 1u);
  EXPECT_EQ(client.goaways, std::vector<uint32_t>{NGHTTP2_ENHANCE_YOUR_CALM});
  // A few too many crumbs of a cookie are told so, and the connection goes on.
  Http2Client careless(world);
  Fields fields = Http2Client::request("GET", "/now");
  for (int i = 0; i < 17; ++i) fields.emplace_back("cookie", "c");
  EXPECT_EQ(careless.answer(careless.send(fields)).status, 431);
  EXPECT_EQ(world.refused(Refused::too_many_fields), 1u);
  fields.pop_back();
  EXPECT_EQ(careless.answer(careless.send(fields)).status, 200);
}

// CVE-2026-27135, and what comes after a connection was ended at all.
TEST_F(Http2Floods, WhatComesBehindTheEndIsNotLookedAt) {
  for (const std::string& bytes : {frame(NGHTTP2_DATA, 0, 0, "x"), frame(NGHTTP2_RST_STREAM, 0, 0, "1234"), frame(NGHTTP2_SETTINGS, 0, 0, "12345"),
                                   frame(NGHTTP2_PING, 0, 0, "1"), frame(NGHTTP2_CONTINUATION, 0, 1), frame(NGHTTP2_PUSH_PROMISE, 4, 1, "1234")}) {
    const uint64_t before = world.refused(Refused::malformed);
    Http2Client client(world);
    client.go_on();
    std::string all = bytes;
    for (int i = 0; i < 50; ++i) all += bytes + frame(NGHTTP2_HEADERS, 5, 1, std::string("\x82\x86\x84\x41\x01" "a", 6));
    client.raw(all);
    EXPECT_TRUE(client.closed());
    EXPECT_EQ(client.goaways.size(), 1u);
    EXPECT_EQ(world.refused(Refused::malformed), before + 1);
  }
  EXPECT_EQ(world.counters.requests.get(), 0u);
}

}  // namespace
}  // namespace arena::gateway::http::test
