// Goal: the last value of a topic is read, set and taken away by request, as far as one may, and is the one that subscribers get.
#include "gateway/http/latest.h"

#include <nlohmann/json.hpp>

#include "gateway/http/message_response.h"
#include "gateway/http/publish.h"
#include "gateway/http/test_web.h"

namespace arena::gateway::http::test {
namespace {

using nlohmann::json;

class HttpLatest : public testing::TestWithParam<unsigned> {
 protected:
  void SetUp() override {
    add_latest_routes(world.door, publishers);
    add_topic_routes(world.door, publishers);
    ASSERT_TRUE(source.connect());
  }
  Answer send(const std::string& method, const std::string& target, const std::string& body = {}, const std::string& fields = {}) {
    return browser.ask(method + " " + target + " HTTP/1.1\r\nHost: localhost\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" + fields + "\r\n" + body);
  }
  void forbid(const std::string& filter, bool publish, bool subscribe) {
    access::Rule rule;
    rule.allow = false;
    rule.publish = publish;
    rule.subscribe = subscribe;
    rule.filter = filter;
    for (unsigned core = 0; core < world.broker.cores(); ++core) {
      world.broker.shard(core).set_policy(access::Policy::make({rule}, {.epoch = 2, .default_allow = true}).value());
    }
  }

