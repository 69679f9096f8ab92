// Goal: what is published by request is the message that was asked for, once, where its publisher may; and it says where it is.
#include "gateway/http/publish.h"

#include <cstdio>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/base64.h"
#include "gateway/http/batch.h"
#include "gateway/http/test_web.h"

namespace arena::gateway::http::test {
namespace {

using nlohmann::json;

// A subscriber of any other door, with the messages as they are.
class Reader final : public broker::SessionSink {
 public:
  Reader(broker::test::World& world, const std::string& filter) : world_(world) {
    broker::OpenRequest request;
    request.client_id = "reader";
    session_ = world_.home("reader").open(request, *this);
    EXPECT_TRUE(world_.settle([&] { return open_; }));
    session_->start();
    broker::SubscribeRequest wanted;
    wanted.filter = filter;
    wanted.granted = Guarantee::exactly_once;
    session_->subscribe({wanted}, 1);
    EXPECT_TRUE(world_.settle([&] { return subscribed_; }));
  }
  ~Reader() override { session_->detach(broker::DetachKind::clean, std::nullopt); }
  bool wait_for(std::size_t n) { return world_.settle([&] { return got.size() >= n; }); }

  void opened(broker::Session&, bool) override { open_ = true; }
  void open_refused(broker::Outcome) override {}
  broker::DeliverResult deliver(const broker::Delivery& delivery) override {
    got.push_back(delivery.message);
    return broker::DeliverResult::sent;
  }
  bool ready() const override { return true; }
  void release(uint16_t, bool) override {}
  void published(uint64_t, const broker::Receipt&) override {}
  void released(uint64_t, bool) override {}
  void subscribed(uint64_t, std::span<const broker::SubscribeOutcome>) override { subscribed_ = true; }
  void unsubscribed(uint64_t, std::span<const bool>) override {}
  void closed(broker::EndReason) override {}

  std::vector<MessageRef> got;

 private:
  broker::test::World& world_;
  broker::Session* session_ = nullptr;
  bool open_ = false;
  bool subscribed_ = false;
};

class HttpPublish : public testing::Test {
 protected:
  void SetUp() override { add_topic_routes(world.door, publishers); }
  std::pair<int, json> post(const std::string& target, const std::string& body, const std::string& fields = {}) {
    const Answer answer = browser.ask("POST " + target + " HTTP/1.1\r\nHost: localhost\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" + fields + "\r\n" + body);
    return {answer.status, json::parse(answer.body, nullptr, false)};
  }
  static std::string fault(const std::pair<int, json>& answer) {
    const json& body = answer.second;
    return std::to_string(answer.first) + " " + body.value("code", "") + " " + body.value("parameter", body.value("header", body.value("pointer", "")));
  }

