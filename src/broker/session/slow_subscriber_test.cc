// Goal: a subscriber that cannot keep up loses what its subscription's policy says, all of it counted, and nobody else
// loses or waits.
#include <string>
#include <vector>

#include "broker/test_world.h"

namespace arena::broker::test {
namespace {

constexpr auto k0 = Guarantee::at_most_once;
constexpr auto k1 = Guarantee::at_least_once;
constexpr std::size_t kQueueBytes = 10'000;
const std::string kKilobyte(1000, 'x');

Options small_queue() {
  Options options;
  options.queued_bytes_per_session_max = kQueueBytes;
  return options;
}

// A publisher, and a subscriber that has stalled.
struct Stalled {
  explicit Stalled(std::optional<SlowPolicy> policy, Guarantee granted = k0, const Options& options = small_queue())
      : world(1, 1, options), pub(world, "pub"), sub(world, "sub") {
    EXPECT_TRUE(pub.connect() && sub.connect());
    SubscribeRequest request;
    request.filter = "a/#";
    request.granted = granted;
    request.slow = policy;
    sub.session()->subscribe({request}, 1000);
    world.run_ms(100);
    sub.is_ready = false;
  }
  void publish(const std::string& topic, int number, Guarantee guarantee = k0) {
    pub.send(topic, std::to_string(number) + ":" + kKilobyte, guarantee);
    world.run_ms(10);
  }
  std::vector<int> numbers_after_resume() {
    sub.is_ready = true;
    if (sub.session() != nullptr) sub.session()->resume();
    world.run_ms(100);
    std::vector<int> numbers;
    for (const Got& got : sub.received) numbers.push_back(std::stoi(got.payload));
    return numbers;
  }
  World world;
  Peer pub, sub;
};

std::vector<int> range(int from, int to) {
  std::vector<int> out;
  for (; from <= to; ++from) out.push_back(from);
  return out;
}

TEST(SlowSubscriber, LosesTheOldestUnlessToldOtherwise) {
  Stalled stalled(std::nullopt);
  for (int i = 0; i < 100; ++i) stalled.publish("a/b", i);
  const std::vector<int> got = stalled.numbers_after_resume();
  EXPECT_LE(got.size(), kQueueBytes / kKilobyte.size());
  EXPECT_EQ(got, range(100 - static_cast<int>(got.size()), 99));
  EXPECT_EQ(stalled.world.dropped(Drop::queue_full), 100 - got.size());
}

TEST(SlowSubscriber, LosesTheNewest) {
  Stalled stalled(SlowPolicy::drop_newest);
  for (int i = 0; i < 100; ++i) stalled.publish("a/b", i);
  const std::vector<int> got = stalled.numbers_after_resume();
  EXPECT_GT(got.size(), 5u);
  EXPECT_EQ(got, range(0, static_cast<int>(got.size()) - 1));
  EXPECT_EQ(stalled.world.dropped(Drop::queue_full_newest), 100 - got.size());
}

TEST(SlowSubscriber, GetsTheLatestOfEachTopic) {
  Stalled stalled(SlowPolicy::latest_per_topic);
  for (int i = 0; i < 99; ++i) stalled.publish("a/" + std::to_string(i % 3), i);
  EXPECT_EQ(stalled.numbers_after_resume(), range(96, 98));
  EXPECT_EQ(stalled.world.dropped(Drop::superseded), 96u);
  EXPECT_EQ(stalled.world.dropped(Drop::queue_full), 0u);
}

TEST(SlowSubscriber, GetsTheLatestAgainAfterItHasCaughtUp) {
  Stalled stalled(SlowPolicy::latest_per_topic);
  for (int i = 0; i < 4; ++i) stalled.publish("a/" + std::to_string(i % 2), i);
  EXPECT_EQ(stalled.numbers_after_resume(), range(2, 3));
  stalled.sub.is_ready = false;
  stalled.sub.received.clear();
  for (int i = 4; i < 8; ++i) stalled.publish("a/" + std::to_string(i % 2), i);
  EXPECT_EQ(stalled.numbers_after_resume(), range(6, 7));
}

TEST(SlowSubscriber, LosesTheOldestTopicsWhenEvenTheLatestAreTooMany) {
  Stalled stalled(SlowPolicy::latest_per_topic);
  for (int i = 0; i < 100; ++i) stalled.publish("a/" + std::to_string(i), i);
  const std::vector<int> got = stalled.numbers_after_resume();
  EXPECT_EQ(got, range(100 - static_cast<int>(got.size()), 99));
  EXPECT_EQ(stalled.world.dropped(Drop::queue_full), 100 - got.size());
}

TEST(SlowSubscriber, IsDisconnectedWhereItAsksForThat) {
  Stalled stalled(SlowPolicy::disconnect);
  for (int i = 0; i < 100; ++i) stalled.publish("a/b", i);
  EXPECT_EQ(stalled.sub.close_reason, EndReason::queue_full);
  EXPECT_EQ(stalled.world.sum(&Counters::slow_disconnected), 1u);
  EXPECT_EQ(stalled.world.dropped(Drop::queue_full), 0u);
}

// At least once without a log to catch up from: nothing is dropped silently, whatever the policy.
TEST(SlowSubscriber, IsDisconnectedRatherThanLosingWhatWasPromised) {
  Stalled stalled(SlowPolicy::drop_newest, k1);
  for (int i = 0; i < 100; ++i) stalled.publish("a/b", i, k1);
  EXPECT_EQ(stalled.sub.close_reason, EndReason::queue_full);
}

TEST(SlowSubscriber, FollowsItsRoleWhereItAsksForNothing) {
  access::Rule rule, own;
  rule.subscribe = own.subscribe = true;
  rule.filter = own.filter = "a/#";
  rule.slow = SlowPolicy::drop_newest;
  own.slow = SlowPolicy::latest_per_topic;
  own.who = access::Rule::Who::anonymous;
  for (const auto& [rules, superseded] : {std::pair{std::vector{rule}, false}, std::pair{std::vector{rule, own}, true}}) {
    World world(1, 1, small_queue());
    access::Policy::Options options;
    options.default_allow = true;
    options.epoch = 2;
    world.shard(0).set_policy(access::Policy::make(rules, options).value());
    Peer pub(world, "pub"), sub(world, "sub");
    ASSERT_TRUE(pub.connect() && sub.connect());
    sub.subscribe("a/b", k0);
    sub.is_ready = false;
    for (int i = 0; i < 20; ++i) pub.send("a/b", kKilobyte, k0);
    world.run_ms(100);
    EXPECT_EQ(world.dropped(Drop::superseded) != 0, superseded);
    EXPECT_EQ(world.dropped(Drop::queue_full_newest) != 0, !superseded);
  }
}

TEST(SlowSubscriber, KeepsItsPolicyOverARestart) {
  Stalled stalled(SlowPolicy::latest_per_topic);
  Peer kept(stalled.world, "kept");
  ASSERT_TRUE(kept.connect(false, 100));
  SubscribeRequest request;
  request.filter = "k";
  request.slow = SlowPolicy::latest_per_topic;
  kept.session()->subscribe({request}, 1000);
  stalled.world.run_ms(100);
  for (Peer* peer : {&kept, &stalled.pub, &stalled.sub}) peer->forget();
  stalled.world.crash();
  ASSERT_TRUE(kept.connect(false, 100) && stalled.pub.connect());
  ASSERT_TRUE(kept.present);
  kept.is_ready = false;
  for (int i = 0; i < 3; ++i) stalled.publish("k", i);
  EXPECT_EQ(stalled.world.dropped(Drop::superseded), 2u);
}

// With many stalled, each keeps a little only.
TEST(SlowSubscriber, KeepsLittleWhenAllTogetherKeepTooMuch) {
  for (const bool bounded : {false, true}) {
    Options options;
    if (bounded) options.queued_bytes_max = 100'000;
    Stalled stalled(std::nullopt, k0, options);
    Peer other(stalled.world, "other");
    ASSERT_TRUE(other.connect());
    other.subscribe("a/#", k0);
    other.is_ready = false;
    for (int i = 0; i < 200; ++i) stalled.publish("a/b", i);
    EXPECT_EQ(stalled.world.dropped(Drop::queue_full) > 0, bounded);
    EXPECT_EQ(stalled.world.sum(&Counters::queued_bytes) < 135'000, bounded);
    stalled.sub.drop();
    other.drop();
    EXPECT_EQ(stalled.world.sum(&Counters::queued_bytes), 0u);
  }
}

// One stalled subscriber costs its own queue; everybody else gets everything at once.
TEST(SlowSubscriber, HoldsUpNobodyElse) {
  Stalled stalled(std::nullopt);
  std::deque<Peer> others;
  for (int i = 0; i < 50; ++i) {
    others.emplace_back(stalled.world, "other-" + std::to_string(i));
    ASSERT_TRUE(others.back().connect());
    others.back().subscribe("a/#", k0);
  }
  for (int i = 0; i < 100; ++i) {
    stalled.publish("a/b", i);
    for (const Peer& other : others) ASSERT_EQ(other.received.size(), static_cast<std::size_t>(i) + 1);
  }
  EXPECT_GT(stalled.world.dropped(Drop::queue_full), 0u);
}

}  // namespace
}  // namespace arena::broker::test
