// Goal: a request is answered with what its responder publishes, or told why it is not.
#include "gateway/http/requests.h"

#include <nlohmann/json.hpp>

#include "gateway/http/test_web.h"

namespace arena::gateway::http::test {
namespace {

using nlohmann::json;

// Answers what it is asked, as it is told to.
class Responder final : public broker::SessionSink {
 public:
  Responder(broker::test::World& world, const std::string& filter, const std::string& name = "responder") {
    broker::OpenRequest request;
    request.client_id = name;
    session_ = world.home(name).open(request, *this);
    EXPECT_TRUE(world.settle([&] { return open_; }));
    session_->start();
    broker::SubscribeRequest order;
    order.filter = filter;
    session_->subscribe({broker::SubscribeOrder(std::move(order))}, 1);
    EXPECT_TRUE(world.settle([&] { return subscribed_; }));
  }
  ~Responder() override {
    if (session_ != nullptr) session_->detach(broker::DetachKind::clean, std::nullopt);
  }
  void reply(const std::string& payload) {
    auto message = std::make_unique<Message>();
    message->topic = asked.back()->extras->response_topic;
    message->payload = payload;
    message->guarantee = Guarantee::at_least_once;
    auto extras = std::make_unique<Extras>();
    extras->has_content_type = true;
    extras->content_type = "application/json";
    extras->headers.emplace_back("took", "1 ms");
    message->extras = std::move(extras);
    session_->publish(std::move(message), 0, 0);
  }

  void opened(broker::Session& session, bool) override {
    session_ = &session;
    open_ = true;
  }
  void open_refused(broker::Outcome) override { session_ = nullptr; }
  broker::DeliverResult deliver(const broker::Delivery& delivery) override {
    asked.push_back(delivery.message);
    return broker::DeliverResult::sent;
  }
  bool ready() const override { return true; }
  void release(uint16_t, bool) override {}
  void published(uint64_t, const broker::Receipt&) override {}
  void released(uint64_t, bool) override {}
  void subscribed(uint64_t, std::span<const broker::SubscribeOutcome>) override { subscribed_ = true; }
  void unsubscribed(uint64_t, std::span<const bool>) override {}
  void closed(broker::EndReason) override { session_ = nullptr; }

  std::vector<MessageRef> asked;

 private:
  broker::Session* session_ = nullptr;
  bool open_ = false;
  bool subscribed_ = false;
};

class HttpRequests : public testing::TestWithParam<unsigned> {
 protected:
  void SetUp() override { add_request_routes(world.door, requests); }
  void begin(const std::string& target, const std::string& body = "x", const std::string& fields = {}) {
    browser.bytes("POST " + target + " HTTP/1.1\r\nHost: localhost\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" + fields + "\r\n" + body);
  }
  std::string fault(const std::string& target, const std::string& fields = {}) {
    begin(target, "x", fields);
    const Answer answer = browser.answer(2000);
    return std::to_string(answer.status) + " " + json::parse(answer.body, nullptr, false).value("code", "");
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
  EventSeats seats;
  Publishers publishers{world.loop(), world.broker.shard(0)};
  Requests requests{world.door, world.broker.shard(0), publishers, seats};
  Browser browser{world};
};

INSTANTIATE_TEST_SUITE_P(Cores, HttpRequests, testing::Values(1U, 3U));

TEST_P(HttpRequests, AreAnsweredWithTheReply) {
  Responder responder(world.broker, "svc/#");
  begin("/v1/request/svc/price?timeout=3", "{\"item\":7}", "Content-Type: application/json\r\nArena-Header: a=b\r\n");
  ASSERT_TRUE(world.broker.settle([&] { return !responder.asked.empty(); }));
  const Message& asked = *responder.asked.front();
  EXPECT_EQ(asked.topic, "svc/price");
  EXPECT_EQ(asked.payload, "{\"item\":7}");
  EXPECT_EQ(asked.extras->content_type, "application/json");
  EXPECT_EQ(asked.extras->headers.at(0).second, "b");
  EXPECT_TRUE(asked.extras->has_correlation);
  EXPECT_NE(asked.expires_ms, 0);
  responder.reply("{\"price\":1}");
  const Answer answer = browser.answer();
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, "{\"price\":1}");
  EXPECT_NE(answer.head.find("content-type: application/json\r\n"), std::string::npos) << answer.head;
  EXPECT_NE(answer.head.find("arena-header: took=1 ms\r\n"), std::string::npos) << answer.head;
  world.broker.run_ms(10);
  EXPECT_EQ(requests.waiting(), 0u);
  EXPECT_EQ(seats.taken(), 0u);
  EXPECT_EQ(world.broker.sum(&broker::Counters::sessions), 2u) << "the responder's and the one that publishes";

