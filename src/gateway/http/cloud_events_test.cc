// Goal: an event is the same message in whatever mode it came, and what is wrong with it is named.
#include "gateway/http/cloud_events.h"

#include <nlohmann/json.hpp>

#include "gateway/http/latest.h"
#include "gateway/http/test_web.h"

namespace arena::gateway::http::test {
namespace {

using nlohmann::json;

constexpr const char* kFields = "ce-specversion: 1.0\r\nce-id: 7\r\nce-source: /shop\r\nce-type: made\r\n";

class HttpCloudEvents : public testing::Test {
 protected:
  void SetUp() override {
    add_latest_routes(world.door, publishers);
    add_topic_routes(world.door, publishers);
  }
  Answer post(const std::string& target, const std::string& body, const std::string& fields) {
    return browser.ask("POST " + target + " HTTP/1.1\r\nHost: localhost\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" + fields + "\r\n" + body);
  }
  Answer structured(const json& event, const std::string& query = "?retain=true") {
    return post("/v1/topics/a" + query, event.dump(), "Content-Type: application/cloudevents+json; charset=utf-8\r\n");
  }
  json latest(const std::string& topic = "a") { return json::parse(browser.get("/v1/topics/" + topic + "/latest?format=json").body); }
  // Status, code, and what was wrong.
  static std::string fault(const Answer& answer) {
    const json body = json::parse(answer.body, nullptr, false);
    return std::to_string(answer.status) + " " + body.value("code", "") + " " + body.value("pointer", body.value("header", ""));
  }

