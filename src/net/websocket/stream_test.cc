// Goal: over any stream, with any faults, a WebSocket hands over exactly what was written, in one frame a turn, and ends
// as the specification says.
#include "net/websocket/stream.h"

#include <gtest/gtest.h>

#include <random>
#include <utility>

#include "codec/websocket/test_frames.h"
#include "net/websocket/test_websocket.h"

namespace arena::net {
namespace {

using test::WebSocketPair;
using websocket::test::bytes_of;

std::string frame(unsigned first, const std::string& payload) { return bytes_of({first, payload}); }

WebSocketPair::Options raw() {
  WebSocketPair::Options options;
  options.raw_client = true;
  return options;
}

std::string pattern(std::size_t size) {
  std::string out(size, '\0');
  for (std::size_t i = 0; i < size; ++i) out[i] = static_cast<char>(i * 7 + i / 251);
  return out;
}


TEST(WebSocketStream, BytesGoBothWays) {
  WebSocketPair pair(1);
  pair.client->write("hello");
  ASSERT_TRUE(pair.until([&] { return pair.at_server.received == "hello"; }));
  pair.server->write("welcome");
  ASSERT_TRUE(pair.until([&] { return pair.at_client.received == "welcome"; }));
  EXPECT_EQ(pair.core.counters().connections.get(), 1u);
}

TEST(WebSocketStream, WhatIsWrittenInATurnIsOneFrame) {
  WebSocketPair pair(2, raw());
  ASSERT_TRUE(pair.until([&] { return pair.server != nullptr; }));
  for (const std::size_t size : {std::size_t{1}, std::size_t{124}, std::size_t{125}, std::size_t{126}, std::size_t{65'534}, std::size_t{65'535}, std::size_t{65'536}, std::size_t{200'000}}) {
    pair.at_client.received.clear();
    const std::string whole = pattern(size);
    pair.server->write(whole.substr(0, size / 2));
    pair.server->write(whole.substr(size / 2));
    const std::string expected = bytes_of({0x82, whole, false});
    ASSERT_TRUE(pair.until([&] { return pair.at_client.received.size() >= expected.size(); })) << size;
    EXPECT_TRUE(pair.at_client.received == expected) << size;
  }
}

TEST(WebSocketStream, ManySmallFramesOfOneReadAreHandedOverTogether) {
  WebSocketPair pair(3, raw());
  std::string frames;
  for (int i = 0; i < 99; ++i) frames += frame(i % 3 == 0 ? 0x02 : i % 3 == 1 ? 0x00 : 0x80, "0123456789");
  pair.client->write(frames + frame(0x82, "end"));
  ASSERT_TRUE(pair.until([&] { return pair.at_server.received.ends_with("end"); }));
  EXPECT_EQ(pair.at_server.received.size(), 993u);
  EXPECT_EQ(pair.at_server.reads, 1);
}

TEST(WebSocketStream, TextIsNotTaken) {  // [MQTT-6.0.0-1]
  for (const char* text : {"", "text"}) {
    WebSocketPair pair(4, raw());
    pair.client->write(frame(0x82, "before") + frame(0x81, text) + frame(0x82, "behind"));
    ASSERT_TRUE(pair.until([&] { return pair.at_client.closed.has_value(); }));
    EXPECT_EQ(pair.at_server.received, "before");
    EXPECT_EQ(pair.at_client.received.substr(2, 2), "\x03\xEB");
    EXPECT_EQ(pair.failed(WebSocketFailure::not_binary), 1u);
  }
}

TEST(WebSocketStream, WhatIsMalformedEndsItWithItsCode) {
  WebSocketPair pair(5, raw());
  pair.client->write(frame(0x82, "before") + frame(0x83, ""));
  ASSERT_TRUE(pair.until([&] { return pair.at_client.closed.has_value(); }));
  EXPECT_EQ(pair.at_server.received, "before");
  EXPECT_EQ(pair.at_client.received.substr(2, 2), "\x03\xEA");
  EXPECT_EQ(pair.failed(WebSocketFailure::malformed), 1u);
  EXPECT_EQ(pair.at_server.closed, CloseReason::reset);
}

TEST(WebSocketStream, AnswersPingsAndWhoCloses) {
  WebSocketPair pair(6, raw());
  pair.client->write(frame(0x8A, "unasked") + frame(0x89, "are you there") + frame(0x88, std::string("\x03\xE8", 2) + "bye") + frame(0x82, "behind"));
  ASSERT_TRUE(pair.until([&] { return pair.at_client.closed.has_value(); }));
  EXPECT_EQ(pair.at_client.received, bytes_of({0x8A, "are you there", false}) + bytes_of({0x88, std::string("\x03\xE8", 2), false}));
  EXPECT_EQ(pair.at_server.received, "");
  EXPECT_EQ(pair.at_server.closed, CloseReason::peer_closed);
}

TEST(WebSocketStream, SaysGoodbyeBehindItsOutput) {
  WebSocketPair pair(7, raw());
  ASSERT_TRUE(pair.until([&] { return pair.server != nullptr; }));
  pair.server->write("last words");
  pair.server->close();
  ASSERT_TRUE(pair.until([&] { return pair.at_client.closed.has_value(); }));
  EXPECT_EQ(pair.at_client.received, bytes_of({0x82, "last words", false}) + bytes_of({0x88, std::string("\x03\xE8", 2), false}));
  EXPECT_EQ(pair.at_server.closed, CloseReason::local);
}

TEST(WebSocketStream, ControlFramesInTime) {
  for (const bool empty_data : {false, true}) {
    WebSocketPair::Options options = raw();
    options.limits.idle_frames_per_s = 10;
    WebSocketPair pair(8, options);
    std::string frames;
    for (int i = 0; i < 100; ++i) frames += empty_data ? frame(0x82, "") : frame(0x89, "");
    pair.client->write(frames);
    pair.world.run_for(11'000);
    EXPECT_FALSE(pair.at_client.closed.has_value()) << "a hundred in ten seconds";
    pair.client->write(frames + frames + frame(0x82, "behind"));
    ASSERT_TRUE(pair.until([&] { return pair.at_client.closed.has_value(); }));
    EXPECT_EQ(pair.failed(WebSocketFailure::idle_frames), 1u);
    EXPECT_LE(pair.at_client.received.size(), 2u * 210 + 120) << "answered no more than was allowed";
  }
}

TEST(WebSocketStream, BytesThatCameWithTheHandshakeComeFirst) {
  WebSocketPair::Options options = raw();
  const std::string first = frame(0x82, "first");
  options.early = first.substr(0, 8);
  WebSocketPair pair(9, options);
  pair.client->write(first.substr(8) + frame(0x82, " second"));
  ASSERT_TRUE(pair.until([&] { return pair.at_server.received == "first second"; }));
}

TEST(WebSocketStream, SharedBytesAreAFrameOfTheirOwn) {
  WebSocketPair pair(10, raw());
  ASSERT_TRUE(pair.until([&] { return pair.server != nullptr; }));
  auto* shared = new SharedBytes;
  shared->text = pattern(5000);
  const SharedBytesRef bytes(shared);
  pair.server->write("before");
  pair.server->write_shared(bytes);
  pair.server->write("behind");
  const std::string expected = bytes_of({0x82, "before", false}) + bytes_of({0x82, bytes->text, false}) + bytes_of({0x82, "behind", false});
  ASSERT_TRUE(pair.until([&] { return pair.at_client.received.size() >= expected.size(); }));
  EXPECT_EQ(pair.at_client.received, expected);
}

TEST(WebSocketStream, HasRoomAsTheStreamBeneath) {
  WebSocketPair::Options options;
  options.stream.output_high_bytes = 100'000;
  options.stream.output_low_bytes = 20'000;
  WebSocketPair pair(11, options);
  ASSERT_TRUE(pair.until([&] { return pair.server != nullptr; }));
  pair.client->pause_reading();
  while (pair.server->writable()) pair.server->write(pattern(1000));
  pair.world.run_for(100);
  while (pair.server->writable()) pair.server->write(pattern(1000));
  EXPECT_GT(pair.server->output_bytes(), 100'000u);
  pair.client->resume_reading();
  ASSERT_TRUE(pair.until([&] { return pair.at_server.writable != 0; }));
  EXPECT_TRUE(pair.server->writable());
}

// It moves while a message is under way, and while what came behind has not been looked at.
TEST(WebSocketStream, MovesToAnotherCoreWithWhatWasNotHandedOver) {
  WebSocketPair pair(12, raw());
  SimStreamFactory factory(pair.world.loop(1));
  WebSocketStreamFactory websockets(pair.other_core, factory);
  std::unique_ptr<DetachedStream> moving;
  bool moved = false;
  pair.at_server.data = [&](std::string_view) {
    if (std::exchange(moved, true)) return;
    moving = pair.server->detach();
    ASSERT_NE(moving, nullptr);
    pair.world.loop(0).post(1, [&] {
      pair.server = websockets.attach(std::move(moving));
      pair.server->set_handler(&pair.at_server);
    });
  };
  const std::string big = pattern(150'000);
  const std::string bytes = frame(0x02, "begun ") + frame(0x80, big) + frame(0x89, "x");
  pair.client->write(bytes);
  ASSERT_TRUE(pair.until([&] { return pair.at_client.received == bytes_of({0x8A, "x", false}); }));
  EXPECT_TRUE(pair.at_server.received == "begun " + big);
  pair.server->write("from there");
  ASSERT_TRUE(pair.until([&] { return pair.at_client.received.ends_with("from there"); }));
  EXPECT_EQ(pair.core.counters().connections.get() + pair.other_core.counters().connections.get(), 1u);
}

TEST(WebSocketStream, HandsOverWhatWasWrittenWhateverTheNetworkDoes) {
  uint64_t ended = 0;
  for (uint64_t seed = 100; seed < 300; ++seed) {
    WebSocketPair::Options options;
    options.faults = SimFaults::harsh();
    options.stream.output_high_bytes = 20'000;
    options.stream.output_low_bytes = 5'000;
    WebSocketPair pair(seed, options);
    std::mt19937 random(static_cast<uint32_t>(seed));
    std::string to_server, to_client;
    for (int turn = 0; turn < 60 && !pair.at_client.closed && !pair.at_server.closed; ++turn) {
      const auto say = [&random](Stream& stream, std::string& said) {
        for (unsigned writes = random() % 4; writes != 0 && stream.writable(); --writes) {
          const std::string bytes = pattern(random() % (random() % 8 == 0 ? 70'000 : 300));
          stream.write(bytes);
          said += bytes;
        }
      };
      say(*pair.client, to_server);
      if (pair.server) say(*pair.server, to_client);
      pair.world.run_for(random() % 20);
    }
    if (!pair.at_client.closed && pair.server && !pair.at_server.closed) {
      pair.until([&] { return pair.at_client.closed || pair.at_server.closed || (pair.at_server.received.size() == to_server.size() && pair.at_client.received.size() == to_client.size()); }, 20'000);
    }
    ASSERT_TRUE(to_server.starts_with(pair.at_server.received)) << seed;
    ASSERT_TRUE(to_client.starts_with(pair.at_client.received)) << seed;
    const bool broken = pair.at_client.closed || pair.at_server.closed;
    ended += broken ? 1 : 0;
    if (broken || !pair.server) continue;
    EXPECT_EQ(pair.at_server.received.size() + pair.at_client.received.size(), to_server.size() + to_client.size()) << seed;
  }
  EXPECT_GT(ended, 0u);
  EXPECT_LT(ended, 200u);
}

}  // namespace
}  // namespace arena::net
