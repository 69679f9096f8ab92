// Shared subscriptions of MQTT 5, section 4.8.2: packet by packet, in virtual time.
#include "gateway/mqtt/test_rules.h"

namespace arena::gateway::mqtt::test {
namespace {

// [5 MQTT-4.8.2-1] [5 MQTT-4.8.2-2]
TEST(MqttShared, NeedsANameWithoutWildcardsAndAFilter) {
  DoorWorld world;
  for (const char* filter : {"$share/", "$share//", "$share/+/x", "$share/#", "$share/#/x", "$share/g", "$share/g/"}) {
    Talker client(world);
    client.connect("c");
    client.say(subscribe_packet(1, filter));
    EXPECT_TRUE(client.ended_with(Reason::malformed_packet)) << filter;
  }
  Talker client(world), pub(world);
  client.connect("c");
  pub.connect("pub");
  for (const char* filter : {"$share/g h/+", "$share/$share/x/#", "$share/g//x"}) {
    EXPECT_EQ(client.subscribe(filter), Reasons{Reason::success}) << filter;
  }
  world.run_ms(100);
  pub.publish("/x", "of the last alone");
  EXPECT_EQ(client.next<am::Publish>().payload, "of the last alone");
  EXPECT_TRUE(client.silent());
}

// [5 MQTT-4.8.2-3]
TEST(MqttShared, KeepsToWhatTheChosenMemberWasGranted) {
  DoorWorld world(2);
  std::deque<Talker> members;
  for (const Guarantee granted : {k0, k1, k2}) {
    members.emplace_back(world);
    members.back().connect("member-" + std::to_string(static_cast<int>(granted)));
    members.back().subscribe("$share/g/x", granted);
  }
  world.run_ms(100);
  Talker pub(world);
  pub.connect("pub");
  for (const Guarantee published : {k2, k1, k0}) {
    for (int i = 0; i < 3; ++i) pub.publish("x", "", published);
    for (std::size_t i = 0; i < members.size(); ++i) {
      const auto got = members[i].next<am::Publish>();
      EXPECT_EQ(got.qos, std::min(static_cast<Guarantee>(i), published));
      if (got.qos == k1) members[i].ack(PacketType::puback, got.packet_id);
    }
  }
}

// Two members with sessions; the one that has got the first message, and the other.
struct Members {
  explicit Members(DoorWorld& in, Guarantee qos) : world(in), pub(in) {
    for (int i = 0; i < 2; ++i) {
      both[i] = std::make_unique<Talker>(world);
      both[i]->connect("member-" + std::to_string(i), false, 100);
      both[i]->subscribe("$share/g/x", qos);
    }
    pub.connect("pub");
    pub.publish("x", "1", qos);
    world.run_ms(100);
    holder = both[0]->has_packet() ? 0 : 1;
    id = held().next<am::Publish>().packet_id;
  }
  Talker& held() { return *both[holder]; }
  Talker& other() { return *both[1 - holder]; }
  void back(bool clean = false) {
    both[holder] = std::make_unique<Talker>(world);
    both[holder]->connect("member-" + std::to_string(holder), clean, 100);
  }

  DoorWorld& world;
  std::unique_ptr<Talker> both[2];
  Talker pub;
  int holder = 0;
  uint16_t id = 0;
};

// [5 MQTT-4.8.2-4]
TEST(MqttShared, CompletesExactlyOnceWithWhomItBegan) {
  DoorWorld world(2);
  for (const bool received : {false, true}) {
    Members members(world, k2);
    if (received) {
      members.held().ack(PacketType::pubrec, members.id);
      members.held().acked(PacketType::pubrel, members.id);
    }
    members.both[members.holder].reset();
    EXPECT_TRUE(members.other().silent(50'000));
    members.back();
    if (received) {
      members.held().acked(PacketType::pubrel, members.id);
    } else {
      const auto again = members.held().next<am::Publish>();
      EXPECT_TRUE(again.dup);
      EXPECT_EQ(again.packet_id, members.id);
      members.held().ack(PacketType::pubrec, members.id);
      members.held().acked(PacketType::pubrel, members.id);
    }
    members.held().ack(PacketType::pubcomp, members.id);
    EXPECT_TRUE(members.held().silent() && members.other().silent());
    for (int i = 0; i < 2; ++i) Talker(world).connect("member-" + std::to_string(i), true);
    world.run_ms(1000);
  }
}

// [5 MQTT-4.8.2-5]: whether the session expires or is thrown away.
TEST(MqttShared, GivesExactlyOnceToNobodyElseWhenTheSessionEnds) {
  for (const bool expires : {false, true}) {
    DoorWorld world(2);
    Members members(world, k2);
    members.both[members.holder].reset();
    if (expires) {
      world.run_ms(110'000);
    } else {
      members.back(true);
    }
    EXPECT_TRUE(members.other().silent(10'000));
    members.pub.publish("x", "2", k2);
    EXPECT_EQ(members.other().next<am::Publish>().payload, "2");
  }
}

// [5 MQTT-4.8.2-6]: neither to another member nor to the same one again.
TEST(MqttShared, GivesWhatAMemberRefusesToNobodyElse) {
  DoorWorld world(2);
  for (const Guarantee qos : {k1, k2}) {
    Members members(world, qos);
    members.held().ack(qos == k1 ? PacketType::puback : PacketType::pubrec, members.id, Reason::quota_exceeded);
    EXPECT_TRUE(members.held().silent(10'000) && members.other().silent());
    members.back();
    EXPECT_TRUE(members.held().silent() && members.other().silent());
  }
}

}  // namespace
}  // namespace arena::gateway::mqtt::test
