// How connections end by the server's will, and what they leave behind: packet by packet, in virtual time.
#include "gateway/mqtt/test_door.h"

namespace arena::gateway::mqtt::test {
namespace {

// [MQTT-3.14.0-1]: only MQTT 5 has a server's DISCONNECT.
TEST(MqttEnd, SaysThatItShutsDown) {
  DoorWorld world;
  Talker client(world), old(world, Version::v3_1_1);
  client.connect("c");
  old.connect("old");
  bool drained = false;
  world.doors[0]->shut();
  world.broker.shard(0).drain([&drained] { drained = true; });
  EXPECT_TRUE(client.ended_with(Reason::server_shutting_down));
  EXPECT_TRUE(old.closed());
  world.run_ms(100);
  EXPECT_TRUE(drained);
  EXPECT_EQ(world.connections(), 0u);
}

TEST(MqttEnd, SaysWhenAnOperatorEndsIt) {
  DoorWorld world;
  Talker client(world);
  client.connect("c");
  EXPECT_TRUE(world.broker.shard(0).kick(broker::session_key(Principal{}, "c")));
  EXPECT_TRUE(client.ended_with(Reason::administrative_action));
}

// [MQTT-3.1.4-3] and section 3.1.2.5: a take-over without a clean start is an abrupt end for the will.
TEST(MqttEnd, PublishesTheWillOfWhoIsTakenOver) {
  DoorWorld world;
  Talker heir(world), first(world), second(world);
  heir.connect("heir");
  heir.subscribe("will");
  am::Connect packet = first.connect_packet("same", true, 100);
  packet.will.emplace();
  packet.will->topic = "will";
  packet.will->payload = "taken over";
  first.connect(packet);
  second.connect("same", false, 100);
  EXPECT_EQ(heir.next<am::Publish>().payload, "taken over");
  EXPECT_TRUE(first.ended_with(Reason::session_taken_over));
}

// [MQTT-4.3.3-10] across connections: the handshake belongs to the session.
TEST(MqttEnd, FinishesAnExactlyOncePublishOnTheNextConnection) {
  DoorWorld world(2);
  Talker sub(world);
  sub.connect("sub");
  sub.subscribe("x");
  {
    Talker pub(world);
    pub.connect("pub", true, 100);
    pub.publish("x", "once", k2);
    pub.acked(am::PacketType::pubrec, 1);
  }
  EXPECT_EQ(sub.next<am::Publish>().payload, "once");
  Talker pub(world);
  pub.connect("pub", false, 100);
  am::Publish again = pub.message("x", "once", k2);
  again.dup = true;
  pub.say(again);
  EXPECT_EQ(pub.acked(am::PacketType::pubrec, 1), Reason::success);
  pub.ack(am::PacketType::pubrel, 1);
  EXPECT_EQ(pub.acked(am::PacketType::pubcomp, 1), Reason::success);
  EXPECT_TRUE(sub.silent());
}

// Section 4.8.2: what a leaving member has not acknowledged goes to another [MQTT-4.8.2-5 is about QoS 2].
TEST(MqttEnd, GivesALeaversSharedMessagesToAnother) {
  DoorWorld world;
  Talker stays(world), leaves(world), pub(world);
  pub.connect("pub");
  leaves.connect("leaves");
  leaves.subscribe("$share/g/x", k1);
  pub.publish("x", "hello", k1);
  EXPECT_EQ(leaves.next<am::Publish>().payload, "hello");
  stays.connect("stays");
  stays.subscribe("$share/g/x", k1);
  leaves.vanish();
  EXPECT_EQ(stays.next<am::Publish>().payload, "hello");
}

// A client that vanishes while its session is being opened leaves nothing behind.
TEST(MqttEnd, ForgetsWhoVanishesInTheHandshake) {
  DoorWorld world(2);
  for (int i = 0; i < 20; ++i) {
    Talker client(world, Version::v5, static_cast<unsigned>(i % 2));
    client.say(client.connect_packet("c" + std::to_string(i % 3), i % 2 == 0, 100));
    world.run_ms(i % 4 == 0 ? 1 : 0);
  }
  world.run_ms(200'000);
  EXPECT_EQ(world.connections(), 0u);
  EXPECT_EQ(world.admission.connections, 0u);
  EXPECT_EQ(world.admission.half_open, 0u);
  EXPECT_EQ(world.broker.sum(&broker::Counters::sessions), 0u);
  EXPECT_EQ(world.broker.sum(&broker::Counters::sessions_connected), 0u);
}

}  // namespace
}  // namespace arena::gateway::mqtt::test
