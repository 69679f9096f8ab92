// What a shared group owes to its members when some of them are away.
#include "broker/test_world.h"

namespace arena::broker::test {
namespace {

constexpr auto k1 = Guarantee::at_least_once;
constexpr auto k2 = Guarantee::exactly_once;

std::map<std::string, int> fresh_copies(const std::vector<const Peer*>& peers) {
  std::map<std::string, int> copies;
  for (const Peer* peer : peers) {
    for (const Got& got : peer->received) copies[got.payload] += got.redelivered ? 0 : 1;
  }
  return copies;
}

// An exactly-once delivery stays with its member [5 MQTT-4.8.2-5]: what somebody else gives back, and is read again from the
// log, does not bring it a second time.
TEST(Group, AnExactlyOnceDeliveryStaysWithItsMemberWhenAnotherGivesBackWhatLiesBeforeIt) {
  for (const bool keeper_leaves_first : {true, false}) {
    World world(2);
    Peer pub(world, "pub"), giver(world, "giver"), keeper(world, "keeper");
    giver.auto_settle = keeper.auto_settle = false;
    ASSERT_TRUE(pub.connect() && giver.connect(true, 100) && keeper.connect(true, 100));
    giver.subscribe("s", k1, "g");
    keeper.subscribe("s", k2, "g");
    for (int i = 0; i < 6; ++i) pub.publish("s", std::to_string(i), k2, false, static_cast<uint16_t>(i + 1));
    ASSERT_TRUE(world.settle([&] { return giver.received.size() + keeper.received.size() == 6; }));
    ASSERT_EQ(keeper.received.size(), 3U);
    (keeper_leaves_first ? keeper : giver).drop();
    world.run_ms(100);
    (keeper_leaves_first ? giver : keeper).drop();
    world.run_ms(100);
    giver.received.clear();  // those it gave back
    giver.auto_settle = keeper.auto_settle = true;
    ASSERT_TRUE(keeper.connect(false, 100));
    ASSERT_TRUE(giver.connect(false, 100));
    world.run_ms(2000);
    const std::map<std::string, int> copies = fresh_copies({&giver, &keeper});
    EXPECT_EQ(copies.size(), 6U);
    for (const auto& [payload, times] : copies) EXPECT_EQ(times, 1) << payload;
  }
}

// A member that comes back is given what the group has, beside what it has to be sent again; neither goes out twice.
TEST(Group, AMemberThatComesBackIsSentEverythingOnce) {
  World world(1);
  Peer pub(world, "pub"), a(world, "a");
  a.auto_settle = false;
  ASSERT_TRUE(pub.connect() && a.connect(true, 100));
  a.subscribe("s", k1, "g");
  a.subscribe("own", k1);
  pub.publish("own", "own", k1);
  ASSERT_TRUE(a.wait_for(1));
  a.drop();
  for (const char* payload : {"1", "2"}) pub.publish("s", payload, k1);
  a.received.clear();
  ASSERT_TRUE(a.connect(false, 100));
  world.run_ms(500);
  EXPECT_EQ(a.payloads(), (std::vector<std::string>{"own", "1", "2"}));
  for (const Got& got : a.received) EXPECT_EQ(got.redelivered, got.payload == "own") << got.payload;
}

// What is settled while the store takes nothing is written when it does: a restart does not bring it again.
// The connection says how much may be under way, whether or not it subscribes again.
TEST(Group, GivesAMemberThatComesBackAsMuchAtOnceAsItsConnectionTakes) {
  for (const bool crash : {false, true}) {
    World world(2);
    Peer pub(world, "pub"), member(world, "member");
    member.auto_settle = false;
    member.window = 4;
    ASSERT_TRUE(pub.connect() && member.connect(true, 100));
    member.subscribe("s", k1, "g");
    if (crash) {
      world.crash();
      pub.forget();
      member.forget();
      ASSERT_TRUE(pub.connect());
    } else {
      member.drop();
    }
    member.window = 7;
    ASSERT_TRUE(member.connect(false, 100));
    for (int i = 0; i < 20; ++i) pub.publish("s", std::to_string(i), k1);
    world.run_ms(1000);
    EXPECT_EQ(member.received.size(), 7U) << (crash ? "after a crash" : "resumed");
  }
}

TEST(Group, WritesWhatTheStoreRefusedWhenThereIsRoom) {
  World world(1);
  Peer pub(world, "pub"), a(world, "a");
  a.auto_settle = false;
  ASSERT_TRUE(pub.connect() && a.connect(true, 100));
  a.subscribe("s", k1, "g");
  for (const char* payload : {"1", "2", "3"}) pub.publish("s", payload, k1);
  ASSERT_TRUE(a.wait_for(3));
  world.disk().set_bytes_max(1);
  a.session()->settle(a.received[1].tag);  // behind something unsettled: the record grows
  world.run_ms(2500);
  world.disk().set_bytes_max(0);
  world.run_ms(2500);
  world.crash();
  a.forget();
  pub.forget();
  a.received.clear();
  a.auto_settle = true;
  ASSERT_TRUE(a.connect(false, 100));
  ASSERT_TRUE(a.wait_for(2));
  world.run_ms(500);
  EXPECT_EQ(a.payloads(), (std::vector<std::string>{"1", "3"}));
}

// A subscribe that the store refuses changes nothing for the group either.
TEST(Group, ARefusedSubscribeLeavesAMemberAsItWas) {
  for (unsigned cores : {1U, 2U}) {
    World world(cores);
    Peer pub(world, "pub"), a(world, "a");
    ASSERT_TRUE(pub.connect() && a.connect(true, 100));
    a.subscribe("s", k1, "g", 7);
    world.disk().set_bytes_max(1);
    ASSERT_EQ(a.subscribe("s", Guarantee::at_most_once, "g", 8)[0].status, SubscribeStatus::failed);
    world.disk().set_bytes_max(0);
    world.run_ms(100);
    pub.publish("s", "1", k1);
    ASSERT_TRUE(a.wait_for(1));
    EXPECT_EQ(a.received[0].guarantee, k1);
    EXPECT_EQ(a.received[0].ids, (std::vector<uint32_t>{7}));
  }
}

// What members hold and give back when they leave has its place in the group's bound.
TEST(Group, ItsQueueKeepsItsBoundWhenMembersGiveBackWhatTheyHold) {
  Options options;
  options.queued_bytes_per_session_max = 20'000;
  World world(1, 1, options);
  Peer pub(world, "pub"), a(world, "a"), b(world, "b");
  ASSERT_TRUE(pub.connect());
  for (Peer* peer : {&a, &b}) {
    peer->window = 8;
    peer->auto_settle = false;
    ASSERT_TRUE(peer->connect(true, 100));
    peer->subscribe("s", k1, "g");
  }
  for (int i = 0; i < 100; ++i) pub.send("s", std::to_string(i) + std::string(1000, 'x'), k1);
  world.run_ms(500);
  EXPECT_GT(a.received.size() + b.received.size(), 10u);
  a.drop();
  b.drop();
  a.auto_settle = b.auto_settle = true;
  a.received.clear();
  EXPECT_LT(world.shard(0).largest_queue_bytes(), 22'000u);
  ASSERT_TRUE(a.connect(false, 100));
  EXPECT_LT(world.shard(0).largest_queue_bytes(), 22'000u);
  ASSERT_TRUE(a.wait_for(100)) << "and nothing is lost";
}

// While a subscribe is being stored, nothing is handed to it that would be lost when the store refuses it.
TEST(Group, WhoseSubscribeIsBeingStoredGetsNothingYet) {
  for (unsigned cores : {1U, 2U}) {
    World world(cores);
    Peer pub(world, "pub"), a(world, "a"), b(world, "b");
    ASSERT_TRUE(pub.connect() && a.connect(true, 100) && b.connect(true, 100));
    a.subscribe("s", k1, "g");
    b.subscribe("other", k1);
    world.disk().set_commit_delay_ms(500);
    SubscribeRequest request;
    request.filter = "s";
    request.group = "g";
    b.session()->subscribe({request}, 1000);  // at most once
    for (int i = 0; i < 6; ++i) pub.send("s", std::to_string(i), Guarantee::at_most_once);
    world.run_ms(100);
    EXPECT_EQ(a.payloads(), (std::vector<std::string>{"0", "1", "2", "3", "4", "5"}));
    EXPECT_TRUE(b.received.empty());
    world.disk().set_commit_delay_ms(0);
    world.run_ms(2000);
    for (int i = 6; i < 12; ++i) pub.send("s", std::to_string(i), Guarantee::at_most_once);
    world.run_ms(100);
    EXPECT_EQ(a.received.size() + b.received.size(), 12u);
    EXPECT_EQ(b.received.size(), 3u) << "and its turn from then on";
  }
}

// One for whom nothing is kept, and right behind it one for whom the log is kept: the second is answered when the owners of
// all topics know of that, not when the first one's questions are answered.
TEST(Group, ADurableMemberIsAnsweredWhenTheLogIsKept) {
  runtime::SimOptions slow_mail;
  slow_mail.mail_delay_max_us = 100'000;
  for (uint64_t seed = 1; seed <= 100; ++seed) {
    World world(3, seed, {}, slow_mail);
    Peer first(world, "first"), second(world, "second");
    ASSERT_TRUE(first.connect() && second.connect(true, 100));
    SubscribeRequest request;
    request.filter = "s/+";
    request.group = "g";
    request.granted = k1;
    first.session()->subscribe({request}, 1000);
    second.subscribe("s/+", k1, "g");
    for (int i = 0; i < 8; ++i) {
      const std::string topic = "s/" + std::to_string(i);
      const Placement& placement = world.shard(0).placement();
      ASSERT_TRUE(world.shard(placement.core_of(placement.partition_of(topic))).wanted_durably(topic)) << seed << " " << topic;
    }
  }
}

access::Rule denied_to(const std::string& user, const std::string& filter) {
  access::Rule rule;
  rule.allow = false;
  rule.subscribe = true;
  rule.who = access::Rule::Who::users;
  rule.users = {user};
  rule.filter = filter;
  rule.source = "test";
  return rule;
}

// What one member may not read is for the others, and is not lost.
TEST(Group, GivesWhatAMemberMayNotReadToThoseWhoMay) {
  for (const Guarantee guarantee : {Guarantee::at_most_once, k1, k2}) {
    for (const bool denied_later : {false, true}) {
      World world(3);
      Peer pub(world, "pub"), ann(world, "ann"), bob(world, "bob");
      ann.user = "ann";
      bob.user = "bob";
      if (!denied_later) world.deny({denied_to("bob", "jobs/secret")});
      ASSERT_TRUE(pub.connect() && ann.connect(true, 100) && bob.connect(true, 100));
      ann.subscribe("jobs/#", k2, "g");
      bob.subscribe("jobs/#", k2, "g");
      if (denied_later) world.deny({denied_to("bob", "jobs/secret")});
      for (int i = 0; i < 20; ++i) {
        pub.publish("jobs/secret", std::to_string(i), guarantee, false, guarantee == k2 ? static_cast<uint16_t>(i + 1) : 0);
        pub.publish("jobs/open", "open", guarantee, false, guarantee == k2 ? static_cast<uint16_t>(i + 101) : 0);
      }
      world.run_ms(2000);
      const auto secrets = [](const Peer& peer) {
        return std::count_if(peer.received.begin(), peer.received.end(), [](const Got& got) { return got.topic == "jobs/secret"; });
      };
      EXPECT_EQ(secrets(ann), 20);
      EXPECT_EQ(secrets(bob), 0);
      EXPECT_EQ(ann.received.size() + bob.received.size(), 40u);
    }
  }
}

// It waits for the one who may, and holds nobody else up; when nobody is left who may, it goes.
TEST(Group, KeepsWhatOnlyAMemberWhoIsAwayMayRead) {
  World world(3);
  Peer pub(world, "pub"), ann(world, "ann"), bob(world, "bob");
  ann.user = "ann";
  bob.user = "bob";
  world.deny({denied_to("bob", "jobs/secret")});
  ASSERT_TRUE(pub.connect() && ann.connect(true, 100) && bob.connect(true, 100));
  ann.subscribe("jobs/#", k1, "g");
  bob.subscribe("jobs/#", k1, "g");
  ann.drop();
  world.run_ms(100);
  for (int i = 0; i < 5; ++i) {
    pub.publish("jobs/secret", std::to_string(i), k1);
    pub.publish("jobs/open", "open", k1);
  }
  ASSERT_TRUE(bob.wait_for(5));
  world.run_ms(1000);
  EXPECT_EQ(bob.received.size(), 5u);
  ASSERT_TRUE(ann.connect(false, 100));
  ASSERT_TRUE(ann.wait_for(5));
  EXPECT_EQ(ann.payloads(), (std::vector<std::string>{"0", "1", "2", "3", "4"}));
  world.deny({denied_to("bob", "jobs/secret"), denied_to("ann", "jobs/secret")});
  pub.publish("jobs/secret", "for nobody", k1);
  world.run_ms(1000);
  EXPECT_EQ(world.dropped(Drop::denied_delivery), 1u);
}

// The rules change while it waits in a member's queue.
TEST(Group, GivesBackWhatAMemberMayNotReadAnyMore) {
  World world(3);
  Peer pub(world, "pub"), ann(world, "ann"), bob(world, "bob");
  ann.user = "ann";
  bob.user = "bob";
  ann.is_ready = bob.is_ready = false;
  ASSERT_TRUE(pub.connect() && ann.connect(true, 100) && bob.connect(true, 100));
  ann.subscribe("jobs/#", k1, "g");
  bob.subscribe("jobs/#", k1, "g");
  for (int i = 0; i < 20; ++i) pub.publish("jobs/secret", std::to_string(i), k1);
  world.run_ms(100);
  world.deny({denied_to("bob", "jobs/secret")});
  world.run_ms(100);
  ann.is_ready = bob.is_ready = true;
  ann.session()->resume();
  bob.session()->resume();
  ASSERT_TRUE(ann.wait_for(20));
  EXPECT_TRUE(bob.received.empty());
}

}  // namespace
}  // namespace arena::broker::test
