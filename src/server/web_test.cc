// Goal: what the OpenAPI document says can be asked is what the server answers, all of it and nothing else.
#include "server/web.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>

#include "gateway/http/test_web.h"
#include "server/api/operations.h"
#include "server/pages.h"

namespace arena::server {
namespace {

using nlohmann::json;
namespace web = gateway::http;

class Nobody final : public web::AnswerSink {
 public:
  void on_answer(web::Exchange&, web::Response) override {}
  void on_begin(web::Exchange&, web::Response) override {}
  void on_write(web::Exchange&, std::string_view) override {}
  void on_end(web::Exchange&) override {}
  bool can_write(const web::Exchange&) const override { return false; }
  void on_abandon(web::Exchange&) override {}
};

class WebRoutes : public testing::Test {
 protected:
  void SetUp() override {
    add_web_routes(world.door, {world.loop(), shard, api, publishers, events, requests, tickets, {}, output, failed});
  }

  web::test::WebWorld world;
  broker::Shard& shard = world.broker.shard(0);
  Api api{shard, {}};
  web::EventSeats seats;
  web::Publishers publishers{world.loop(), shard};
  web::Events events{world.door, shard, seats};
  web::Requests requests{world.door, shard, publishers, seats};
  access::Tickets tickets;
  net::OutputBudget output{1 << 20};
  std::atomic<bool> failed{false};
};

TEST_F(WebRoutes, AreThoseOfTheTable) {
  std::set<std::pair<std::string, std::string>> routed, told;
  std::set<std::string_view> ids;
  for (const web::Route& route : world.door.router().routes()) {
    EXPECT_TRUE(routed.emplace(route.method, route.pattern).second) << "twice: " << route.method << " " << route.pattern;
  }
  for (const Operation& operation : operations()) {
    EXPECT_TRUE(told.emplace(operation.method, operation.path).second) << "twice: " << operation.path;
    EXPECT_TRUE(ids.insert(operation.id).second) << "twice: " << operation.id;
  }
  EXPECT_EQ(routed, told);
}

TEST_F(WebRoutes, LeadWhereTheTableSays) {
  for (const Operation& operation : operations()) {
    std::string path(operation.path);
    for (std::size_t open = path.find('{'); open != std::string::npos; open = path.find('{')) path.replace(open, path.find('}') + 1 - open, "a");
    Nobody nobody;
    web::Exchange exchange(nobody, {}, "x");
    exchange.request.method = operation.method;
    exchange.request.path = path;
    const web::Router::Found found = world.door.router().find(exchange);
    ASSERT_NE(found.route, nullptr) << operation.method << " " << path;
    EXPECT_EQ(found.route->pattern, operation.path) << operation.method << " " << path;
    EXPECT_EQ(found.route->access == web::Access::open, operation.open) << path;
  }
}

// All that "$ref" in `part` names.
void collect(const json& part, std::set<std::string>& refs) {
  if (part.is_object() && part.contains("$ref")) refs.insert(part["$ref"]);
  if (!part.is_structured()) return;
  for (const json& inner : part) collect(inner, refs);
}

TEST_F(WebRoutes, AreADocumentWithoutLooseEnds) {
  const json document = json::parse(openapi_json("1.2.3"));
  EXPECT_EQ(document["openapi"], "3.1.0");
  EXPECT_EQ(document["info"]["version"], "1.2.3");
  std::set<std::string> refs;
  collect(document, refs);
  EXPECT_GT(refs.size(), 40u);
  for (const std::string& ref : refs) EXPECT_TRUE(document.contains(json::json_pointer(ref.substr(1)))) << ref;
  for (const char* kind : {"parameters", "requestBodies", "responses", "schemas"}) {
    for (const auto& [name, part] : document["components"][kind].items()) EXPECT_TRUE(refs.contains("#/components/" + std::string(kind) + "/" + name)) << "nobody uses " << name;
  }
  for (const auto& [path, item] : document["paths"].items()) {
    for (const auto& [method, operation] : item.items()) {
      std::set<std::string> in_path;
      for (const json& parameter : operation.value("parameters", json::array())) {
        const json& resolved = document[json::json_pointer(parameter["$ref"].get<std::string>().substr(1))];
        if (resolved["in"] == "path") in_path.insert("{" + resolved["name"].get<std::string>() + "}");
      }
      for (const std::string& name : in_path) EXPECT_NE(path.find(name), std::string::npos) << method << " " << path << name;
      EXPECT_EQ(in_path.size(), static_cast<std::size_t>(std::count(path.begin(), path.end(), '{'))) << method << " " << path;
    }
  }
}

TEST_F(WebRoutes, ArePagesToRead) {
  web::test::Browser browser(world);
  const web::test::Answer docs = browser.get("/docs");
  EXPECT_EQ(docs.status, 200);
  for (const Operation& operation : operations()) EXPECT_NE(docs.body.find(operation.summary), std::string::npos) << operation.summary;
  EXPECT_NE(docs.head.find("content-security-policy: default-src 'none'; style-src 'self'"), std::string::npos) << docs.head;
  EXPECT_EQ(browser.get("/style.css").status, 200);
  EXPECT_EQ(json::parse(browser.get("/openapi.json").body)["openapi"], "3.1.0");
  EXPECT_NE(browser.get("/").body.find("/docs"), std::string::npos);
  EXPECT_EQ(json::parse(browser.get("/v1/info").body)["level"], "memory");
}

TEST_F(WebRoutes, LinkOnePageToTheNext) {
  broker::test::Peer source(world.broker, "source");
  ASSERT_TRUE(source.connect());
  for (int i = 0; i < 3; ++i) source.publish("a/" + std::to_string(i), "x", Guarantee::at_least_once, true);
  web::test::Browser browser(world);
  const web::test::Answer first = browser.get("/v1/retained?after=YQ==&limit=2&topic=a/%23");
  const std::size_t at = first.head.find("link: </v1/retained?limit=2&topic=a/%23&after=");
  ASSERT_NE(at, std::string::npos) << first.head;
  EXPECT_NE(first.head.find(">; rel=\"next\"\r\n"), std::string::npos);
  const std::string target = first.head.substr(at + 7, first.head.find('>', at) - at - 7);
  const web::test::Answer last = browser.get(target);
  EXPECT_EQ(json::parse(last.body)["items"].size(), 1u);
  EXPECT_EQ(last.head.find("link:"), std::string::npos);
}

TEST_F(WebRoutes, OfTheMachinesOperatorHaveNoPath) {
  web::test::Browser browser(world);
  EXPECT_EQ(browser.ask("POST /v1/store/checkpoints HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n").status, 404);
}

}  // namespace
}  // namespace arena::server
