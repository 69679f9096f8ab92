// Goal: what operators ask is answered in JSON, and what is wrong with it is named.
#include "server/api/api.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>

#include "broker/test_world.h"

namespace arena::server {
namespace {

using nlohmann::json;

class ApiTest : public testing::TestWithParam<unsigned> {
 protected:
  std::pair<int, json> ask(ApiRequest request) {
    std::optional<ApiResponse> response;
    // Wherever it is asked.
    Api api(world.shard(world.cores() - 1), checkpoint);
    api.handle(std::move(request), [&](ApiResponse got) { response = std::move(got); });
    EXPECT_TRUE(world.settle([&] { return response.has_value(); }));
    return {response->status, json::parse(response->body)};
  }
  std::pair<int, json> get(const std::string& path, const std::string& query = {}) { return ask({"GET", path, query, {}}); }
  std::pair<int, json> post(const json& body) { return ask({"POST", "/v1/streams", {}, body.dump()}); }
  // Status, code, and the field or parameter that was wrong.
  static std::string fault(const std::pair<int, json>& answer) {
    const json& body = answer.second;
    EXPECT_EQ(body.value("status", 0), answer.first);
    EXPECT_FALSE(body.value("title", "").empty());
    EXPECT_FALSE(body.value("detail", "").empty());
    return std::to_string(answer.first) + " " + body.value("code", "") + " " + body.value("pointer", body.value("parameter", ""));
  }
  void publish(int upto) {
    broker::test::Peer source(world, "source");
    ASSERT_TRUE(source.connect());
    for (int i = 0; i < upto; ++i) source.publish("orders/1", std::to_string(i), Guarantee::at_least_once);
  }

