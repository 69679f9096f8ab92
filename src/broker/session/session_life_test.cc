// When a session begins, is taken over and ends, and what it leaves behind; every test on one core and on three.
#include "broker/test_world.h"

namespace arena::broker::test {
namespace {

constexpr auto k1 = Guarantee::at_least_once;

Will will_on(const std::string& topic, uint32_t delay_s) {
  auto message = std::make_unique<Message>();
  message->topic = topic;
  message->payload = "gone";
  return Will{MessageRef(message.release()), delay_s, 0};
}

class SessionLife : public ::testing::TestWithParam<unsigned> {
 protected:
  World world{GetParam()};
};
INSTANTIATE_TEST_SUITE_P(Cores, SessionLife, ::testing::Values(1u, 3u));

TEST_P(SessionLife, WillsGoOutWhenTheyShould) {
  Peer watcher(world, "w"), a(world, "a");
  ASSERT_TRUE(watcher.connect());
  watcher.subscribe("will/#", k1);
  ASSERT_TRUE(a.connect(true, 0, will_on("will/now", 0)));
  a.drop(DetachKind::clean);
  world.run_ms(200);
  EXPECT_TRUE(watcher.received.empty());
  ASSERT_TRUE(a.connect(true, 0, will_on("will/now", 0)));
  a.drop(DetachKind::abrupt);
  ASSERT_TRUE(watcher.wait_for(1));
  // delayed, and cancelled by coming back
  ASSERT_TRUE(a.connect(true, 100, will_on("will/later", 10)));
  a.drop(DetachKind::abrupt);
  world.run_ms(9'000);
  ASSERT_TRUE(a.connect(false, 100, will_on("will/later", 10)));
  world.run_ms(5'000);
  EXPECT_EQ(watcher.received.size(), 1u);
  // delayed, and due
  a.drop(DetachKind::abrupt);
  world.run_ms(9'900);
  EXPECT_EQ(watcher.received.size(), 1u);
  world.run_ms(300);
  EXPECT_EQ(watcher.received.size(), 2u);
  // the session ends before the delay does
  ASSERT_TRUE(a.connect(true, 5, will_on("will/end", 60)));
  a.drop(DetachKind::abrupt);
  world.run_ms(5'300);
  EXPECT_EQ(watcher.received.size(), 3u);
}

TEST_P(SessionLife, SessionsExpire) {
  Peer a(world, "a");
  ASSERT_TRUE(a.connect(true, 5));
  a.subscribe("t", k1);
  a.drop();
  world.run_ms(4'500);
  ASSERT_TRUE(a.connect(false, 5));
  EXPECT_TRUE(a.present);
  a.drop();
  world.run_ms(5'500);
  ASSERT_TRUE(a.connect(false, 5));
  EXPECT_FALSE(a.present);
  EXPECT_EQ(world.sum(&Counters::sessions), 1u);
}

TEST_P(SessionLife, TheSameIdentityTakesOver) {
  Peer first(world, "a"), second(world, "a"), pub(world, "pub");
  ASSERT_TRUE(pub.connect() && first.connect(true, 100));
  first.subscribe("t", k1);
  ASSERT_TRUE(second.connect(false, 100));
  EXPECT_EQ(first.close_reason, EndReason::taken_over);
  EXPECT_TRUE(second.present);
  pub.publish("t", "x", k1);
  ASSERT_TRUE(second.wait_for(1));
  EXPECT_TRUE(first.received.empty());
}

// NATS CVE-2026-33215 and FlashMQ 1.18.0: a session was to be had by its client id alone.
TEST_P(SessionLife, AClientIdIsWorthNothingWithoutItsUser) {
  Peer owner(world, "device");
  owner.user = "ann";
  ASSERT_TRUE(owner.connect(true, 100));
  owner.subscribe("q", k1);
  for (const char* user : {"", "bob", "ann/device", "device"}) {
    Peer thief(world, "device");
    thief.user = user;
    ASSERT_TRUE(thief.connect(false, 100));
    EXPECT_FALSE(thief.present) << user;
    thief.publish("q", user, k1);
    EXPECT_TRUE(thief.received.empty()) << user;
  }
  EXPECT_FALSE(owner.close_reason);
  EXPECT_TRUE(owner.wait_for(4));
}

TEST_P(SessionLife, KicksThoseChosenAndNobodyElse) {
  Peer bob(world, "bob"), durable(world, "durable"), other(world, "other");
  bob.user = durable.user = "bob";
  other.user = "ann";
  ASSERT_TRUE(bob.connect() && durable.connect(true, 100) && other.connect());
  std::size_t kicked = 0;
  for (unsigned core = 0; core < world.cores(); ++core) {
    kicked += world.shard(core).kick_all([](const PrincipalView& principal) { return principal.name == "bob"; });
  }
  EXPECT_EQ(kicked, 2u);
  EXPECT_EQ(bob.close_reason, EndReason::kicked);
  EXPECT_EQ(durable.close_reason, EndReason::kicked);
  EXPECT_FALSE(other.close_reason);
  EXPECT_EQ(other.publish("t", "x", k1).outcome, Outcome::no_match);
  ASSERT_TRUE(durable.connect(false, 100));
  EXPECT_TRUE(durable.present);
}

// The client was told that nothing is left of it.
TEST_P(SessionLife, OneThatEndedWhileTheStoreWasSlowDoesNotComeBackWithACrash) {
  for (const bool by_goodbye : {false, true}) {
    Peer a(world, by_goodbye ? "by goodbye" : "by clean start");
    ASSERT_TRUE(a.connect(true, 100));
    world.run_ms(200);
    if (!by_goodbye) a.drop();
    world.run_ms(200);
    world.disk().set_commit_delay_ms(300);
    if (by_goodbye) a.session()->detach(DetachKind::clean, 0);
    ASSERT_TRUE(a.connect(true, 0));
    a.forget();
    world.crash();
    world.disk().set_commit_delay_ms(0);
    ASSERT_TRUE(a.connect(false, 100));
    EXPECT_FALSE(a.present);
  }
}

// Its timer may be late: the clock decides, not who comes first.
TEST_P(SessionLife, ASessionWhoseTimeIsOverIsNotResumedBeforeItsTimerFires) {
  Peer a(world, "a");
  ASSERT_TRUE(a.connect(true, 1));
  world.run_ms(200);
  runtime::Timer back([](void* peer) { static_cast<Peer*>(peer)->ask_to_open(false, 1); }, &a);
  world.home("a").loop().arm(back, 1000);
  a.drop();
  world.run_ms(1100);
  ASSERT_TRUE(a.is_open());
  EXPECT_FALSE(a.present);
}

}  // namespace
}  // namespace arena::broker::test
