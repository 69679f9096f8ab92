// Goal: the echo says what it is told, compressed as it came, within its limits, and reads no more than it can say.
#include "gateway/http/echo.h"

#include <algorithm>

#include "codec/websocket/test_frames.h"
#include "gateway/http/test_web.h"

namespace arena::gateway::http::test {
namespace {

using websocket::test::bytes_of;

struct EchoWorld : WebWorld {
  explicit EchoWorld(uint64_t bytes_max = 1 << 20) {
    limits.inflate.bytes_max = bytes_max;
    door.router().add({"GET", "/echo", Access::identified, [this](const ExchangeRef& exchange) { echoes.answer(exchange); }});
  }
  websocket::MessageLimits limits;
  Echoes echoes{loop(), limits};
};

struct EchoClient : Browser {
  explicit EchoClient(EchoWorld& world, const std::string& fields = {}) : Browser(world) {
    head = get("/echo", "Upgrade: websocket\r\nConnection: upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" + fields).head;
  }
  std::string ask_frame(unsigned first, const std::string& payload) {
    bytes(bytes_of({first, payload}));
    return std::exchange(received(), {});
  }
  std::string head;
};

TEST(Echo, SaysWhatItIsTold) {
  EchoWorld world;
  EchoClient client(world);
  EXPECT_EQ(client.ask_frame(0x81, "hello"), bytes_of({0x81, "hello", false}));
  EXPECT_EQ(client.ask_frame(0x82, std::string(70'000, 'x')), bytes_of({0x82, std::string(70'000, 'x'), false}));
  EXPECT_EQ(client.ask_frame(0x89, "ping"), bytes_of({0x8A, "ping", false}));
  EXPECT_EQ(client.ask_frame(0x88, std::string("\x03\xE8", 2)), bytes_of({0x88, std::string("\x03\xE8", 2), false}));
  EXPECT_TRUE(client.closed());
  world.broker.run_ms(10);
  EXPECT_EQ(world.echoes.connections(), 0u);
  EXPECT_EQ(world.admission.connections(), 0u);
}

TEST(Echo, CompressesAsItCame) {
  EchoWorld world;
  EchoClient client(world, "Sec-WebSocket-Extensions: permessage-deflate\r\n");
  EXPECT_NE(client.head.find("permessage-deflate; server_no_context_takeover; client_no_context_takeover"), std::string::npos) << client.head;
  std::string compressed;
  websocket::Deflater({15}).deflate("hello hello hello", compressed);
  EXPECT_EQ(client.ask_frame(0xC1, compressed), bytes_of({0xC1, compressed, false}));
  EXPECT_EQ(client.ask_frame(0x81, "plain"), bytes_of({0x81, "plain", false}));
}

TEST(Echo, KeepsItsLimits) {
  EchoWorld world(1000);
  EchoClient client(world);
  EXPECT_EQ(client.ask_frame(0x82, std::string(1001, 'x')).substr(2, 2), "\x03\xF1");
  EXPECT_TRUE(client.closed());
  EchoClient uncompressed(world);
  EXPECT_EQ(uncompressed.ask_frame(0xC1, "x").substr(2, 2), "\x03\xEA") << "nobody agreed to that";
}

TEST(Echo, SaysGoodbyeWhenTheServerEnds) {
  EchoWorld world;
  EchoClient client(world);
  world.echoes.shut();
  EXPECT_TRUE(client.closed());
  EXPECT_EQ(client.received().substr(2, 2), "\x03\xE9");
}

}  // namespace
}  // namespace arena::gateway::http::test
