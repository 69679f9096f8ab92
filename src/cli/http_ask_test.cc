// Goal: a URL is taken apart as it is meant, or refused.
#include "cli/http_ask.h"

#include <gtest/gtest.h>

namespace arena::cli {
namespace {

TEST(HttpAsk, ReadsUrls) {
  struct Case {
    const char* url;
    bool tls;
    const char* host;
    const char* port;
  };
  for (const Case& one : {Case{"http://127.0.0.1:8080", false, "127.0.0.1", "8080"}, Case{"https://broker.example/", true, "broker.example", "443"},
                          Case{"http://a", false, "a", "80"}, Case{"http://[::1]:8080", false, "::1", "8080"}, Case{"https://[::1]", true, "::1", "443"}}) {
    const auto parts = parse_url(one.url);
    ASSERT_TRUE(parts) << one.url;
    EXPECT_EQ(parts->tls, one.tls) << one.url;
    EXPECT_EQ(parts->host, one.host) << one.url;
    EXPECT_EQ(parts->port, one.port) << one.url;
  }
  for (const char* bad : {"", "a", "ftp://a", "http://", "http://a:", "http://a:x", "http://a:123456", "http://a/b", "http://user@a", "http://a b", "http://[::1"}) EXPECT_FALSE(parse_url(bad)) << bad;
}

TEST(HttpAsk, SaysThatNobodyIsThere) {
  HttpTarget target;
  target.url = "http://127.0.0.1:1";
  const auto answer = ask_http(target, {"GET", "/livez", "", ""});
  ASSERT_FALSE(answer);
  EXPECT_FALSE(answer.error().reached);
  EXPECT_NE(answer.error().reason.find("127.0.0.1:1"), std::string::npos) << answer.error().reason;
}

}  // namespace
}  // namespace arena::cli