  WebWorld world{{}, std::make_shared<const access::AuthSettings>(), 3};
  Publishers publishers{world.loop(), world.broker.shard(0)};
  Browser browser{world};
};

TEST_F(HttpPublish, AMessageArrivesAsItWasAskedFor) {
  Reader reader(world.broker, "orders/#");
  const auto [status, receipt] = post("/v1/topics/orders%2f1/a?expiry_s=60&guarantee=exactly_once", std::string("a\0b", 3),
                                      "Content-Type: text/x\r\nArena-Header: Trace=1=2\r\nArena-Header: b=\r\nArena-Header: c\r\ntraceparent: 00-x\r\nIdempotency-Key: k1\r\n");
  EXPECT_EQ(status, 200) << receipt;
  ASSERT_TRUE(reader.wait_for(1));
  const Message& message = *reader.got[0];
  EXPECT_EQ(message.topic, "orders/1/a");
  EXPECT_EQ(message.payload, std::string("a\0b", 3));
  EXPECT_EQ(message.guarantee, Guarantee::exactly_once);
  EXPECT_EQ(message.expires_ms - message.published_ms, 60'000);
  ASSERT_NE(message.extras, nullptr);
  EXPECT_EQ(message.extras->content_type, "text/x");
  EXPECT_EQ(message.extras->headers, (std::vector<Header>{{"Trace", "1=2"}, {"b", ""}, {"c", ""}, {"traceparent", "00-x"}}));
  char id[40];
  std::snprintf(id, sizeof id, "%016lx%016lx", message.id.high, message.id.low);
  EXPECT_EQ(receipt["id"], id);
  EXPECT_EQ(receipt["level"], "memory");
}

TEST_F(HttpPublish, TheSameUnderAKeyIsNotTheSameWhenItIsToBecomeTheLastValue) {
  ASSERT_TRUE(world.broker.create_stream("orders", {"orders/#"}).ok());
  EXPECT_EQ(post("/v1/topics/orders/1", "x", "Idempotency-Key: k\r\n").first, 200);
  EXPECT_EQ(fault(post("/v1/topics/orders/1?retain=true", "x", "Idempotency-Key: k\r\n")).substr(0, 15), "422 id_conflict");
  EXPECT_EQ(post("/v1/topics/orders/1?retain=true", "x", "Idempotency-Key: l\r\n").first, 200);
  EXPECT_EQ(post("/v1/topics/orders/1?retain=true", "x", "Idempotency-Key: l\r\n").second["duplicate"], true);
}

TEST_F(HttpPublish, AMediaTypeIsOneInAnyCase) {
  Reader reader(world.broker, "#");
  EXPECT_EQ(post("/v1/publish", "{\"topic\":\"a\",\"payload\":1}\n{\"topic\":\"a\",\"payload\":2}\n", "Content-Type: Application/X-NDJSON ; charset=utf-8\r\n").first, 200);
  const std::string event = R"({"specversion":"1.0","id":"1","source":"/s","type":"t","data":7})";
  EXPECT_EQ(post("/v1/topics/a", event, "Content-Type: APPLICATION/CloudEvents+JSON\r\n").first, 200);
  ASSERT_TRUE(reader.wait_for(3));
  EXPECT_EQ(reader.got[2]->payload, "7");
}

TEST_F(HttpPublish, SaysWhereTheMessageIs) {
  ASSERT_TRUE(world.broker.create_stream("orders", {"orders/#"}).ok());
  for (int i = 0; i < 3; ++i) {
    const auto [status, receipt] = post("/v1/topics/orders/1", "x");
    EXPECT_EQ(status, 200);
    EXPECT_TRUE(receipt["position"].get<std::string>().ends_with("." + std::to_string(i))) << receipt;
  }
  EXPECT_FALSE(post("/v1/topics/nobody/reads/this", "x").second.contains("position"));
}

TEST_F(HttpPublish, ARepetitionIsTakenOnceAndAnotherMessageUnderItsKeyIsRefused) {
  ASSERT_TRUE(world.broker.create_stream("orders", {"orders/#"}).ok());
  const auto first = post("/v1/topics/orders/1", "x", "Idempotency-Key: k\r\n");
  const auto again = post("/v1/topics/orders/1", "x", "Idempotency-Key: k\r\n");
  EXPECT_EQ(again.first, 200);
  EXPECT_EQ(again.second["duplicate"], true);
  EXPECT_EQ(again.second["position"], first.second["position"]);
  EXPECT_FALSE(again.second.contains("id"));
  EXPECT_EQ(fault(post("/v1/topics/orders/1", "y", "Idempotency-Key: k\r\n")), "422 id_conflict idempotency-key");
}

TEST_F(HttpPublish, NamesWhatIsWrong) {
  EXPECT_EQ(fault(post("/v1/topics/a/+", "x")), "400 bad_topic ");
  EXPECT_EQ(fault(post("/v1/topics/a%00b", "x")), "400 bad_topic ");
  EXPECT_EQ(fault(post("/v1/topics/a?retain=yes", "x")), "400 bad_parameter retain");
  EXPECT_EQ(fault(post("/v1/topics/a?expiry_s=0", "x")), "400 bad_parameter expiry_s");
  EXPECT_EQ(fault(post("/v1/topics/a?expiry_s=-1", "x")), "400 bad_parameter expiry_s");
  EXPECT_EQ(fault(post("/v1/topics/a?guarantee=2", "x")), "400 bad_parameter guarantee");
  EXPECT_EQ(fault(post("/v1/topics/a?qos=2", "x")), "400 unknown_parameter qos");
  EXPECT_EQ(fault(post("/v1/topics/a?x=%", "x")), "400 bad_query ");
  EXPECT_EQ(fault(post("/v1/topics/a?retain=true&expiry_s=1&retain=false", "x")), "400 bad_parameter retain") << "which one?";
  EXPECT_EQ(fault(post("/v1/topics/a?guarantee=exactly_once", "x")), "422 id_needed ");
  EXPECT_EQ(fault(post("/v1/topics/a", "x", "Arena-Header: =x\r\n")), "400 bad_header arena-header");
  EXPECT_EQ(fault(post("/v1/topics/a", "x", "Arena-Header: arena-gap=1\r\n")), "422 reserved_header arena-header");
  EXPECT_EQ(fault(post("/v1/topics/a", "x", "Arena-Retain: 1\r\n")), "400 unknown_header arena-retain");
  EXPECT_EQ(fault(post("/v1/topics/a", "x", "Idempotency-Key: " + std::string(129, 'k') + "\r\n")), "400 bad_id idempotency-key");
  EXPECT_EQ(fault(post("/v1/topics/$SYS/a", "x")), "403 denied ");
  EXPECT_EQ(post("/v1/topics/", "x").first, 404);
}

TEST_F(HttpPublish, APayloadOfJsonIsTheBytesThatWereWritten) {
  Reader reader(world.broker, "b/#");
  const std::string payload = R"({ "price" : 1.10, "n": 123456789012345678901234567890, "e":1e2,
 "s":"\u00e9\/" })";
  EXPECT_EQ(post("/v1/publish", R"([{"topic":"b/1","payload": )" + payload + " }]").first, 200);
  ASSERT_TRUE(reader.wait_for(1));
  EXPECT_EQ(reader.got[0]->payload, payload);
  EXPECT_EQ(reader.got[0]->extras->content_type, "application/json");
}

TEST_F(HttpPublish, WhatTwoReadersCouldReadInTwoWaysIsRefused) {
  EXPECT_EQ(fault(post("/v1/publish", R"([{"topic":"a","topic":"b","payload":""}])")), "400 bad_json ");
  EXPECT_EQ(fault(post("/v1/publish", R"([{"topic":"a","payload":{"x":1,"x":2}}])")), "400 bad_json ");
  const auto [status, result] = post("/v1/publish", "{\"topic\":\"a\",\"id\":\"1\",\"id\":\"2\"}\n{\"topic\":\"a\"}", "Content-Type: application/x-ndjson\r\n");
  EXPECT_EQ(result["results"][0]["code"], "bad_json");
  EXPECT_EQ(result["results"][1]["status"], 200);
}

TEST_F(HttpPublish, CurlSaysAFormWhereItWasToldNothing) {
  Reader reader(world.broker, "a");
  EXPECT_EQ(post("/v1/topics/a", "{}", "Content-Type: application/x-www-form-urlencoded\r\n").first, 200);
  ASSERT_TRUE(reader.wait_for(1));
  EXPECT_EQ(reader.got[0]->extras, nullptr);
}

TEST_F(HttpPublish, MayBeForbidden) {
  access::Policy::Options options;
  options.epoch = 2;
  const auto nothing = access::Policy::make({}, options).value();
  for (unsigned core = 0; core < world.broker.cores(); ++core) world.broker.shard(core).set_policy(nothing);
  EXPECT_EQ(fault(post("/v1/topics/t", "x")), "403 denied ");
}

TEST_F(HttpPublish, ABatchIsAnsweredItemByItem) {
  Reader reader(world.broker, "b/#");
  const std::string body = R"([{"topic":"b/1","payload":"text"}, {"topic":"b/2","payload":{"x":[1,null]}}, {"topic":"b/+","payload":""},
    {"topic":"b/3","payload":"AAE=","encoding":"base64","content_type":"x/y","headers":{"a":["1","2"],"b":"3"},"expiry_s":9,"id":"i","guarantee":"exactly_once"}, 7, {"topic":"$SYS/x"}])";
  const auto [status, result] = post("/v1/publish", body);
  EXPECT_EQ(status, 200);
  EXPECT_EQ(result["failed"], 3);
  const json& results = result["results"];
  ASSERT_EQ(results.size(), 6u);
  const int wanted[] = {200, 200, 400, 200, 422, 403};
  for (std::size_t i = 0; i < 6; ++i) EXPECT_EQ(results[i]["status"], wanted[i]) << i;
  EXPECT_EQ(results[2]["pointer"], "/topic");
  ASSERT_TRUE(reader.wait_for(3));
  std::map<std::string, MessageRef> got;
  for (const MessageRef& one : reader.got) got[one->topic] = one;
  EXPECT_EQ(got["b/1"]->payload, "text");
  EXPECT_EQ(got["b/1"]->extras, nullptr);
  EXPECT_EQ(got["b/2"]->payload, R"({"x":[1,null]})");
  EXPECT_EQ(got["b/2"]->extras->content_type, "application/json");
  EXPECT_EQ(got["b/3"]->payload, std::string("\0\1", 2));
  EXPECT_EQ(got["b/3"]->extras->headers, (std::vector<Header>{{"a", "1"}, {"a", "2"}, {"b", "3"}}));
}

