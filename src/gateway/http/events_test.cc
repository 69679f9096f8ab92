// Goal: a page that follows topics gets what is published there, in order; one that comes back misses nothing that is kept.
#include "gateway/http/events.h"

#include <nlohmann/json.hpp>
#include <set>

#include "broker/stream/registry.h"
#include "gateway/http/event_id.h"
#include "gateway/http/test_web.h"

namespace arena::gateway::http::test {
namespace {

using nlohmann::json;

// What a browser makes of a stream of events: "event: x", "data: y" and the id to come back with.
class Page {
 public:
  Page(WebWorld& world, const std::string& query, const std::string& fields = {}) : world_(world), browser_(world) {
    browser_.bytes("GET /v1/events?" + query + " HTTP/1.0\r\nHost: localhost\r\n" + fields + "\r\n");  // 1.0: the pieces as they are
    world_.broker.settle([this] { return browser_.received().find("\r\n\r\n") != std::string::npos; });
    std::string& in = browser_.received();
    const std::size_t end = std::min(in.find("\r\n\r\n"), in.size());
    head = in.substr(0, end);
    in.erase(0, std::min(end + 4, in.size()));
  }
  int status() const { return head.size() < 12 ? 0 : std::stoi(head.substr(9, 3)); }
  bool wait_for(std::size_t n) {
    return world_.broker.settle([&] { return read() >= n; });
  }
  // The payloads of all events so far.
  std::vector<std::string> payloads() {
    read();
    std::vector<std::string> out;
    for (const json& event : events) out.push_back(event["payload"].get<std::string>());
    return out;
  }
  std::size_t read() {
    std::string& in = browser_.received();
    for (std::size_t end = in.find("\n\n"); end != std::string::npos; end = in.find("\n\n")) {
      take(in.substr(0, end + 1));
      in.erase(0, end + 2);
    }
    return events.size();
  }
  bool closed() { return browser_.closed(); }

  std::string head;
  std::vector<json> events;
  std::vector<json> gaps;
  std::string last_id;
  std::size_t comments = 0;

 private:
  void take(std::string block) {
    std::string data, type;
    while (!block.empty()) {
      const std::string line = block.substr(0, block.find('\n'));
      block.erase(0, line.size() + 1);
      if (line.starts_with("id: ")) last_id = line.substr(4);
      if (line.starts_with("event: ")) type = line.substr(7);
      if (line.starts_with("data: ")) data = line.substr(6);
      if (line.starts_with(":")) ++comments;
    }
    if (!data.empty()) (type == "gap" ? gaps : events).push_back(json::parse(data));
  }

  WebWorld& world_;
  Browser browser_;
};

class HttpEvents : public testing::TestWithParam<unsigned> {
 protected:
  void SetUp() override {
    add_event_routes(world.door, events);
    ASSERT_TRUE(source.connect());
  }
  void publish(const std::string& topic, const std::string& payload, Guarantee guarantee = Guarantee::at_least_once) {
    source.publish(topic, payload, guarantee);
  }

