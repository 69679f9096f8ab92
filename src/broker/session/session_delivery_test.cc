// What leaves a session: found by storms of clients, kept small here.
#include "broker/test_world.h"

namespace arena::broker::test {
namespace {

constexpr auto k0 = Guarantee::at_most_once;
constexpr auto k1 = Guarantee::at_least_once;

// While a subscription is being replaced by one at most once, what the log still gives through it is not to be settled
// by the receiver: under a tag it would stay outstanding for ever, and be repeated.
TEST(SessionDelivery, ReadsAtMostOnceWithoutTagWhileASubscriptionIsLowered) {
  World world(1);
  Peer pub(world, "pub"), a(world, "a");
  ASSERT_TRUE(pub.connect() && a.connect(true, 100));
  a.subscribe("x", k1);
  a.drop();
  for (int i = 0; i < 30; ++i) pub.publish("x", std::to_string(i), k1);
  ASSERT_TRUE(a.connect(false, 100));
  SubscribeRequest lowered;
  lowered.filter = "x";
  lowered.granted = k0;
  a.session()->subscribe({lowered}, 1000);
  world.run_ms(2000);
  a.drop();
  ASSERT_TRUE(a.connect(false, 100));
  world.run_ms(2000);
  EXPECT_FALSE(a.received.empty());
  for (const Got& got : a.received) {
    if (got.guarantee == k0) {
      EXPECT_EQ(got.tag, 0) << got.payload;
      EXPECT_FALSE(got.redelivered) << got.payload;
    }
  }
}

// What is at most once fills the queue, the log waits for room: when the queue has drained, reading goes on by itself.
TEST(SessionDelivery, ReadsOnWhenTheTransientQueueHasDrained) {
  Options options;
  options.queued_bytes_per_session_max = 4'000;
  World world(1, 1, options);
  Peer pub(world, "pub"), a(world, "a");
  a.takes_max = 0;
  a.window = 60;
  a.auto_settle = false;  // no settlement helps along
  ASSERT_TRUE(pub.connect() && a.connect(true, 100));
  a.subscribe("kept", k1);
  a.subscribe("fleeting", k0);
  for (int i = 0; i < 20; ++i) pub.publish("fleeting", std::string(500, 'x'), k0);
  world.run_ms(50);
  for (int i = 0; i < 20; ++i) pub.publish("kept", std::string(200, 'x'), k1);
  world.run_ms(50);
  a.take(1000);  // once: no further event will come
  EXPECT_TRUE(world.settle([&] {
    return std::count_if(a.received.begin(), a.received.end(), [](const Got& got) { return got.topic == "kept"; }) == 20;
  }));
}

// A member whose queue is full hands back what its group gives it, and is given more when there is room.
TEST(SessionDelivery, AFullMemberHandsBackToItsGroup) {
  Options options;
  options.queued_bytes_per_session_max = 4'000;
  World world(2, 1, options);
  Peer pub(world, "pub"), a(world, "a");
  a.window = 60;
  a.takes_max = 0;
  ASSERT_TRUE(pub.connect() && a.connect(true, 100));
  for (const char* group : {"g", "h", "i"}) a.subscribe("x", k1, group);
  for (int i = 0; i < 40; ++i) pub.publish("x", std::to_string(i) + std::string(500, 'x'), k1);
  world.run_ms(100);
  for (unsigned core = 0; core < world.cores(); ++core) EXPECT_LE(world.shard(core).largest_queue_bytes(), 5'000U);
  a.take(1000);
  EXPECT_TRUE(a.wait_for(120)) << a.received.size();
}

// Messages that come together wait behind last values like one that comes alone.
TEST(SessionDelivery, ABurstWaitsBehindLastValues) {
  World world(1);
  Peer pub(world, "pub"), a(world, "a");
  a.window = 1;
  a.auto_settle = false;
  ASSERT_TRUE(pub.connect() && a.connect());
  for (const char* topic : {"r/0", "r/1", "r/2"}) pub.publish(topic, "last", k1, true);
  a.subscribe("r/#", k1);
  const std::string_view payloads[] = {"1", "2"};
  pub.session()->publish(std::make_unique<Burst>("r/0", payloads));
  world.run_ms(50);
  ASSERT_EQ(a.received.size(), 1U) << "the window holds the other last values back, and they the burst";
  a.auto_settle = true;
  a.session()->settle(a.received[0].tag);
  ASSERT_TRUE(a.wait_for(5));
  EXPECT_EQ(a.payloads(), (std::vector<std::string>{"last", "last", "last", "1", "2"}));
}

// Asked for again, without last values or with those of new filters only: what is left of the first request still comes.
TEST(SessionDelivery, LastValuesOutlastARequestThatWantsNone) {
  World world(1);
  Peer pub(world, "pub"), a(world, "a");
  a.window = 1;
  a.auto_settle = false;
  ASSERT_TRUE(pub.connect() && a.connect());
  for (const char* topic : {"r/0", "r/1", "r/2"}) pub.publish(topic, "last", k1, true);
  a.subscribe("r/#", k1);
  a.subscribe("r/#", k1, "", 0, RetainedOnSubscribe::if_new);
  a.subscribe("r/#", k1, "", 0, RetainedOnSubscribe::never);
  ASSERT_EQ(a.received.size(), 1U) << "the window holds the others back";
  a.auto_settle = true;
  a.session()->settle(a.received[0].tag);
  ASSERT_TRUE(a.wait_for(3));
  EXPECT_EQ(a.received.size(), 3U);
}

// What is left of them goes with its subscription, and lets pass what has waited behind it.
TEST(SessionDelivery, LastValuesGoWithTheirSubscription) {
  World world(1);
  Peer pub(world, "pub"), a(world, "a");
  a.window = 1;
  a.auto_settle = false;
  ASSERT_TRUE(pub.connect() && a.connect());
  for (const char* topic : {"r/0", "r/1"}) pub.publish(topic, "last", k1, true);
  a.subscribe("x", k0);
  a.subscribe("r/#", k1);
  pub.publish("x", "behind", k0);
  world.run_ms(50);
  ASSERT_EQ(a.payloads(), (std::vector<std::string>{"last"}));
  a.unsubscribe("r/#");
  ASSERT_TRUE(a.wait_for(2));
  a.subscribe("r/#", k1, "", 0, RetainedOnSubscribe::never);
  world.run_ms(50);
  EXPECT_EQ(a.payloads(), (std::vector<std::string>{"last", "behind"}));
}

// A filter given up and another asked for in one breath: the log keeps what the new one wants.
TEST(SessionDelivery, KeepsTheLogForAFilterAskedForWhileTheLastOneIsGivenUp) {
  World world(2);
  Peer pub(world, "pub"), a(world, "a");
  ASSERT_TRUE(pub.connect() && a.connect(true, 100));
  a.subscribe("x", k1);
  a.session()->unsubscribe({{"", "x"}}, 0);
  a.subscribe("y", k1);
  world.run_ms(100);
  a.drop();
  EXPECT_EQ(pub.publish("y", "1", k1).outcome, Outcome::ok);
  world.run_ms(3000);  // the log is trimmed to what readers want
  ASSERT_TRUE(a.connect(false, 100));
  EXPECT_TRUE(a.wait_for(1));
}

// The same filter given up and asked for again: the end of the first must not be the end of the second.
TEST(SessionDelivery, KeepsAFilterAskedForAgainWhileItIsGivenUp) {
  for (const char* group : {"", "g"}) {
    for (const unsigned cores : {1U, 3U}) {
      World world(cores);
      Peer pub(world, "pub"), a(world, "a");
      ASSERT_TRUE(pub.connect() && a.connect(true, 100));
      a.subscribe("x", k1, group);
      a.session()->unsubscribe({{group, "x"}}, 0);
      a.subscribe("x", k1, group);
      world.run_ms(100);
      a.drop();
      EXPECT_EQ(pub.publish("x", "1", k1).outcome, Outcome::ok);
      world.run_ms(3000);
      ASSERT_TRUE(a.connect(false, 100));
      EXPECT_TRUE(a.wait_for(1)) << "group '" << group << "' on " << cores << " cores";
    }
  }
}

// What the log gives at once may be more than a queue may hold.
TEST(SessionDelivery, ReadsNoMoreThanItsQueueMayHold) {
  for (const char* group : {"", "g"}) {
    Options options;
    options.queued_bytes_per_session_max = 4'000;
    World world(1, 1, options);
    Peer pub(world, "pub"), a(world, "a");
    a.window = 1;
    ASSERT_TRUE(pub.connect() && a.connect(true, 100));
    a.subscribe("x", k1, group);
    a.drop();
    for (int i = 0; i < 50; ++i) pub.publish("x", std::to_string(i) + std::string(500, 'x'), k1);
    a.auto_settle = false;
    ASSERT_TRUE(a.connect(false, 100));
    ASSERT_TRUE(a.wait_for(1));
    world.run_ms(1000);
    EXPECT_LE(world.shard(0).largest_queue_bytes(), 5'000U) << "group '" << group << "'";
    a.auto_settle = true;
    a.session()->settle(a.received[0].tag);
    ASSERT_TRUE(a.wait_for(50));
    for (int i = 0; i < 50; ++i) EXPECT_TRUE(a.received[static_cast<std::size_t>(i)].payload.starts_with(std::to_string(i) + "x"));
  }
}

// A value set while a subscription is being stored comes live; the older one, gathered before, must not follow it.
TEST(SessionDelivery, SendsNoLastValueOlderThanOneSentLive) {
  for (uint64_t seed = 1; seed <= 30; ++seed) {
    World world(1 + static_cast<unsigned>(seed % 3), seed);
    Peer pub(world, "pub"), a(world, "a");
    ASSERT_TRUE(pub.connect() && a.connect(true, 100));
    pub.publish("x", "1", k0, true);
    SubscribeRequest request;
    request.filter = "x";
    request.granted = k0;
    a.session()->subscribe({request}, 1000);
    pub.send("x", "2", k0, true);
    ASSERT_TRUE(a.wait_for(1));
    world.run_ms(500);
    EXPECT_EQ(a.received.back().payload, "2") << "seed " << seed;
    EXPECT_TRUE(a.received.front().retained || a.received.back().retained) << "seed " << seed;
  }
}

std::shared_ptr<const access::Policy> deny(const std::string& filter) {
  access::Rule rule;
  rule.allow = false;
  rule.subscribe = true;
  rule.filter = filter;
  access::Policy::Options options;
  options.epoch = 2;
  options.default_allow = true;
  return access::Policy::make({rule}, options).value();
}

// What waits behind a full window leaves after the rules were changed: then it is judged by the new ones.
TEST(SessionDelivery, KeepsBackWhatWaitsWhenTheRulesTakeItAway) {
  for (const Guarantee guarantee : {k1, Guarantee::exactly_once}) {
    World world(1);
    Peer pub(world, "pub"), a(world, "a");
    a.window = 1;
    a.auto_settle = false;
    ASSERT_TRUE(pub.connect() && a.connect(true, 100));
    a.subscribe("#", guarantee);
    for (const char* topic : {"first", "secret", "other"}) pub.publish(topic, topic, guarantee);
    ASSERT_TRUE(a.wait_for(1));
    world.shard(0).set_policy(deny("secret"));
    a.session()->settle(a.received[0].tag);
    ASSERT_TRUE(a.wait_for(2));
    EXPECT_EQ(a.payloads(), (std::vector<std::string>{"first", "other"}));
    EXPECT_EQ(world.dropped(Drop::denied_delivery), 1U);
  }
}

// The same for one whose tag is being recorded, so that it has not left either.
TEST(SessionDelivery, KeepsBackWhatIsBeingRecordedWhenTheRulesTakeItAway) {
  World world(1);
  Peer pub(world, "pub"), a(world, "a");
  ASSERT_TRUE(pub.connect() && a.connect(true, 100));
  a.subscribe("#", Guarantee::exactly_once);
  world.disk().set_bytes_max(1);  // what is to be recorded waits for room
  auto message = std::make_unique<Message>();
  message->topic = "secret";
  message->guarantee = Guarantee::exactly_once;
  a.session()->take({MessageRef(message.release())}, {Guarantee::exactly_once, false, false, {}});
  world.run_ms(100);
  world.shard(0).set_policy(deny("secret"));
  world.disk().set_bytes_max(0);
  world.run_ms(3000);
  EXPECT_TRUE(a.received.empty());
}

// The same when it is unsubscribed from.
TEST(SessionDelivery, KeepsBackWhatIsBeingRecordedWhenItIsUnsubscribedFrom) {
  World world(1);
  Peer a(world, "a");
  ASSERT_TRUE(a.connect(true, 100));
  a.subscribe("t", Guarantee::exactly_once);
  world.disk().set_bytes_max(1);
  auto message = std::make_unique<Message>();
  message->topic = "t";
  message->guarantee = Guarantee::exactly_once;
  a.session()->take({MessageRef(message.release())}, {Guarantee::exactly_once, false, false, {}});
  world.run_ms(100);
  a.session()->unsubscribe({{"", "t"}}, 4711);
  world.disk().set_bytes_max(0);
  world.run_ms(3000);
  EXPECT_TRUE(a.received.empty());
}

// Two subscribes to one filter are under way and the store refuses the first: the second does not stand either, and is not
// said to.
TEST(SessionDelivery, ASubscribeBehindARefusedOneIsNotGrantedInVain) {
  World world(2);
  Peer pub(world, "pub"), a(world, "a");
  ASSERT_TRUE(pub.connect() && a.connect(true, 100));
  world.disk().set_bytes_max(1);
  world.disk().set_commit_delay_ms(100);
  SubscribeRequest first;
  first.filter = "x/+";
  first.granted = k1;
  a.session()->subscribe({first}, 1000);
  world.run_ms(50);
  const auto second = [&] {
    world.sim().at(70'000, [&] { world.disk().set_bytes_max(0); });
    return a.subscribe("x/+", k1);
  }();
  world.disk().set_commit_delay_ms(0);
  const Outcome outcome = pub.publish("x/y", "1", k1).outcome;
  EXPECT_EQ(outcome == Outcome::ok, second[0].status == SubscribeStatus::granted);
}

// A filter is asked for again twice before the first is answered, and the store refuses both: the one that was there stands.
TEST(SessionDelivery, OfSeveralRefusedSubscribesNoneIsLeft) {
  for (const std::string group : {"", "g"}) {
    World world(2);
    Peer pub(world, "pub"), a(world, "a");
    ASSERT_TRUE(pub.connect() && a.connect(true, 100));
    a.subscribe("x/+", k1, group, 1);
    world.run_ms(100);
    world.disk().set_bytes_max(1);
    world.disk().set_commit_delay_ms(100);
    SubscribeRequest again;
    again.group = group;
    again.filter = "x/+";
    again.granted = Guarantee::at_most_once;
    again.id = 2;
    a.session()->subscribe({again}, 1000);
    world.run_ms(50);
    EXPECT_EQ(a.subscribe("x/+", k1, group, 3)[0].status, SubscribeStatus::failed) << group;
    world.run_ms(500);
    world.disk().set_bytes_max(0);
    world.disk().set_commit_delay_ms(0);
    pub.publish("x/y", "1", k1);
    ASSERT_TRUE(a.wait_for(1)) << group;
    EXPECT_EQ(a.received.front().ids, std::vector<uint32_t>{1}) << group;
    EXPECT_EQ(a.received.front().guarantee, k1) << group;
  }
}

// [5 MQTT-3.8.4-4] What other cores route before they have answered the second time is not skipped.
TEST(SessionDelivery, NothingIsMissedWhileAFilterIsAskedForAgain) {
  World world(3);
  Peer pub(world, "pub"), a(world, "a");
  ASSERT_TRUE(pub.connect() && a.connect(true, 100));
  a.subscribe("x/#", k1);
  SubscribeRequest again;
  again.filter = "x/#";
  again.granted = k1;
  for (uint64_t i = 0; i < 300; ++i) {
    pub.send("x/" + std::to_string(i % 7), std::to_string(i), k1);
    if (i % 3 == 0) a.session()->subscribe({again}, 1000 + i);
    if (i % 2 == 0) world.run_ms(1);
  }
  EXPECT_TRUE(a.wait_for(300)) << a.received.size();
}

// What a client published itself while it asked for no local is over, however soon it takes that back and connects again.
TEST(SessionDelivery, TakingNoLocalBackBringsNothingOfBefore) {
  World world(3);
  Peer a(world, "a");
  ASSERT_TRUE(a.connect(true, 100));
  SubscribeRequest others;
  others.filter = "x/+";
  others.granted = k1;
  others.no_local = true;
  a.session()->subscribe({others}, 1000);
  for (int i = 0; i < 8; ++i) a.publish("x/" + std::to_string(i), "own", k1);
  a.subscribe("x/+", k1);
  a.drop();
  ASSERT_TRUE(a.connect(false, 100));
  world.run_ms(3000);
  EXPECT_EQ(a.received.size(), 0U);
  a.publish("x/1", "of now", k1);
  EXPECT_TRUE(a.wait_for(1));
}

// What comes while a subscription is raised is not less than before.
TEST(SessionDelivery, NothingIsMissedWhileASubscriptionIsRaised) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    runtime::SimOptions slow_mail;
    slow_mail.mail_delay_max_us = 5'000;
    World world(3, seed, {}, slow_mail);
    Peer pub(world, "pub"), other(world, "other"), a(world, "a");
    ASSERT_TRUE(pub.connect() && other.connect(true, 100) && a.connect(true, 100));
    other.subscribe("x/#", k1);  // so that it is in the log anyway
    a.subscribe("x/#", k0);
    SubscribeRequest raised;
    raised.filter = "x/#";
    raised.granted = k1;
    for (uint64_t i = 0; i < 100; ++i) {
      pub.send("x/" + std::to_string(i % 7), std::to_string(i), k1);
      if (i == 50) a.session()->subscribe({raised}, 1000 + i);
      if (i % 2 == 0) world.run_ms(1);
    }
    EXPECT_TRUE(a.wait_for(100)) << "seed " << seed << ": " << a.received.size();
    EXPECT_EQ(a.received.size(), 100U);
  }
}

}  // namespace
}  // namespace arena::broker::test
