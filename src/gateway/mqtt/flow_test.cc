// Flow control of MQTT 5, section 4.9: packet by packet, in virtual time.
#include "gateway/mqtt/test_rules.h"

namespace arena::gateway::mqtt::test {
namespace {

am::Connect with_window(const Talker& client, uint16_t receive_maximum) {
  am::Connect packet = client.connect_packet("sub", false, 100);
  packet.properties.receive_maximum = receive_maximum;
  return packet;
}

// [5 MQTT-4.9.0-1] [5 MQTT-4.9.0-2]: it may be one and it may be 65,535, but not nothing.
TEST(MqttFlow, StartsWithWhatThePeerCanTake) {
  for (const uint16_t window : std::initializer_list<uint16_t>{1, 2, 7}) {
    DoorWorld world;
    Talker sub(world), pub(world);
    sub.connect(with_window(sub, window));
    sub.subscribe("x", k2);
    pub.connect("pub");
    for (int i = 0; i < 20; ++i) pub.publish("x", "", i % 2 == 0 ? k1 : k2);
    for (int i = 0; i < window; ++i) sub.next<am::Publish>();
    EXPECT_TRUE(sub.silent(10'000)) << window;
  }
  DoorWorld world;
  Talker none(world);
  EXPECT_EQ(none.connect(with_window(none, 0)).reason, Reason::protocol_error);
  EXPECT_TRUE(none.closed());
}

// [5 MQTT-4.9.0-2]: a unit comes back with PUBACK, PUBCOMP and a PUBREC that refuses, and with nothing else; and
// repetitions on a new connection use it too.
TEST(MqttFlow, UsesAUnitForEachMessageUntilItIsDone) {
  DoorWorld world;
  Talker pub(world);
  auto sub = std::make_unique<Talker>(world);
  pub.connect("pub");
  sub->connect(with_window(*sub, 1));
  sub->subscribe("x", k2);
  for (const auto& [payload, qos] : {std::pair{"1", k2}, std::pair{"2", k2}, std::pair{"3", k1}, std::pair{"4", k1}}) {
    pub.publish("x", payload, qos);
  }
  uint16_t id = sub->next<am::Publish>().packet_id;
  sub->ack(PacketType::pubrec, id);
  sub->acked(PacketType::pubrel, id);
  EXPECT_TRUE(sub->silent());
  sub->ack(PacketType::pubcomp, id);
  id = sub->next<am::Publish>().packet_id;
  sub->ack(PacketType::pubrec, id, Reason::quota_exceeded);
  EXPECT_EQ(sub->next<am::Publish>().payload, "3");
  sub = std::make_unique<Talker>(world);
  sub->connect(with_window(*sub, 1));
  const auto again = sub->next<am::Publish>();
  EXPECT_EQ(again.payload, "3");
  EXPECT_TRUE(sub->silent());
  sub->ack(PacketType::puback, again.packet_id);
  EXPECT_EQ(sub->next<am::Publish>().payload, "4");
}

// [5 MQTT-4.9.0-3]: with nothing left to send with, everything else goes on, in both directions.
TEST(MqttFlow, GoesOnWithAllElseWhenNoMessageMayLeave) {
  DoorWorld world;
  Talker sub(world), pub(world);
  sub.connect(with_window(sub, 1));
  sub.subscribe("x", k2);
  pub.connect("pub");
  pub.publish("x", "1", k2);
  pub.publish("x", "2", k1);
  const uint16_t id = sub.next<am::Publish>().packet_id;
  sub.say(am::Pingreq{});
  sub.next<am::Pingresp>();
  sub.subscribe("y", k1);
  am::Unsubscribe leave;
  leave.packet_id = 5;
  leave.filters = {"y"};
  sub.say(leave);
  sub.next<am::Unsuback>();
  sub.packet_id = 10;
  sub.publish("elsewhere", "", k1);
  sub.acked(PacketType::puback, 11);
  sub.publish("elsewhere", "", k2);
  sub.acked(PacketType::pubrec, 12);
  sub.ack(PacketType::pubrel, 12);
  sub.acked(PacketType::pubcomp, 12);
  pub.publish("x", "at most once", k0);
  EXPECT_EQ(sub.next<am::Publish>().qos, k0);
  sub.ack(PacketType::pubrec, id);
  sub.acked(PacketType::pubrel, id);
  EXPECT_TRUE(sub.silent());
}

// The other way it is the client's duty: [5 MQTT-4.9.0-1] [5 MQTT-4.9.0-2], while it may send all else [5 MQTT-4.9.0-3].
TEST(MqttFlow, EndsClientsThatSendMoreThanTheyMay) {
  Options options;
  options.receive_max = 2;
  DoorWorld world(1, options);
  Talker client(world);
  client.connect("c");
  client.publish("x", "", k2);
  client.acked(PacketType::pubrec, 1);
  client.publish("x", "", k2);
  client.acked(PacketType::pubrec, 2);
  client.say(am::Pingreq{});
  client.next<am::Pingresp>();
  client.publish("x", "", k0);
  client.ack(PacketType::pubrel, 1);
  client.acked(PacketType::pubcomp, 1);
  client.publish("x", "", k2);
  client.acked(PacketType::pubrec, 3);
  client.publish("x", "", k1);
  EXPECT_TRUE(client.ended_with(Reason::receive_maximum_exceeded));
}

// A disk that needs five seconds for each commit: its publishers wait, for no more than what may be unanswered, and
// nobody else does.
TEST(MqttFlow, ASlowDiskSlowsWhoNeedsItAndNobodyElse) {
  Options options;
  options.acks_pending_max = 10;
  DoorWorld world(1, options);
  Talker away(world), keeper(world, Version::v3_1_1), sub(world), pub(world);
  away.connect("away", false, 1000);
  away.subscribe("kept/#", k1);
  sub.connect("sub");
  sub.subscribe("live/#", k1);
  keeper.connect("keeper");
  pub.connect("pub");
  world.broker.disk().set_commit_delay_ms(5000);
  for (int i = 0; i < 50; ++i) keeper.publish("kept/x", "value", k1);
  world.run_ms(100);
  EXPECT_EQ(world.counters[0]->throttled.get(), 1u);
  keeper.say(am::Pingreq{});
  keeper.next<am::Pingresp>();
  const int64_t before = world.broker.sim().now_ms();
  pub.publish("live/x", "at once", k0);
  EXPECT_EQ(sub.next<am::Publish>().payload, "at once");
  pub.publish("live/x", "at once too", k1);  // no session keeps it
  EXPECT_EQ(sub.next<am::Publish>().payload, "at once too");
  pub.acked(PacketType::puback, pub.packet_id);
  EXPECT_LT(world.broker.sim().now_ms() - before, 100);
  EXPECT_TRUE(keeper.silent(4000));
  for (uint16_t id = 1; id <= 50; ++id) keeper.acked(PacketType::puback, id);
}

}  // namespace
}  // namespace arena::gateway::mqtt::test