  broker::test::World world{GetParam()};
  Api::Checkpoint checkpoint;
};

INSTANTIATE_TEST_SUITE_P(Cores, ApiTest, testing::Values(1U, 3U));

TEST_P(ApiTest, AStreamIsMadeShownEditedPurgedAndRemoved) {
  const auto made = post({{"name", "orders"}, {"filters", {"orders/#"}}, {"max_messages", 100}});
  EXPECT_EQ(made.first, 201);
  EXPECT_EQ(made.second["max_messages"], 100);
  publish(5);
  const auto shown = get("/v1/streams/orders");
  EXPECT_EQ(shown.first, 200);
  EXPECT_EQ(shown.second["messages"], 5);
  EXPECT_EQ(shown.second["full"], false);
  const auto edited = ask({"PATCH", "/v1/streams/orders", {}, R"({"max_age_ms": 60000})"});
  EXPECT_EQ(edited.first, 200);
  EXPECT_EQ(edited.second["max_age_ms"], 60000);
  EXPECT_EQ(edited.second["max_messages"], 100) << "what is not named stays";
  EXPECT_EQ(get("/v1/streams").second["items"].size(), 1u);
  EXPECT_EQ(ask({"POST", "/v1/streams/orders/purge", {}, {}}).first, 200);
  EXPECT_EQ(get("/v1/streams/orders").second["messages"], 0);
  EXPECT_EQ(ask({"DELETE", "/v1/streams/orders", {}, {}}).first, 200);
  EXPECT_EQ(fault(get("/v1/streams/orders")), "404 no_stream ");
}

TEST_P(ApiTest, NamesWhatIsWrong) {
  ASSERT_EQ(post({{"name", "a"}, {"filters", {"a/#"}}}).first, 201);
  EXPECT_EQ(fault(post({{"name", "a"}, {"filters", {"b"}}})), "409 stream_exists /name");
  EXPECT_EQ(fault(post({{"name", "b"}, {"filters", {"+/x"}}})), "409 streams_overlap /filters");
  EXPECT_EQ(fault(post({{"name", "b/c"}, {"filters", {"b"}}})), "422 bad_name /name");
  EXPECT_EQ(fault(post({{"name", "b"}, {"filters", {"#/b"}}})), "422 bad_filters /filters");
  EXPECT_EQ(fault(post({{"name", "b"}, {"filters", "b"}})), "422 bad_field /filters");
  EXPECT_EQ(fault(post({{"name", "b"}, {"filters", {"b"}}, {"max_age", 1}})), "422 unknown_field /max_age");
  EXPECT_EQ(fault(post({{"name", "b"}, {"filters", {"b"}}, {"max_bytes", -1}})), "422 bad_field /max_bytes");
  EXPECT_EQ(fault(post({{"name", 1}})), "422 bad_field /name");
  EXPECT_EQ(fault(ask({"PATCH", "/v1/streams/a", {}, R"({"max_bytes": 9223372036854775808})"})), "422 bad_field /max_bytes");
  EXPECT_EQ(fault(ask({"PATCH", "/v1/streams/a", {}, R"({"max_bytes": 1e19})"})), "422 bad_field /max_bytes");
  EXPECT_EQ(fault(ask({"PATCH", "/v1/streams/a", {}, R"({"max_bytes": 0.5})"})), "422 bad_field /max_bytes");
  EXPECT_EQ(ask({"PATCH", "/v1/streams/a", {}, R"({"max_bytes": 1e18, "max_age_ms": 9223372036854775807})"}).first, 200);
  EXPECT_EQ(fault(ask({"POST", "/v1/streams", {}, "{"})), "400 bad_json ");
  EXPECT_EQ(fault(ask({"PATCH", "/v1/streams/a", {}, R"({"filters": ["c"]})"})), "422 fixed /filters");
  EXPECT_EQ(fault(ask({"PATCH", "/v1/streams/a", {}, R"({"name": "c"})"})), "422 fixed /name");
  EXPECT_EQ(fault(ask({"PATCH", "/v1/streams/b", {}, "{}"})), "404 no_stream ");
  EXPECT_EQ(fault(ask({"PUT", "/v1/streams/a", {}, "{}"})), "405 method_not_allowed ");
  for (const std::string path : {"", "/", "/v1", "/v1/streams/a/b", "/v1/streamsx", "/v1/streams/%zz"}) {
    EXPECT_EQ(fault(get(path)), "404 no_such_path ") << path;
  }
}

TEST_P(ApiTest, GivesMessagesPageByPage) {
  ASSERT_EQ(post({{"name", "orders"}, {"filters", {"orders/#"}}}).first, 201);
  publish(25);
  std::string from = "earliest";
  int next = 0;
  for (bool more = true; more;) {
    const auto [status, page] = get("/v1/streams/orders/messages", "limit=10&topic=orders%2F%2B&from=" + from);
    ASSERT_EQ(status, 200);
    for (const json& item : page["items"]) {
      EXPECT_EQ(item["payload"], std::to_string(next++));
      EXPECT_EQ(item["topic"], "orders/1");
      EXPECT_EQ(item["id"].get<std::string>().size(), 32u);
      EXPECT_TRUE(item["time"].get<std::string>().ends_with("Z"));
    }
    from = page["next"];
    more = page["more"];
  }
  EXPECT_EQ(next, 25);
  const std::string path = "/v1/streams/orders/messages";
  EXPECT_EQ(fault(get(path, "from=soon")), "400 bad_parameter from");
  EXPECT_EQ(fault(get(path, "limit=0")), "400 bad_parameter limit");
  EXPECT_EQ(fault(get(path, "limit=1001")), "400 bad_parameter limit");
  EXPECT_EQ(fault(get(path, "topic=%23%2Fa")), "400 bad_parameter topic");
  EXPECT_EQ(fault(get(path, "topics=a")), "400 unknown_parameter topics");
  EXPECT_EQ(fault(get(path, "from=%2")), "400 bad_query ");
  EXPECT_EQ(fault(get("/v1/streams/other/messages")), "404 no_stream ");
}

TEST_P(ApiTest, GivesLastValuesByTopicPageByPage) {
  broker::test::Peer source(world, "source");
  ASSERT_TRUE(source.connect());
  std::vector<std::string> wanted;
  for (int i = 0; i < 25; ++i) {
    wanted.push_back("a/" + std::to_string(i));
    source.publish(wanted.back(), "old", Guarantee::at_least_once, true);
    source.publish(wanted.back(), wanted.back(), Guarantee::at_least_once, true);
  }
  source.publish("b", "x", Guarantee::at_least_once, true);
  source.publish("a/gone", "x", Guarantee::at_least_once, true);
  source.publish("a/gone", "", Guarantee::at_least_once, true);
  std::sort(wanted.begin(), wanted.end());
  std::vector<std::string> got;
  std::string after;
  for (bool more = true; more;) {
    const auto [status, page] = get("/v1/retained", "topic=a/%23&limit=10" + after);
    ASSERT_EQ(status, 200);
    EXPECT_LE(page["items"].size(), 10u);
    for (const json& item : page["items"]) {
      got.push_back(item["topic"]);
      EXPECT_EQ(item["payload"], item["topic"]);
    }
    more = page["more"];
    EXPECT_EQ(more, page.contains("next"));
    after = "&after=" + page.value("next", "");
  }
  EXPECT_EQ(got, wanted);
  EXPECT_EQ(get("/v1/retained").second["items"].size(), 26u);
  EXPECT_EQ(get("/v1/retained", "topic=b").second["items"][0]["payload"], "x");
  EXPECT_EQ(fault(get("/v1/retained", "after=%25")), "400 bad_parameter after");
  EXPECT_EQ(fault(get("/v1/retained", "from=a")), "400 unknown_parameter from");
}

TEST_P(ApiTest, ShowsLastValuesToThoseWhoMayRead) {
  broker::test::Peer source(world, "source");
  ASSERT_TRUE(source.connect());
  for (int i = 0; i < 20; ++i) source.publish((i % 2 == 0 ? "open/" : "shut/") + std::to_string(i), "x", Guarantee::at_least_once, true);
  access::Rule rule;
  rule.allow = false;
  rule.subscribe = true;
  rule.filter = "shut/#";
  for (unsigned core = 0; core < world.cores(); ++core) {
    world.shard(core).set_policy(access::Policy::make({rule}, {.epoch = 2, .default_allow = true}).value());
  }
  const auto [status, page] = ask({"GET", "/v1/retained", "limit=10", {}, Principal{}});
  EXPECT_EQ(status, 200);
  EXPECT_EQ(page["items"].size(), 10u) << "what is hidden takes no place on a page";
  EXPECT_EQ(page["more"], false);
  EXPECT_EQ(get("/v1/retained").second["items"].size(), 20u) << "an operator";
}

TEST_P(ApiTest, SessionsAreListedShownAndEnded) {
  std::vector<std::unique_ptr<broker::test::Peer>> peers;
  for (int i = 0; i < 12; ++i) {
    peers.push_back(std::make_unique<broker::test::Peer>(world, "client " + std::to_string(i)));
    peers.back()->user = i % 2 == 0 ? "ann" : "";
    ASSERT_TRUE(peers.back()->connect(false, i < 3 ? 60 : 0));
    peers.back()->subscribe("a/#", Guarantee::at_least_once);
    if (i == 5) peers.back()->subscribe("b/+", Guarantee::at_most_once, "group");
  }
  peers[0]->drop();
  peers[1]->drop();
  const auto ids = [&](const std::string& path, std::string query) {
    std::vector<std::string> out;
    for (std::string after;;) {
      const json page = get(path, query + "&limit=5" + after).second;
      for (const json& item : page["items"]) out.push_back(item["client_id"]);
      if (!page["more"]) break;
      after = "&after=" + page["next"].get<std::string>();
    }
    return out;
  };
  EXPECT_EQ(ids("/v1/clients", "").size(), 10u);
  EXPECT_EQ(ids("/v1/sessions", "").size(), 12u);
  const std::vector<std::string> away = ids("/v1/sessions", "connected=false");
  EXPECT_EQ((std::set<std::string>{away.begin(), away.end()}), (std::set<std::string>{"client 0", "client 1"}));
  EXPECT_EQ(ids("/v1/sessions", "user=ann").size(), 6u);
  EXPECT_EQ(ids("/v1/sessions", "user=").size(), 6u);
  EXPECT_EQ(ids("/v1/subscriptions", "").size(), 13u);
  EXPECT_EQ(ids("/v1/subscriptions", "topic=b/x"), std::vector<std::string>{"client 5"});

  const json one = get("/v1/clients", "client_id=client%205").second["items"][0];
  EXPECT_EQ(one["subscriptions"], 2);
  EXPECT_TRUE(one["user"].is_null());
  const std::string id = one["id"];
  EXPECT_EQ(get("/v1/clients/" + id).second, one);
  const json subscriptions = get("/v1/subscriptions", "session=" + id).second["items"];
  ASSERT_EQ(subscriptions.size(), 2u);
  EXPECT_EQ(subscriptions[0]["group"], "group");
  EXPECT_EQ(subscriptions[1]["guarantee"], "at_least_once");
  EXPECT_EQ(ask({"DELETE", "/v1/clients/" + id, {}, {}}).first, 200);
  EXPECT_EQ(peers[5]->close_reason, broker::EndReason::kicked);
  EXPECT_EQ(fault(ask({"DELETE", "/v1/clients/" + id, {}, {}})), "404 no_client ");
  EXPECT_EQ(fault(get("/v1/sessions/" + id)), "404 no_session ") << "it did not outlive its connection";

  const std::string stays = get("/v1/clients", "client_id=client%202").second["items"][0]["id"];
  EXPECT_EQ(ask({"DELETE", "/v1/clients/" + stays, {}, {}}).first, 200);
  EXPECT_EQ(fault(get("/v1/clients/" + stays)), "404 no_client ");
  EXPECT_EQ(get("/v1/sessions/" + stays).second["connected"], false);
  EXPECT_EQ(ask({"DELETE", "/v1/sessions/" + stays, {}, {}}).first, 200);
  EXPECT_EQ(fault(ask({"DELETE", "/v1/sessions/" + stays, {}, {}})), "404 no_session ");
  world.settle([&] { return world.sum(&broker::Counters::sessions) == 10; });
  EXPECT_EQ(ids("/v1/sessions", "").size(), 10u);
}

TEST_P(ApiTest, NamesWhatIsWrongWithAListOfClients) {
  EXPECT_EQ(fault(get("/v1/clients", "connected=true")), "400 unknown_parameter connected");
  EXPECT_EQ(fault(get("/v1/sessions", "connected=1")), "400 bad_parameter connected");
  EXPECT_EQ(fault(get("/v1/subscriptions", "after=YQ=")), "400 bad_parameter after");
  EXPECT_EQ(fault(get("/v1/subscriptions", "session=%")), "400 bad_query ");
  EXPECT_EQ(fault(get("/v1/subscriptions", "session=x")), "400 bad_parameter session");
  EXPECT_EQ(fault(get("/v1/subscriptions", "topic=a/%23")), "400 bad_parameter topic");
  EXPECT_EQ(fault(get("/v1/sessions/x")), "404 no_session ");
  EXPECT_EQ(fault(ask({"DELETE", "/v1/clients/x", {}, {}})), "404 no_client ");
}

TEST_P(ApiTest, WhoMayNotIsTold) {
  for (const char* path : {"/v1/clients", "/v1/sessions", "/v1/subscriptions", "/v1/clients/x"}) {
    EXPECT_EQ(fault(ask({"GET", path, {}, {}, Principal{}})), "403 denied ") << path;
  }
  EXPECT_EQ(fault(ask({"DELETE", "/v1/clients/x", {}, {}, Principal{}})), "403 denied ");
  EXPECT_EQ(fault(ask({"POST", "/v1/streams", {}, "{}", Principal{}})), "403 denied ");
  EXPECT_EQ(ask({"GET", "/v1/streams", {}, {}, Principal{}}).first, 200) << "as $SYS may be read";
  EXPECT_EQ(fault(ask({"POST", "/v1/store/checkpoints", {}, {}, Principal{}})), "403 denied ");
}

TEST_P(ApiTest, ACheckpointIsMadeOffTheLoop) {
  EXPECT_EQ(fault(ask({"POST", "/v1/store/checkpoints", {}, {}})), "409 no_store ");
  checkpoint = [] { return Result<std::string>("checkpoint-1"); };
  const auto made = ask({"POST", "/v1/store/checkpoints", {}, {}});
  EXPECT_EQ(made.first, 201);
  EXPECT_EQ(made.second["name"], "checkpoint-1");
  checkpoint = [] { return Result<std::string>(fail("no space")); };
  EXPECT_EQ(fault(ask({"POST", "/v1/store/checkpoints", {}, {}})), "503 no_checkpoint ");
}

}  // namespace
}  // namespace arena::server