  WebWorld world{{}, std::make_shared<const access::AuthSettings>(), GetParam()};
  Publishers publishers{world.loop(), world.broker.shard(0)};
  broker::test::Peer source{world.broker, "source"};
  Browser browser{world};
};

INSTANTIATE_TEST_SUITE_P(Cores, HttpLatest, testing::Values(1U, 3U));

TEST_P(HttpLatest, WhatWasPublishedLastIsGiven) {
  for (const char* topic : {"a/1", "a/2", "a/3", "a"}) {
    source.publish(topic, std::string("first of ") + topic, Guarantee::at_least_once, true);
    source.publish(topic, std::string("last of ") + topic, Guarantee::at_least_once, true);
    source.publish(topic, "not kept", Guarantee::at_least_once);
    const Answer answer = browser.get(std::string("/v1/topics/") + topic + "/latest");
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(answer.body, std::string("last of ") + topic);
    EXPECT_NE(answer.head.find("content-type: application/octet-stream\r\n"), std::string::npos) << answer.head;
  }
  EXPECT_EQ(browser.get("/v1/topics/b/latest").status, 404);
  EXPECT_EQ(browser.get("/v1/topics/a%2Flatest/latest").status, 404);
  EXPECT_EQ(browser.get("/v1/topics/a/%23/latest").status, 400);
  EXPECT_EQ(browser.get("/v1/topics/a/latest?form=json").status, 400);
  EXPECT_EQ(browser.get("/v1/topics/a/latest?format=xml").status, 400);
}

TEST_P(HttpLatest, IsSetWithAllThatAMessageHas) {
  const Answer set = send("PUT", "/v1/topics/a/b/latest?expiry_s=30", "{}", "Content-Type: application/json\r\nArena-Header: Device=7\r\nArena-Header: odd=\xc3\xa9\r\n");
  ASSERT_EQ(set.status, 200) << set.body;
  const std::string id = json::parse(set.body)["id"];
  const Answer raw = browser.get("/v1/topics/a/b/latest");
  EXPECT_EQ(raw.body, "{}");
  for (const std::string field : {"content-type: application/json\r\n", "arena-header: Device=7\r\n"}) {
    EXPECT_NE(raw.head.find(field), std::string::npos) << field << raw.head;
  }
  EXPECT_NE(raw.head.find("arena-id: " + id + "\r\n"), std::string::npos) << raw.head;
  EXPECT_EQ(raw.head.find("odd="), std::string::npos) << "no field of an answer can say it";
  const json message = json::parse(browser.get("/v1/topics/a/b/latest?format=json").body);
  EXPECT_EQ(message["topic"], "a/b");
  EXPECT_EQ(message["id"], id);
  EXPECT_EQ(message["headers"]["odd"], "é");
  world.broker.run_ms(31'000);
  EXPECT_EQ(browser.get("/v1/topics/a/b/latest").status, 404) << "expired";
}

TEST_P(HttpLatest, IsNoTopicToPublishTo) {
  const Answer refused = send("POST", "/v1/topics/a/latest", "x");
  EXPECT_EQ(refused.status, 405);
  EXPECT_NE(refused.head.find("allow: GET, PUT, DELETE\r\n"), std::string::npos) << refused.head;
  EXPECT_EQ(send("POST", "/v1/topics/a%2Flatest?retain=true", "x").status, 200);
  EXPECT_EQ(browser.get("/v1/topics/a%2Flatest/latest").body, "x");
}

TEST_P(HttpLatest, IsTakenAway) {
  EXPECT_EQ(send("PUT", "/v1/topics/a/latest", "x").status, 200);
  EXPECT_EQ(send("PUT", "/v1/topics/a/latest").status, 422) << "an empty one";
  EXPECT_EQ(send("DELETE", "/v1/topics/a/latest", "x").status, 400);
  EXPECT_EQ(browser.get("/v1/topics/a/latest").body, "x");
  EXPECT_EQ(send("DELETE", "/v1/topics/a/latest").status, 200);
  EXPECT_EQ(browser.get("/v1/topics/a/latest").status, 404);
  EXPECT_EQ(send("DELETE", "/v1/topics/a/latest").status, 200) << "as often as one likes";
}

TEST_P(HttpLatest, OnlyWhatOneMay) {
  EXPECT_EQ(send("PUT", "/v1/topics/a/latest", "x").status, 200);
  forbid("a", false, true);
  EXPECT_EQ(browser.get("/v1/topics/a/latest").status, 403);
  forbid("a", true, false);
  EXPECT_EQ(send("PUT", "/v1/topics/a/latest", "y").status, 403);
  EXPECT_EQ(send("DELETE", "/v1/topics/a/latest").status, 403);
  EXPECT_EQ(browser.get("/v1/topics/a/latest").status, 404) << "its publisher might not publish it any more";
}

TEST_P(HttpLatest, NoValueSplitsTheAnswer) {
  auto message = std::make_unique<Message>();
  message->topic = "a";
  message->payload = "x";
  message->retain = true;
  auto extras = std::make_unique<Extras>();
  extras->has_content_type = true;
  extras->content_type = "text/html\r\nSet-Cookie: a=b";
  extras->headers.emplace_back("a", "b\r\nSet-Cookie: a=b");
  message->extras = std::move(extras);
  source.session()->publish(std::move(message), 0, 0);
  world.broker.run_ms(100);
  const Answer answer = browser.get("/v1/topics/a/latest");
  EXPECT_EQ(answer.body, "x");
  EXPECT_EQ(answer.head.find("Set-Cookie"), std::string::npos) << answer.head;
}

TEST_P(HttpLatest, IsGivenThoughAnAnswersFieldsCannotSayAllOfIt) {
  auto extras = std::make_unique<Extras>();
  for (int i = 0; i < 5000; ++i) extras->headers.emplace_back("", "");
  extras->has_content_type = true;
  extras->content_type = std::string(60'000, 't');
  Message message;
  message.payload = "x";
  message.extras = std::move(extras);
  const Response response = as_published(message);
  std::size_t bytes = 0;
  for (const auto& [name, value] : response.fields) bytes += 32 + name.size() + value.size();
  EXPECT_LT(bytes, 10'000u);
  EXPECT_EQ(*arena::http::find_field(response.fields, "content-type"), "application/octet-stream");
}

TEST_P(HttpLatest, AsksNothingTwice) {
  source.publish("a", "x", Guarantee::at_least_once, true);
  EXPECT_EQ(browser.get("/v1/topics/a/latest?format=raw&format=json").status, 400);
}

}  // namespace
}  // namespace arena::gateway::http::test