  WebWorld world;
  Publishers publishers{world.loop(), world.broker.shard(0)};
  Browser browser{world};
};

TEST_F(HttpCloudEvents, AreTheSameMessageInEachMode) {
  const json event = {{"specversion", "1.0"}, {"id", "7"}, {"source", "/shop"}, {"type", "made"}, {"datacontenttype", "application/json"}, {"data", {{"total", 12}}}};
  ASSERT_EQ(post("/v1/topics/a?retain=true", "{\"total\":12}", std::string(kFields) + "Content-Type: application/json\r\n").status, 200);
  json binary = latest();
  ASSERT_EQ(structured(event).status, 200);
  json whole = latest();
  ASSERT_EQ(post("/v1/topics/a?retain=true", json::array({event}).dump(), "Content-Type: application/cloudevents-batch+json\r\n").status, 200);
  json batched = latest();
  EXPECT_EQ(binary["payload"], "{\"total\":12}");
  EXPECT_EQ(binary["content_type"], "application/json");
  EXPECT_EQ(binary["headers"], (json{{"specversion", "1.0"}, {"id", "7"}, {"source", "/shop"}, {"type", "made"}}));
  for (json* one : {&binary, &whole, &batched}) {
    one->erase("id");
    one->erase("time");
  }
  EXPECT_EQ(whole, binary);
  EXPECT_EQ(batched, binary);
}

TEST_F(HttpCloudEvents, DataIsWhatItSaysItIs) {
  json event = {{"specversion", "1.0"}, {"id", "7"}, {"source", "s"}, {"type", "t"}, {"count", 3}, {"is", true}, {"none", nullptr}};
  ASSERT_EQ(structured(event, "").status, 200) << "without data";
  event["data"] = "text";
  ASSERT_EQ(structured(event).status, 200);
  EXPECT_EQ(latest()["payload"], "\"text\"") << "JSON, as nothing else is said";
  EXPECT_EQ(latest()["content_type"], "application/json");
  EXPECT_EQ(latest()["headers"]["count"], "3");
  EXPECT_EQ(latest()["headers"]["is"], "true");
  EXPECT_FALSE(latest()["headers"].contains("none"));
  event["datacontenttype"] = "text/plain";
  ASSERT_EQ(structured(event).status, 200);
  EXPECT_EQ(latest()["payload"], "text");
  event.erase("data");
  event["data_base64"] = "AP8=";
  ASSERT_EQ(structured(event).status, 200);
  EXPECT_EQ(latest()["payload"], "AP8=");
  EXPECT_EQ(latest()["encoding"], "base64");
  ASSERT_EQ(post("/v1/topics/a?retain=true", "x", std::string(kFields) + "ce-subject: caf%C3%A9%20%25\r\n").status, 200);
  EXPECT_EQ(latest()["headers"]["subject"], "café %");
}

TEST_F(HttpCloudEvents, CarryWhatAPublishHas) {
  const json event = {{"specversion", "1.0"}, {"id", "7"}, {"source", "s"}, {"type", "t"}, {"traceparent", "own"}, {"data", 1}};
  const std::string fields = "Content-Type: application/cloudevents+json\r\ntraceparent: theirs\r\ntracestate: x\r\nArena-Header: a=b\r\n";
  ASSERT_EQ(post("/v1/topics/a?retain=true&expiry_s=5", event.dump(), fields).status, 200);
  const json headers = latest()["headers"];
  EXPECT_EQ(headers["traceparent"], "own");
  EXPECT_EQ(headers["tracestate"], "x");
  EXPECT_EQ(headers["a"], "b");
  world.broker.run_ms(6000);
  EXPECT_EQ(browser.get("/v1/topics/a/latest").status, 404);
}

TEST_F(HttpCloudEvents, AreTakenOnceBySourceAndId) {
  json event = {{"specversion", "1.0"}, {"id", "7"}, {"source", "s"}, {"type", "t"}, {"data", 1}};
  EXPECT_FALSE(json::parse(structured(event, "?guarantee=exactly_once").body).contains("duplicate"));
  EXPECT_EQ(json::parse(structured(event, "?guarantee=exactly_once").body)["duplicate"], true);
  const Answer batch = post("/v1/topics/a?guarantee=exactly_once", json::array({event}).dump(), "Content-Type: application/cloudevents-batch+json\r\n");
  EXPECT_EQ(json::parse(batch.body)["results"][0]["duplicate"], true) << batch.body;
  event["source"] = "other";
  EXPECT_FALSE(json::parse(structured(event, "?guarantee=exactly_once").body).contains("duplicate"));
  event["data"] = 2;
  EXPECT_EQ(structured(event, "?guarantee=exactly_once").status, 422) << "something else under the same id";
  EXPECT_FALSE(json::parse(structured(event, "").body).contains("duplicate")) << "not asked for";
}

TEST_F(HttpCloudEvents, OfABatchEachStandsForItself) {
  const json good = {{"specversion", "1.0"}, {"id", "7"}, {"source", "s"}, {"type", "t"}};
  json bad = good;
  bad.erase("source");
  const Answer answer = post("/v1/topics/a", json::array({good, bad, 5, good}).dump(), "Content-Type: application/cloudevents-batch+json\r\n");
  ASSERT_EQ(answer.status, 200);
  const json result = json::parse(answer.body);
  EXPECT_EQ(result["failed"], 2);
  EXPECT_EQ(result["results"][0]["status"], 200);
  EXPECT_EQ(result["results"][1]["pointer"], "/source");
  EXPECT_EQ(result["results"][2]["code"], "bad_item");
  EXPECT_EQ(result["results"][3]["status"], 200);
  EXPECT_EQ(fault(post("/v1/topics/a", "{}", "Content-Type: application/cloudevents-batch+json\r\n")), "400 bad_json ");
  EXPECT_EQ(fault(post("/v1/topics/a", "[]", "Content-Type: application/cloudevents-batch+json\r\nIdempotency-Key: a\r\n")), "400 bad_id idempotency-key");
  EXPECT_EQ(fault(post("/v1/topics/a/%23", "[]", "Content-Type: application/cloudevents-batch+json\r\n")), "400 bad_topic ");
}

TEST_F(HttpCloudEvents, NameWhatIsWrong) {
  const auto binary = [this](const std::string& fields) { return fault(post("/v1/topics/a", "x", fields)); };
  EXPECT_EQ(binary("ce-specversion: 1.0\r\nce-id: 7\r\nce-source: s\r\n"), "422 bad_attribute ce-type");
  EXPECT_EQ(binary("ce-specversion: 0.3\r\nce-id: 7\r\nce-source: s\r\nce-type: t\r\n"), "422 bad_attribute ce-specversion");
  EXPECT_EQ(binary(std::string(kFields) + "ce-id: 8\r\n"), "422 bad_attribute ce-id");
  EXPECT_EQ(binary(std::string(kFields) + "ce-a_b: 8\r\n"), "422 bad_attribute ce-a_b");
  EXPECT_EQ(binary(std::string(kFields) + "ce-a: x%0Ay\r\n"), "422 bad_attribute ce-a");
  EXPECT_EQ(binary(std::string(kFields) + "ce-a: x%C2%85y\r\n"), "422 bad_attribute ce-a");
  EXPECT_EQ(binary(std::string(kFields) + "ce-a: x%C2%A0y\r\n"), "200  ") << "a space that does not break is no control character";
  EXPECT_EQ(binary(std::string(kFields) + "ce-a: %\r\n"), "422 bad_attribute ce-a");
  EXPECT_EQ(binary(std::string(kFields) + "ce-datacontenttype: text/plain\r\n"), "422 bad_attribute ce-datacontenttype");
  EXPECT_EQ(binary("Content-Type: application/cloudevents+avro\r\n"), "415 bad_content_type content-type");
  EXPECT_EQ(binary("Content-Type: application/cloudevents+json\r\n"), "400 bad_json ");
  const json good = {{"specversion", "1.0"}, {"id", "7"}, {"source", "s"}, {"type", "t"}};
  for (const auto& [name, value] : std::vector<std::pair<std::string, json>>{{"id", ""}, {"id", 1.5}, {"id", 7}, {"subject", true}, {"Upper", "a"}, {"list", json::array()}, {"specversion", "1"}, {"datacontenttype", "a/\u0084"}}) {
    json bad = good;
    bad[name] = value;
    EXPECT_EQ(fault(structured(bad)), "422 bad_attribute /" + name);
  }
  json both = good;
  both["data"] = 1;
  both["data_base64"] = "AA==";
  EXPECT_EQ(fault(structured(both)), "422 bad_field /data_base64");
  EXPECT_EQ(fault(post("/v1/topics/a", std::string(100'000, '['), "Content-Type: application/cloudevents+json\r\n")), "400 bad_json ");
}

}  // namespace
}  // namespace arena::gateway::http::test