  begin("/v1/request/svc/price");
  ASSERT_TRUE(world.broker.settle([&] { return responder.asked.size() == 2; }));
  EXPECT_NE(responder.asked[0]->extras->response_topic, responder.asked[1]->extras->response_topic);
  responder.reply("again");
  responder.reply("too late");
  EXPECT_EQ(browser.answer().body, "again");
}

TEST_P(HttpRequests, WaitNoLongerThanTheySay) {
  Responder responder(world.broker, "svc/#");
  begin("/v1/request/svc/a?timeout=2s");
  EXPECT_EQ(browser.answer(1900).status, 0);
  const Answer late = browser.answer(200);
  EXPECT_EQ(late.status, 504);
  EXPECT_EQ(json::parse(late.body)["code"], "no_reply");
  begin("/v1/request/svc/a");
  EXPECT_EQ(browser.answer(4900).status, 0);
  EXPECT_EQ(browser.answer(200).status, 504);
  responder.reply("nobody is there");
  world.broker.run_ms(10);
  EXPECT_EQ(requests.waiting(), 0u);
}

TEST_P(HttpRequests, AreToldWhyNot) {
  EXPECT_EQ(fault("/v1/request/svc/a"), "404 no_responder");
  EXPECT_EQ(fault("/v1/request/svc/%23"), "400 bad_topic");
  EXPECT_EQ(fault("/v1/request/svc?timeout=0"), "400 bad_parameter");
  EXPECT_EQ(fault("/v1/request/svc?timeout=61"), "400 bad_parameter");
  EXPECT_EQ(fault("/v1/request/svc?retain=true"), "400 bad_parameter");
  EXPECT_EQ(fault("/v1/request/svc?wait=1"), "400 unknown_parameter");
  EXPECT_EQ(fault("/v1/request/svc", "Idempotency-Key: a\r\n"), "400 bad_id");
  forbid("svc/#", true, false);
  EXPECT_EQ(fault("/v1/request/svc/a"), "403 denied");
  EXPECT_EQ(requests.waiting(), 0u);
}

TEST_P(HttpRequests, AskersNeedNoRuleForTheirReplies) {
  access::Rule ask, answer;
  ask.publish = ask.subscribe = true;
  ask.filter = "svc/#";
  answer.publish = true;
  answer.filter = "$replies/#";
  for (unsigned core = 0; core < world.broker.cores(); ++core) {
    world.broker.shard(core).set_policy(access::Policy::make({ask, answer}, {.epoch = 2}).value());
  }
  Responder responder(world.broker, "svc/#");
  Responder curious(world.broker, "$replies/#", "curious"), everything(world.broker, "#", "everything");
  begin("/v1/request/svc/price");
  ASSERT_TRUE(world.broker.settle([&] { return !responder.asked.empty(); }));
  EXPECT_TRUE(responder.asked.front()->extras->response_topic.starts_with("$replies/"));
  responder.reply("for the asker alone");
  EXPECT_EQ(browser.answer().body, "for the asker alone");
  world.broker.run_ms(50);
  EXPECT_TRUE(curious.asked.empty());
  EXPECT_TRUE(everything.asked.empty());
}

TEST_P(HttpRequests, NobodyReadsTheRepliesOfOthersThoughNoUserExists) {
  Responder responder(world.broker, "svc/#");
  Responder curious(world.broker, "$replies/#", "curious"), everything(world.broker, "#", "everything");
  begin("/v1/request/svc/price");
  ASSERT_TRUE(world.broker.settle([&] { return !responder.asked.empty(); }));
  responder.reply("for the asker alone");
  EXPECT_EQ(browser.answer().body, "for the asker alone");
  world.broker.run_ms(50);
  EXPECT_TRUE(curious.asked.empty());
  for (const MessageRef& message : everything.asked) EXPECT_EQ(message->topic, "svc/price");
}

TEST_P(HttpRequests, EndWithTheirClient) {
  Responder responder(world.broker, "svc/#");
  {
    Browser other(world);
    other.bytes("POST /v1/request/svc/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n");
    world.broker.run_ms(50);
    EXPECT_EQ(requests.waiting(), 1u);
  }
  world.broker.run_ms(10);
  EXPECT_EQ(requests.waiting(), 0u);
}

TEST_P(HttpRequests, TakeThePlacesOfFollowers) {
  auto options = std::make_shared<Options>();
  options->event_streams_per_user_max = 1;
  world.door.set_options(options);
  Responder responder(world.broker, "svc/#");
  Browser other(world);
  other.bytes("POST /v1/request/svc/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n");
  EXPECT_EQ(fault("/v1/request/svc/a"), "429 too_many_followers");
}

}  // namespace
}  // namespace arena::gateway::http::test