  WebWorld world{{}, std::make_shared<const access::AuthSettings>(), GetParam()};
  EventSeats seats;
  Events events{world.door, world.broker.shard(0), seats};
  broker::test::Peer source{world.broker, "source"};
};

INSTANTIATE_TEST_SUITE_P(Cores, HttpEvents, testing::Values(1U, 3U));

using Payloads = std::vector<std::string>;

TEST_P(HttpEvents, WhatIsPublishedComesAsItIs) {
  Page page(world, "topic=a/%23&topic=b");
  EXPECT_EQ(page.status(), 200);
  EXPECT_NE(page.head.find("content-type: text/event-stream\r\n"), std::string::npos) << page.head;
  publish("a/1", "one");
  publish("b", "two", Guarantee::at_most_once);
  publish("c", "not asked for");
  publish("a/2", "line\nbreaks \"quoted\"");
  ASSERT_TRUE(page.wait_for(3));
  EXPECT_EQ(page.payloads(), (Payloads{"one", "two", "line\nbreaks \"quoted\""}));
  EXPECT_EQ(page.events[0]["topic"], "a/1");
  EXPECT_EQ(page.events[0]["id"].get<std::string>().size(), 32u);
}

TEST_P(HttpEvents, WhoComesBackMissesNothingThatIsKept) {
  ASSERT_TRUE(world.broker.create_stream("a", {"a/#"}).ok());
  publish("a/1", "before");
  std::string id;
  {
    Page page(world, "topic=a/1");
    EXPECT_EQ(page.status(), 200);
    page.read();
    id = page.last_id;
    EXPECT_FALSE(id.empty()) << "there was no event yet, and it can come back all the same";
  }
  publish("a/1", "1");
  publish("a/1", "2");
  {
    Page page(world, "topic=a/1", "Last-Event-ID: " + id + "\r\n");
    ASSERT_TRUE(page.wait_for(2));
    publish("a/1", "3");
    ASSERT_TRUE(page.wait_for(3));
    EXPECT_EQ(page.payloads(), (Payloads{"1", "2", "3"}));
    EXPECT_TRUE(page.last_id.ends_with(page.events[2]["position"].get<std::string>())) << "one position: each event has it";
    id = page.last_id;
  }
  publish("a/1", "4");
  Page page(world, "topic=a/1&after=" + id);
  ASSERT_TRUE(page.wait_for(1));
  EXPECT_EQ(page.payloads(), Payloads{"4"});
}

TEST_P(HttpEvents, SeveralPartitionsAndFiltersAreOneId) {
  ASSERT_TRUE(world.broker.create_stream("a", {"a/#"}).ok());
  const std::string query = "topic=a/%2B/x&topic=a/1/%23&topic=free";
  std::string id;
  std::set<std::string> seen;
  int published = 0;
  for (int round = 0; round < 4; ++round) {
    Page page(world, query, id.empty() ? "" : "Last-Event-ID: " + id + "\r\n");
    ASSERT_EQ(page.status(), 200) << page.head << id;
    for (int i = 0; i < 20; ++i) publish("a/" + std::to_string(i % 5) + "/x", std::to_string(published++));
    ASSERT_TRUE(world.broker.settle([&] {
      page.read();
      return seen.size() + page.events.size() >= static_cast<std::size_t>(published);
    })) << page.events.size() << " of round " << round;
    for (const json& event : page.events) EXPECT_TRUE(seen.insert(event["payload"].get<std::string>()).second) << "twice: " << event;
    world.broker.run_ms(10);
    page.read();
    id = page.last_id;
    for (int i = 0; i < 5; ++i) publish("a/" + std::to_string(i) + "/x", std::to_string(published++));
  }
  EXPECT_EQ(seen.size(), static_cast<std::size_t>(published) - 5);
}

TEST_P(HttpEvents, WhatIsGoneIsToldAsAGap) {
  ASSERT_TRUE(world.broker.create_stream("a", {"a"}, {.age_ms = 0, .bytes = 0, .messages = 5}).ok());
  std::string id;
  {
    Page page(world, "topic=a");
    publish("a", "0");
    ASSERT_TRUE(page.wait_for(1));
    id = page.last_id;
  }
  for (int i = 1; i < 50; ++i) publish("a", std::to_string(i));
  world.broker.run_ms(5'000);
  Page page(world, "topic=a", "Last-Event-ID: " + id + "\r\n");
  ASSERT_TRUE(world.broker.settle([&] {
    page.read();
    return !page.events.empty() && page.payloads().back() == "49";
  }));
  ASSERT_EQ(page.gaps.size(), 1u);
  EXPECT_EQ(page.gaps[0]["missing"].get<std::size_t>() + page.events.size(), 49u);
}

// As that of a broker without a store does, when it starts again: an EventSource that was refused would not come back.
TEST_P(HttpEvents, ALogThatHasBegunAgainIsReadFromItsBeginning) {
  ASSERT_TRUE(world.broker.create_stream("a", {"a"}).ok());
  publish("a", "0");
  publish("a", "1");
  std::string id;
  {
    Page page(world, "topic=a");
    page.read();
    id = page.last_id;
  }
  ASSERT_EQ(id.back(), '1');
  id.back() = '5';
  Page page(world, "topic=a", "Last-Event-ID: " + id + "\r\n");
  ASSERT_TRUE(page.wait_for(2));
  EXPECT_EQ(page.payloads(), (std::vector<std::string>{"0", "1"}));
  ASSERT_EQ(page.gaps.size(), 1u);
  EXPECT_TRUE(page.gaps[0]["missing"].is_null());
}

TEST_P(HttpEvents, AGapIsToldOnce) {
  for (const char* filter : {"a", "%23"}) {
    ASSERT_TRUE(world.broker.create_stream("a", {"a"}).ok());
    std::string id;
    {
      Page page(world, std::string("topic=") + filter);
      publish("a", "0");
      ASSERT_TRUE(page.wait_for(1));
      world.broker.run_ms(10);
      page.read();
      id = page.last_id;
    }
    publish("a", "1");
    ASSERT_TRUE(world.broker.change_streams(&broker::StreamRegistry::purge, "a").ok());
    for (const std::size_t gaps : {1U, 0U}) {
      Page page(world, std::string("topic=") + filter, "Last-Event-ID: " + id + "\r\n");
      world.broker.run_ms(100);
      page.read();
      EXPECT_EQ(page.gaps.size(), gaps);
      id = page.last_id;
    }
    ASSERT_TRUE(world.broker.change_streams(&broker::StreamRegistry::remove, "a").ok());
  }
}

TEST_P(HttpEvents, IsAliveThoughNothingHappens) {
  Page page(world, "topic=a");
  world.broker.run_ms(3 * Events::kHeartbeatMs + 100);
  page.read();
  EXPECT_EQ(page.comments, 3u);
  EXPECT_EQ(events.followers(), 1u);
}

TEST_P(HttpEvents, WaitsForTheAnswersBeforeItAsLongAsTheyTake) {
  world.add_routes();
  Browser browser(world);
  browser.bytes("GET /later HTTP/1.1\r\nHost: localhost\r\n\r\nGET /v1/events?topic=a HTTP/1.1\r\nHost: localhost\r\n\r\n");
  world.broker.run_ms(3 * Events::kStuckMs);
  ASSERT_TRUE(browser.open());
  world.let_answer(0);
  EXPECT_EQ(browser.answer().body, "late");
  publish("a", "x");
  EXPECT_TRUE(world.broker.settle([&] { return browser.received().find("\"payload\":\"x\"") != std::string::npos; }));
  EXPECT_EQ(world.counters.stuck_closed.get(), 0u);
}

TEST_P(HttpEvents, EndsWithItsClientAndWithTheBroker) {
  { Page page(world, "topic=a"); }
  world.broker.run_ms(10);
  EXPECT_EQ(events.followers(), 0u);
  EXPECT_EQ(world.broker.sum(&broker::Counters::sessions), 1u) << "the source's";
  Page page(world, "topic=a");
  EXPECT_EQ(events.followers(), 1u);
  world.broker.shard(0).kick_all([](const PrincipalView&) { return true; });
  EXPECT_TRUE(page.closed());
  EXPECT_EQ(events.followers(), 0u);
}

TEST_P(HttpEvents, NamesWhatIsWrong) {
  for (const char* query : {"", "topic=a/%23/b", "topic=", "topic=a&since=1", "topic=a&slow=never", "topic=%", "topic=a&after=x", "topic=a&after=1:0.1.2", "topic=a&after=1:0.1.2.3;",
                            "topic=a&after=1:earliest", "topic=a&after=0.1.2.3", "topic=a&topic=b&after=1:", "topic=a&slow=drop_oldest&slow=disconnect"}) {
    EXPECT_EQ(Page(world, query).status(), 400) << query;
  }
  EXPECT_EQ(Page(world, "topic=a", "Last-Event-ID: x\r\n").status(), 400);
  EXPECT_EQ(Page(world, "topic=$other").status(), 403);
  Browser head(world);
  head.bytes("HEAD /v1/events?topic=a HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_TRUE(head.received().starts_with("HTTP/1.1 405 "));
  world.broker.run_ms(10);
  EXPECT_EQ(events.followers(), 0u);
}

TEST(HttpEventId, ReadsBackWhatItWrote) {
  const broker::LogName log{3, static_cast<broker::LogId>(7)}, other{4, static_cast<broker::LogId>(7)};
  std::vector<Reached> filters(3);
  filters[0].note(log, 5);
  filters[0].note(log, 4);
  filters[0].note(other, 0);
  filters[2].note(log, 9);
  const std::string text = event_id(filters);
  EXPECT_EQ(text, "1:0.7.3.5,0.7.4.0;;0.7.3.9");
  const auto back = parse_event_id(text, 3);
  ASSERT_TRUE(back);
  EXPECT_EQ(event_id(*back), text);
  EXPECT_FALSE(parse_event_id(text, 2));
  EXPECT_FALSE(parse_event_id(text, 4));
  EXPECT_TRUE(parse_event_id("1:", 1));
  EXPECT_EQ(event_id(*parse_event_id("1:0.7.3.5,0.7.3.9,0.7.3.6", 1)), "1:0.7.3.9") << "of one log one place";
  for (const char* bad : {"", "1", "2:", "1:a", "1:0.7.3", "1:1.7.3.5", "1:0.7.3.5,", "1:10m", "1:latest", "1:42", "1:0.7.3.-5", "1:0.7.70000.5"}) EXPECT_FALSE(parse_event_id(bad, 1)) << bad;
}

}  // namespace
}  // namespace arena::gateway::http::test
