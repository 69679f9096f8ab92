// Goal: a connection leaves HTTP for WebSocket exactly when the handshake is right, with every byte that came behind it, and
// is an ordinary one otherwise.
#include "gateway/http/upgrade.h"

#include <array>

#include "gateway/http/test_web.h"

namespace arena::gateway::http::test {
namespace {

constexpr std::array<std::string_view, 2> kOurs = {"mqtt", "mqttv3.1"};

constexpr std::string_view kRequest =
    "GET /socket HTTP/1.1\r\nHost: localhost:8080\r\nUpgrade: WebSocket\r\nConnection: keep-alive, Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n";

std::string with(std::string_view what, std::string_view instead) {
  std::string out(kRequest);
  out.replace(out.find(what), what.size(), instead);
  return out;
}

struct UpgradeWorld : WebWorld {
  explicit UpgradeWorld(Options options = {}) : WebWorld(std::move(options)) {
    add_routes();
    door.router().add({"GET", "/socket", Access::page, [this](const ExchangeRef& exchange) { take(exchange); }});
    door.router().add({"GET", "/later-socket", Access::page, [this](const ExchangeRef& exchange) { waiting.push_back(exchange); }});
    door.router().add({"GET", "/any", Access::page, [this](const ExchangeRef& exchange) {
                         answer_upgrade(exchange, {.compress = true}, [this](Upgraded it, const WebSocketAgreement& with) { keep(std::move(it), with); });
                       }});
  }
  void take(const ExchangeRef& exchange) {
    answer_upgrade(exchange, {.subprotocols = kOurs}, [this](Upgraded it, const WebSocketAgreement& with) { keep(std::move(it), with); });
  }
  void keep(Upgraded it, const WebSocketAgreement& with) {
    upgraded = std::move(it);
    upgraded.stream->set_handler(&heard);
    agreed = with;
  }

