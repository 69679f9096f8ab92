// Goal: the fields of an upgrade are read as RFC 6455 says.
#include "codec/websocket/handshake.h"

#include <gtest/gtest.h>

#include <array>

namespace arena::websocket {
namespace {

TEST(WebSocketHandshake, AnswersTheKeyOfTheSpecification) {
  EXPECT_EQ(accept_key("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");  // section 1.3
}

TEST(WebSocketHandshake, AKeyIsSixteenBytes) {
  EXPECT_TRUE(is_key("dGhlIHNhbXBsZSBub25jZQ=="));
  EXPECT_TRUE(is_key(make_key("0123456789abcdef")));
  for (const char* bad : {"", "x", "dGhlIHNhbXBsZSBub25jZQ", "dGhlIHNhbXBsZSBub25j", "dGhlIHNhbXBsZSBub25jZQ=!", "dGhlIHNhbXBsZSBub25jZXg="}) {
    EXPECT_FALSE(is_key(bad)) << bad;
  }
}

TEST(WebSocketHandshake, FindsATokenInAList) {
  EXPECT_TRUE(has_token("Upgrade", "upgrade"));
  EXPECT_TRUE(has_token("keep-alive,\t Upgrade ", "upgrade"));
  EXPECT_FALSE(has_token("keep-alive, upgrades", "upgrade"));
  EXPECT_FALSE(has_token("", "upgrade"));
  EXPECT_FALSE(has_token(",,", "upgrade"));
}

TEST(WebSocketHandshake, AClientKnowsItsAnswer) {
  const std::string key = "dGhlIHNhbXBsZSBub25jZQ==";
  EXPECT_NE(client_request("a:1", "/mqtt", key, "mqtt").find("GET /mqtt HTTP/1.1\r\nHost: a:1\r\n"), std::string::npos);
  const std::string good = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nSec-WebSocket-Accept:  s3pPLMBiTxaQ9kYGzzhZRbK+xOo= \r\nSec-WebSocket-Protocol: mqtt\r\n";
  EXPECT_EQ(refusal_in(good + "\r\n", key, "mqtt"), "");
  EXPECT_NE(refusal_in("HTTP/1.1 404 Not Found\r\n\r\n", key, "mqtt").find("404 Not Found"), std::string::npos);
  EXPECT_NE(refusal_in(good + "\r\n", "x", "mqtt"), "");
  EXPECT_NE(refusal_in(good + "\r\n", key, "other"), "");
  EXPECT_NE(refusal_in(good + "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n", key, "mqtt"), "");
}

TEST(WebSocketHandshake, TakesTheClientsFirstSubprotocolThatIsOurs) {
  constexpr std::array<std::string_view, 2> kOurs = {"mqtt", "mqttv3.1"};
  EXPECT_EQ(choose_subprotocol("mqttv3.1, mqtt", kOurs), "mqttv3.1");
  EXPECT_EQ(choose_subprotocol("other,mqtt", kOurs), "mqtt");
  EXPECT_EQ(choose_subprotocol("MQTT", kOurs), "");
  EXPECT_EQ(choose_subprotocol("", kOurs), "");
}

}  // namespace
}  // namespace arena::websocket
