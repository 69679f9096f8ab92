// Goal: an address with a ticket follows topics as whoever asked for the ticket, for a while, and does nothing else.
#include "gateway/http/tickets.h"

#include <nlohmann/json.hpp>

#include "gateway/http/test_events.h"

namespace arena::gateway::http::test {
namespace {

using nlohmann::json;

class HttpTickets : public testing::Test {
 protected:
  void SetUp() override {
    add_ticket_routes(world.web.door, world.web.broker.shard(0), tickets);
    world.web.add_routes();
  }
  std::string ticket() {
    const Answer answer = browser.ask("POST /v1/tickets HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n");
    EXPECT_EQ(answer.status, 201) << answer.body;
    const json body = json::parse(answer.body);
    EXPECT_EQ(body["expires_s"], 60);
    return body["ticket"];
  }
  // Of one who is nobody here: without a name that says this machine was meant.
  int follow(const std::string& query) {
    Browser stranger(world.web);
    stranger.bytes("GET /v1/events?" + query + " HTTP/1.0\r\nHost: evil.example\r\n\r\n");
    world.web.broker.run_ms(100);
    const std::string& in = stranger.received();
    return in.size() < 12 ? 0 : std::stoi(in.substr(9, 3));
  }

  EventWorld world;
  access::Tickets tickets;
  Browser browser{world.web};
};

TEST_F(HttpTickets, LetOneFollow) {
  EXPECT_EQ(follow("topic=a"), 401);
  const std::string good = ticket();
  EXPECT_EQ(follow("topic=a&ticket=" + good), 200);
  EXPECT_EQ(follow("ticket=" + good + "&topic=a"), 200) << "again, while it lasts: browsers come back by themselves";
  EXPECT_EQ(follow("ticket=" + good), 400) << "which topics?";
  EXPECT_EQ(follow("topic=a&ticket="), 401);
  EXPECT_EQ(follow("topic=a&ticket=" + good + "x"), 401);
  EXPECT_EQ(follow("topic=a&ticket=%zz"), 401);
  world.web.broker.run_ms(60'000);
  EXPECT_EQ(follow("topic=a&ticket=" + good), 401);
}

TEST_F(HttpTickets, EndWhenTheRulesChange) {
  const std::string good = ticket();
  world.web.broker.shard(0).set_policy(access::Policy::make({}, {.epoch = 2, .default_allow = true}).value());
  EXPECT_EQ(follow("topic=a&ticket=" + good), 401);
}

TEST_F(HttpTickets, AreForEventsAlone) {
  const std::string good = ticket();
  Browser stranger(world.web);
  EXPECT_EQ(stranger.ask("GET /who?ticket=" + good + " HTTP/1.1\r\nHost: evil.example\r\n\r\n").status, 401);
  EXPECT_EQ(stranger.ask("POST /v1/tickets HTTP/1.1\r\nHost: evil.example\r\nContent-Length: 0\r\n\r\n").status, 401);
  EXPECT_EQ(browser.ask("POST /v1/tickets HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}").status, 400);
}

}  // namespace
}  // namespace arena::gateway::http::test