  struct Heard : net::StreamHandler {
    void on_data(std::string_view bytes) override { received += bytes; }
    void on_writable() override {}
    void on_closed(net::CloseReason) override {}
    std::string received;
  } heard;
  Upgraded upgraded;
  WebSocketAgreement agreed;
};

TEST(HttpUpgrade, ARightHandshakeGetsTheConnection) {
  UpgradeWorld world;
  Browser browser(world);
  const Answer answer = browser.ask(std::string(kRequest) + "first bytes");
  EXPECT_EQ(answer.status, 101);
  EXPECT_NE(answer.head.find("\r\nsec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"), std::string::npos) << answer.head;
  EXPECT_NE(answer.head.find("\r\nsec-websocket-protocol: mqtt\r\n"), std::string::npos);
  EXPECT_NE(answer.head.find("\r\nupgrade: websocket\r\n"), std::string::npos);
  EXPECT_NE(answer.head.find("\r\nconnection: upgrade\r\n"), std::string::npos);
  EXPECT_EQ(answer.head.find("content-length"), std::string::npos);
  ASSERT_NE(world.upgraded.stream, nullptr);
  EXPECT_EQ(world.upgraded.early, "first bytes");
  EXPECT_EQ(world.agreed.subprotocol, "mqtt");
  EXPECT_TRUE(world.agreed.trust_loopback);
  world.broker.run_ms(10);
  EXPECT_EQ(world.door.connections(), 0u);
  EXPECT_EQ(world.admission.connections(), 1u) << "its seat is kept";
  world.upgraded = {};
  EXPECT_EQ(world.admission.connections(), 0u);
}

// [5 MQTT-6.0.0-3] [3.1.1 MQTT-6.0.0-3]: who does not offer it is told.
TEST(HttpUpgrade, AWrongOneIsAnsweredAndTheConnectionStays) {
  const std::pair<std::string, int> cases[] = {
      {with("Upgrade: WebSocket\r\n", ""), 426},
      {with("Upgrade: WebSocket", "Upgrade: h2c"), 426},
      {with("keep-alive, Upgrade", "keep-alive"), 426},
      {with("Version: 13", "Version: 8"), 426},
      {with("Sec-WebSocket-Version: 13\r\n", ""), 426},
      {with("dGhlIHNhbXBsZSBub25jZQ==", "c2hvcnQ="), 400},
      {with("Protocol: mqtt", "Protocol: other"), 400},
      {with("Sec-WebSocket-Protocol: mqtt\r\n", ""), 400},
      {with("GET", "POST"), 405},
      {with("/socket", "/nowhere"), 404},
  };
  for (const auto& [request, status] : cases) {
    UpgradeWorld world;
    Browser browser(world);
    EXPECT_EQ(browser.ask(request).status, status) << request;
    EXPECT_EQ(world.upgraded.stream, nullptr);
    EXPECT_EQ(browser.get("/now").status, 200) << request;
  }
  UpgradeWorld world;
  Browser old(world), ending(world);
  EXPECT_EQ(old.ask(with("HTTP/1.1", "HTTP/1.0")).status, 426);
  EXPECT_EQ(ending.ask(with("keep-alive, Upgrade", "close, Upgrade")).status, 426);
}

TEST(HttpUpgrade, TellsTheVersionThatItSpeaks) {
  UpgradeWorld world;
  Browser browser(world);
  EXPECT_NE(browser.ask(with("Version: 13", "Version: 99")).head.find("sec-websocket-version: 13\r\n"), std::string::npos);
}

TEST(HttpUpgrade, TheClientsFirstSubprotocolCountsAndNoneIsAskedForWhereThereAreNone) {
  UpgradeWorld world;
  Browser first(world);
  EXPECT_NE(first.ask(with("Protocol: mqtt", "Protocol: x, mqttv3.1, mqtt")).head.find("sec-websocket-protocol: mqttv3.1\r\n"), std::string::npos);
  Browser any(world);
  const Answer answer = any.ask(with("/socket", "/any"));
  EXPECT_EQ(answer.status, 101);
  EXPECT_EQ(answer.head.find("sec-websocket-protocol"), std::string::npos);
}

TEST(HttpUpgrade, CompressesWhereThatIsOfferedOnly) {
  UpgradeWorld world;
  const std::string asking = with("Upgrade: WebSocket\r\n", "Upgrade: websocket\r\nSec-WebSocket-Extensions: x\r\nSec-WebSocket-Extensions: permessage-deflate\r\n");
  Browser no(world);
  EXPECT_EQ(no.ask(asking).head.find("sec-websocket-extensions"), std::string::npos);
  EXPECT_FALSE(world.agreed.deflate);
  Browser yes(world);
  std::string any = asking;
  any.replace(any.find("/socket"), 7, "/any");
  EXPECT_NE(yes.ask(any).head.find("\r\nsec-websocket-extensions: permessage-deflate; server_no_context_takeover; client_no_context_takeover\r\n"), std::string::npos);
  EXPECT_TRUE(world.agreed.deflate);
}

TEST(HttpUpgrade, PagesOfStrangersAreRefused) {
  Options options;
  options.origins = {"https://app.example"};
  UpgradeWorld world(options);
  const auto from = [](const char* origin) { return with("Upgrade: WebSocket\r\n", "Upgrade: websocket\r\nOrigin: " + std::string(origin) + "\r\n"); };
  for (const char* good : {"http://localhost:8080", "https://localhost:8080", "https://app.example"}) {
    Browser browser(world);
    EXPECT_EQ(browser.ask(from(good)).status, 101) << good;
  }
  for (const char* bad : {"http://localhost:8081", "http://evil.example", "null", "https://app.example.evil"}) {
    Browser browser(world);
    EXPECT_EQ(browser.ask(from(bad)).status, 403) << bad;
  }
}

TEST(HttpUpgrade, ANameThatAStrangerGaveIsNotThisMachine) {
  UpgradeWorld world;
  Browser browser(world);
  EXPECT_EQ(browser.ask(with("localhost:8080", "rebound.example:8080")).status, 101);
  EXPECT_FALSE(world.agreed.trust_loopback);
}

TEST(HttpUpgrade, WaitsForTheAnswersBeforeItAndForItsOwn) {
  UpgradeWorld world;
  Browser browser(world);
  browser.bytes("GET /later HTTP/1.1\r\nHost: a\r\n\r\n" + with("/socket", "/later-socket") + "early ");
  browser.bytes("and later");
  ASSERT_EQ(world.waiting.size(), 2u);
  world.take(world.waiting[1]);
  EXPECT_EQ(world.upgraded.stream, nullptr);
  EXPECT_EQ(browser.received(), "");
  world.let_answer(0);
  EXPECT_EQ(browser.answer().body, "late");
  EXPECT_EQ(browser.answer().status, 101);
  ASSERT_NE(world.upgraded.stream, nullptr);
  world.broker.run_ms(1);
  EXPECT_EQ(world.upgraded.early + world.heard.received, "early and later");
}

TEST(HttpUpgrade, WhatCameBehindOneThatIsRefusedLaterIsRead) {
  UpgradeWorld world;
  Browser browser(world);
  browser.bytes(with("/socket", "/later-socket") + "GET /now?behind HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(browser.received(), "");
  world.let_answer(0, text_response(403, "no"));
  EXPECT_EQ(browser.answer().status, 403);
  EXPECT_EQ(browser.answer().body, "behind");
}

TEST(HttpUpgrade, AClientThatGoesBeforeItIsAnsweredLeavesNothing) {
  UpgradeWorld world;
  { Browser(world).bytes(with("/socket", "/later-socket")); }
  ASSERT_EQ(world.waiting.size(), 1u);
  world.take(world.waiting[0]);
  EXPECT_EQ(world.upgraded.stream, nullptr);
  EXPECT_EQ(world.admission.connections(), 0u);
}

}  // namespace
}  // namespace arena::gateway::http::test
