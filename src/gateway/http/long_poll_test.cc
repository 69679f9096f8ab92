// Goal: who asks again and again misses nothing that is kept, waits no longer than it says, and holds no more places than it may.
#include "gateway/http/long_poll.h"

#include <set>

#include "broker/stream/registry.h"
#include "gateway/http/test_events.h"

namespace arena::gateway::http::test {
namespace {

using nlohmann::json;

class HttpLongPoll : public testing::TestWithParam<unsigned> {
 protected:
  // Sent, and subscribed by the time this returns.
  void begin(const std::string& target) {
    browser.bytes("GET " + target + " HTTP/1.1\r\nHost: localhost\r\n\r\n");
    world.web.broker.run_ms(50);
  }
  json answer(int64_t within_ms = 1000) {
    const Answer got = browser.answer(within_ms);
    EXPECT_EQ(got.status, 200) << got.body;
    return got.status == 200 ? json::parse(got.body) : json();
  }
  json poll(const std::string& target) {
    begin(target);
    return answer();
  }
  static std::vector<std::string> payloads(const json& page) {
    std::vector<std::string> out;
    for (const json& item : page["items"]) out.push_back(item["payload"]);
    return out;
  }

  EventWorld world{GetParam()};
  Browser browser{world.web};
};

INSTANTIATE_TEST_SUITE_P(Cores, HttpLongPoll, testing::Values(1U, 3U));

using Payloads = std::vector<std::string>;

TEST_P(HttpLongPoll, WaitsUntilThereIsSomething) {
  begin("/v1/topics/a/%23");
  world.publish("b", "not asked for");
  EXPECT_EQ(browser.answer(100).status, 0);
  world.publish("a/1", "x");
  const json page = answer();
  EXPECT_EQ(payloads(page), Payloads{"x"});
  EXPECT_EQ(page["items"][0]["topic"], "a/1");
  EXPECT_EQ(page["items"][0]["id"].get<std::string>().size(), 32u);
  world.web.broker.run_ms(10);
  EXPECT_EQ(world.events.followers(), 0u);
}

TEST_P(HttpLongPoll, WaitsNoLongerThanItSays) {
  begin("/v1/topics/a?wait=3s");
  EXPECT_EQ(browser.answer(2800).status, 0);
  EXPECT_EQ(payloads(answer()), Payloads{});
  begin("/v1/topics/a");
  EXPECT_EQ(browser.answer(19'800).status, 0);
  EXPECT_EQ(payloads(answer()), Payloads{});
}

TEST_P(HttpLongPoll, NothingIsMissedBetweenPolls) {
  ASSERT_TRUE(world.web.broker.create_stream("a", {"a/#"}).ok());
  world.publish("a/0", "before");
  std::string after = poll("/v1/topics/a/%23?wait=1")["next"];
  std::multiset<std::string> wanted, got;
  for (int i = 0; i < 50; ++i) {
    wanted.insert(std::to_string(i));
    world.publish("a/" + std::to_string(i % 7), std::to_string(i));
  }
  while (got.size() < wanted.size()) {
    const json page = poll("/v1/topics/a/%23?limit=4&after=" + after);
    EXPECT_LE(page["items"].size(), 4u);
    ASSERT_GT(page["items"].size(), 0u);
    for (const std::string& payload : payloads(page)) got.insert(payload);
    after = page["next"];
  }
  EXPECT_EQ(got, wanted);
  EXPECT_EQ(payloads(poll("/v1/topics/a/%23?wait=1&after=" + after)), Payloads{});
}

TEST_P(HttpLongPoll, TellsWhatIsGone) {
  ASSERT_TRUE(world.web.broker.create_stream("a", {"a"}, {.age_ms = 0, .bytes = 0, .messages = 5}).ok());
  begin("/v1/topics/a");
  world.publish("a", "0");
  const std::string after = answer()["next"];
  for (int i = 1; i < 50; ++i) world.publish("a", std::to_string(i));
  world.web.broker.run_ms(5000);
  const json page = poll("/v1/topics/a?after=" + after);
  EXPECT_EQ(page["gap"].get<std::size_t>() + page["items"].size(), 49u);
}

// A partition that the id does not name was empty when it was given out.
TEST_P(HttpLongPoll, TellsWhatIsGoneOfWhatWasEmptyBefore) {
  ASSERT_TRUE(world.web.broker.create_stream("y", {"y/#"}, {.age_ms = 0, .bytes = 0, .messages = 3}).ok());
  const std::string after = poll("/v1/topics/y/%23?wait=1")["next"];
  EXPECT_EQ(after, "1:");
  for (int i = 1; i <= 10; ++i) world.publish("y/1", std::to_string(i));
  world.web.broker.run_ms(5000);
  const json page = poll("/v1/topics/y/%23?wait=1&after=" + after);
  EXPECT_EQ(payloads(page), (Payloads{"8", "9", "10"}));
  EXPECT_EQ(page.value("gap", 0), 7);
}

TEST_P(HttpLongPoll, TellsAGapOnce) {
  ASSERT_TRUE(world.web.broker.create_stream("a", {"a"}).ok());
  begin("/v1/topics/a");
  world.publish("a", "0");
  std::string after = answer()["next"];
  world.publish("a", "1");
  world.publish("a", "2");
  ASSERT_TRUE(world.web.broker.change_streams(&broker::StreamRegistry::purge, "a").ok());
  json page = poll("/v1/topics/a?wait=1&after=" + after);
  EXPECT_EQ(page.value("gap", 0), 2);
  EXPECT_NE(page["next"], after);
  after = page["next"];
  page = poll("/v1/topics/a?wait=1&after=" + after);
  EXPECT_FALSE(page.contains("gap")) << page;
  EXPECT_EQ(page["next"], after);
  world.publish("a", "3");
  EXPECT_EQ(payloads(poll("/v1/topics/a?wait=1&after=" + after)), Payloads{"3"});
}

// By the id, all would be passed over until the log has come so far.
TEST_P(HttpLongPoll, ALogThatHasBegunAgainIsReadFromItsBeginning) {
  ASSERT_TRUE(world.web.broker.create_stream("a", {"a"}).ok());
  begin("/v1/topics/a");
  world.publish("a", "0");
  std::string id = answer()["next"];
  ASSERT_EQ(id.back(), '0');
  id.back() = '1';
  const json page = poll("/v1/topics/a?wait=1&after=" + id);
  EXPECT_EQ(payloads(page), Payloads{"0"});
  EXPECT_TRUE(page.contains("gap") && page["gap"].is_null()) << page;
  EXPECT_FALSE(poll("/v1/topics/a?wait=1&after=" + std::string(page["next"])).contains("gap"));
}

TEST_P(HttpLongPoll, EndsWithItsClient) {
  {
    Browser other(world.web);
    other.bytes("GET /v1/topics/a HTTP/1.1\r\nHost: localhost\r\n\r\n");
    world.web.broker.run_ms(50);
    EXPECT_EQ(world.events.followers(), 1u);
  }
  world.web.broker.run_ms(10);
  EXPECT_EQ(world.events.followers(), 0u);
  EXPECT_EQ(world.seats.taken(), 0u);
  EXPECT_EQ(world.web.counters.event_streams.get(), 0u);
}

TEST_P(HttpLongPoll, NamesWhatIsWrong) {
  for (const char* target : {"a/%23/b", "a?wait=0", "a?wait=61", "a?wait=1m", "a?limit=0", "a?limit=1001", "a?topic=b", "a?after=x", "a?wait=%"}) {
    EXPECT_EQ(browser.get(std::string("/v1/topics/") + target).status, 400) << target;
  }
  EXPECT_EQ(browser.get("/v1/topics/$other").status, 403);
  world.web.broker.run_ms(10);
  EXPECT_EQ(world.seats.taken(), 0u);
}

TEST(HttpEventLimits, Followers) {
  Options options;
  options.event_streams_max = 2;
  EventWorld world(1, options);
  Browser first(world.web), second(world.web), third(world.web);
  for (Browser* one : {&first, &second}) one->bytes("GET /v1/topics/a?wait=1 HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_EQ(third.get("/v1/events?topic=a").status, 503);
  EXPECT_EQ(world.web.refused(Refused::event_streams), 1u);
  EXPECT_EQ(first.answer(2000).status, 200);
  third.bytes("GET /v1/topics/a?wait=1 HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_EQ(third.answer(2000).status, 200) << "a place was given back";
}

TEST(HttpEventLimits, FollowersOfAUser) {
  Options options;
  options.event_streams_per_user_max = 2;
  EventSeats seats;
  Principal ann, bob;
  ann.name = "ann";
  bob.name = "bob";
  auto first = seats.take(ann, options);
  auto second = seats.take(ann, options);
  ASSERT_TRUE(first && second);
  EXPECT_EQ(seats.take(ann, options).error(), Refused::event_streams_per_user);
  EXPECT_TRUE(seats.take(bob, options)) << "and goes at once";
  *first = EventSeat();
  EXPECT_TRUE(seats.take(ann, options));
  EXPECT_EQ(seats.taken(), 1u);

  EventWorld world(1, options);
  Browser one(world.web), two(world.web), three(world.web);
  for (Browser* asks : {&one, &two}) asks->bytes("GET /v1/events?topic=a HTTP/1.1\r\nHost: localhost\r\n\r\n");
  world.web.broker.run_ms(50);
  const Answer refused = three.get("/v1/topics/a");
  EXPECT_EQ(refused.status, 429);
  EXPECT_NE(refused.head.find("retry-after: "), std::string::npos) << refused.head;
  EXPECT_EQ(world.web.refused(Refused::event_streams_per_user), 1u);
}

}  // namespace
}  // namespace arena::gateway::http::test
