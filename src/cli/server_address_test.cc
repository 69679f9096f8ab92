// Goal: what people write as a server is understood, or told to be none.
#include "cli/server_address.h"

#include <gtest/gtest.h>

namespace arena::cli {
namespace {

std::string told(std::string_view text) {
  const auto address = server_address_of(text);
  if (!address) return "bad";
  return address->host + " " + std::to_string(address->port) + (address->tls ? " tls" : "") + " " + address->websocket_path;
}

TEST(ServerAddress, NamesAddressesAndUrls) {
  EXPECT_EQ(told("arena.example"), "arena.example 0 ");
  EXPECT_EQ(told("::1"), "::1 0 ");
  EXPECT_EQ(told("ws://arena.example"), "arena.example 80 /mqtt");
  EXPECT_EQ(told("ws://127.0.0.1:8080/"), "127.0.0.1 8080 /");
  EXPECT_EQ(told("wss://arena.example/a/b?c"), "arena.example 443 tls /a/b?c");
  EXPECT_EQ(told("wss://[::1]:8443/mqtt"), "::1 8443 tls /mqtt");
  for (const char* bad : {"ws://", "ws://:80", "ws://a:0", "ws://a:x", "ws://a:70000", "ws://a:", "ws://a b/", "ws://a/\r\n"}) EXPECT_EQ(told(bad), "bad") << bad;
}

}  // namespace
}  // namespace arena::cli