TEST_F(HttpPublish, LinesOfJsonAreABatchToo) {
  const std::string body = "{\"topic\":\"a\"}\n\n  \r\n{\"topic\":\r\n{\"topic\":\"b\",\"payload\":\"x\"}";
  const auto [status, result] = post("/v1/publish", body, "Content-Type: application/x-ndjson\r\n");
  EXPECT_EQ(status, 200);
  ASSERT_EQ(result["results"].size(), 3u);
  EXPECT_EQ(result["results"][0]["status"], 200);
  EXPECT_EQ(result["results"][1]["code"], "bad_json");
  EXPECT_EQ(result["results"][2]["status"], 200);
  EXPECT_EQ(post("/v1/publish", "[]").second["results"].size(), 0u);
}

TEST_F(HttpPublish, WhatIsNoBatchIsRefused) {
  EXPECT_EQ(fault(post("/v1/publish", "{}")), "400 bad_json ");
  EXPECT_EQ(fault(post("/v1/publish", "")), "400 bad_json ");
  EXPECT_EQ(fault(post("/v1/publish", std::string(100'000, '['))), "400 bad_json ") << "nested endlessly";
  EXPECT_EQ(fault(post("/v1/publish?x=1", "[]")), "400 unknown_parameter ");
  for (const char* item : {R"({"topic":"a","payload":"!","encoding":"base64"})", R"({"topic":"a","payload":"","encoding":"gzip"})", R"({"topic":"a","encoding":"base64"})",
                           R"({"payload":""})", R"({"topic":1})", R"({"topic":"a","qos":1})", R"({"topic":"a","retain":1})", R"({"topic":"a","expiry_s":-1})",
                           R"({"topic":"a","headers":{"a":1}})", R"({"topic":"a","headers":["a"]})", R"({"topic":"a","headers":{"arena-x":"1"}})", R"({"topic":"a","id":""})"}) {
    EXPECT_EQ(post("/v1/publish", std::string("[") + item + "]").second["failed"], 1) << item;
  }
}

TEST(HttpLimits, MessagesOfABatch) {
  Options options;
  options.batch_max = 2;
  WebWorld world(options);
  Publishers publishers(world.loop(), world.broker.shard(0));
  add_topic_routes(world.door, publishers);
  Browser browser(world);
  const auto post = [&](const std::string& body, const std::string& type) {
    return browser.ask("POST /v1/publish HTTP/1.1\r\nHost: localhost\r\nContent-Type: " + type + "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body).status;
  };
  const std::string one = R"({"topic":"a"})";
  EXPECT_EQ(post("[" + one + "," + one + "]", "application/json"), 200);
  EXPECT_EQ(post("[" + one + "," + one + "," + one + "]", "application/json"), 413);
  EXPECT_EQ(post(one + "\n" + one + "\n" + one, "application/x-ndjson"), 413);
  EXPECT_EQ(world.refused(Refused::batch_too_large), 2u);
}

TEST_F(HttpPublish, ItsSessionIsGoneWhenItHasBeenQuiet) {
  EXPECT_EQ(post("/v1/topics/a", "x").first, 200);
  EXPECT_EQ(publishers.sessions(), 1u);
  EXPECT_EQ(world.broker.sum(&broker::Counters::sessions), 1u);
  world.broker.run_ms(2 * Publishers::kQuietMs + 1);
  EXPECT_EQ(publishers.sessions(), 0u);
  EXPECT_EQ(world.broker.sum(&broker::Counters::sessions), 0u);
  EXPECT_EQ(post("/v1/topics/a", "x").first, 200);
  world.broker.shard(0).kick_all([](const PrincipalView&) { return true; });
  world.broker.run_ms(1);
  EXPECT_EQ(publishers.sessions(), 0u);
  EXPECT_EQ(post("/v1/topics/a", "x").first, 200) << "the next request opens another";
}

TEST_F(HttpPublish, HeadersAreAsManyAsThoseOfMqtt) {
  auto options = std::make_shared<Options>();
  options->messages.headers_max = 3;
  options->messages.header_bytes_max = 10;
  world.door.set_options(options);
  const auto item = [this](const std::string& headers) {
    const auto [status, result] = post("/v1/publish", R"([{"topic":"a","headers":)" + headers + "}]");
    return result["results"][0]["status"].get<int>() == 200 ? "taken" : result["results"][0]["code"].get<std::string>();
  };
  EXPECT_EQ(item(R"({"a":["1","2","3"]})"), "taken");
  EXPECT_EQ(item(R"({"":["","","",""]})"), "too_many_headers") << "nothing is free";
  EXPECT_EQ(item(R"({"a":"123456789"})"), "taken");
  EXPECT_EQ(item(R"({"a":"1234567890"})"), "too_many_headers");
  EXPECT_EQ(fault(post("/v1/topics/a", "x", "Arena-Header: a=1\r\nArena-Header: a=2\r\nArena-Header: a=3\r\ntraceparent: x\r\n")), "422 too_many_headers traceparent");
  EXPECT_EQ(post("/v1/publish", R"([{"topic":"a","content_type":")" + std::string(kContentTypeBytesMax, 't') + "\"}]").second["failed"], 0);
  EXPECT_EQ(post("/v1/publish", R"([{"topic":"a","content_type":")" + std::string(kContentTypeBytesMax + 1, 't') + "\"}]").second["failed"], 1);
}

}  // namespace
}  // namespace arena::gateway::http::test
