// PUBLISH and its acknowledgements, both ways; aliases, limits, properties: packet by packet, in virtual time.
#include "gateway/mqtt/test_door.h"

namespace arena::gateway::mqtt::test {
namespace {

using am::PacketType;

struct Pair {
  explicit Pair(DoorWorld& world, Guarantee granted = k2) : pub(world), sub(world) {
    pub.connect("pub");
    sub.connect("sub");
    EXPECT_EQ(sub.subscribe("x", granted), std::vector<Reason>{static_cast<Reason>(granted)});
  }
  Talker pub, sub;
};

// [5 MQTT-4.3.2-2] [5 MQTT-4.3.2-4]
TEST(MqttPublish, AcknowledgesAtLeastOnceBothWays) {
  DoorWorld world;
  Pair pair(world);
  pair.pub.publish("x", "hello", k1);
  EXPECT_EQ(pair.pub.acked(PacketType::puback, 1), Reason::success);
  const auto got = pair.sub.next<am::Publish>();
  EXPECT_EQ(got.qos, k1);
  EXPECT_FALSE(got.dup);
  pair.sub.ack(PacketType::puback, got.packet_id);
  EXPECT_TRUE(pair.sub.silent(2000));
}

// [5 MQTT-4.3.3-2] [5 MQTT-4.3.3-4] [5 MQTT-4.3.3-8] [5 MQTT-4.3.3-11]
TEST(MqttPublish, ShakesHandsForExactlyOnceBothWays) {
  DoorWorld world;
  Pair pair(world);
  pair.pub.publish("x", "hello", k2);
  EXPECT_EQ(pair.pub.acked(PacketType::pubrec, 1), Reason::success);
  pair.pub.ack(PacketType::pubrel, 1);
  EXPECT_EQ(pair.pub.acked(PacketType::pubcomp, 1), Reason::success);
  const auto got = pair.sub.next<am::Publish>();
  EXPECT_EQ(got.qos, k2);
  EXPECT_FALSE(got.dup);
  pair.sub.ack(PacketType::pubrec, got.packet_id);
  EXPECT_EQ(pair.sub.acked(PacketType::pubrel, got.packet_id), Reason::success);
  pair.sub.ack(PacketType::pubcomp, got.packet_id);
  EXPECT_TRUE(pair.sub.silent(2000));
}

// [5 MQTT-4.3.3-10]: the same id before its PUBREL is the same message.
TEST(MqttPublish, TakesARepeatedExactlyOnceMessageOnce) {
  DoorWorld world;
  Pair pair(world, k0);
  am::Publish packet = pair.pub.message("x", "hello", k2);
  pair.pub.say(packet);
  pair.pub.acked(PacketType::pubrec, 1);
  packet.dup = true;
  pair.pub.say(packet);
  pair.pub.acked(PacketType::pubrec, 1);
  EXPECT_EQ(pair.sub.next<am::Publish>().payload, "hello");
  EXPECT_TRUE(pair.sub.silent());
}

// [5 MQTT-4.4.0-1] [5 MQTT-3.3.1-1]: what was not acknowledged comes again, and the release of what was received.
TEST(MqttPublish, RepeatsToAResumedSession) {
  DoorWorld world;
  Talker pub(world);
  pub.connect("pub");
  uint16_t received = 0;
  uint16_t open = 0;
  {
    Talker sub(world);
    sub.connect("sub", true, 100);
    sub.subscribe("x", k2);
    pub.publish("x", "1", k2);
    pub.acked(PacketType::pubrec, 1);
    received = sub.next<am::Publish>().packet_id;
    sub.ack(PacketType::pubrec, received);
    sub.acked(PacketType::pubrel, received);
    pub.publish("x", "2", k1);
    pub.acked(PacketType::puback, 2);
    open = sub.next<am::Publish>().packet_id;
  }
  Talker sub(world);
  EXPECT_TRUE(sub.connect("sub", false, 100).session_present);
  EXPECT_EQ(sub.acked(PacketType::pubrel, received), Reason::success);
  const auto again = sub.next<am::Publish>();
  EXPECT_EQ(again.payload, "2");
  EXPECT_TRUE(again.dup);
  EXPECT_EQ(again.packet_id, open);
}

// Section 4.3.3: an error in PUBREC ends the delivery.
TEST(MqttPublish, IsDoneWithWhatTheSubscriberRefuses) {
  DoorWorld world;
  Pair pair(world);
  pair.pub.publish("x", "hello", k2);
  const auto got = pair.sub.next<am::Publish>();
  pair.sub.ack(PacketType::pubrec, got.packet_id, Reason::quota_exceeded);
  EXPECT_TRUE(pair.sub.silent(2000));
}

// Sections 3.6.2.1 and 3.7.2.1
TEST(MqttPublish, SaysWhenAPacketIdIsUnknown) {
  DoorWorld world;
  Talker client(world);
  client.connect("c");
  client.ack(PacketType::pubrel, 77);
  EXPECT_EQ(client.acked(PacketType::pubcomp, 77), Reason::packet_identifier_not_found);
  client.ack(PacketType::pubrec, 78);
  EXPECT_EQ(client.acked(PacketType::pubrel, 78), Reason::packet_identifier_not_found);
  client.ack(PacketType::puback, 79);
  EXPECT_TRUE(client.silent());
}

TEST(MqttPublish, EndsAtAcknowledgementsOfTheWrongKind) {
  DoorWorld world;
  const std::pair<Guarantee, PacketType> wrong[] = {
      {k1, PacketType::pubrec}, {k2, PacketType::puback}, {k2, PacketType::pubcomp}};
  for (const auto& [qos, type] : wrong) {
    Pair pair(world, qos);
    pair.pub.publish("x", "hello", qos);
    pair.sub.ack(type, pair.sub.next<am::Publish>().packet_id);
    EXPECT_TRUE(pair.sub.ended_with(Reason::protocol_error));
  }
}

// A PUBREL may only answer a PUBREC [5 MQTT-4.3.3-4]; one that comes earlier must not leave later publishes unanswered.
TEST(MqttPublish, EndsAtAPubrelBeforeItsPubrec) {
  DoorWorld world(2);
  for (int i = 0; i < 8; ++i) {  // topics of both cores
    const std::string topic = "t" + std::to_string(i);
    Talker sub(world), pub(world);
    sub.connect("sub", true, 100);
    sub.subscribe(topic, k1);
    pub.connect("pub");
    am::Ack release;
    release.type = PacketType::pubrel;
    release.packet_id = 1;
    pub.bytes(pub.encoded(pub.message(topic, "hello", k2)) + pub.encoded(release));
    EXPECT_TRUE(pub.ended_with(Reason::protocol_error)) << topic;
  }
}

// [5 MQTT-3.3.4-9]: the server may have so many unacknowledged at the client, and no more.
TEST(MqttPublish, KeepsToTheClientsReceiveMaximum) {
  DoorWorld world;
  Talker pub(world), sub(world);
  pub.connect("pub");
  am::Connect packet = sub.connect_packet("sub");
  packet.properties.receive_maximum = 2;
  sub.connect(packet);
  sub.subscribe("x", k1);
  for (int i = 0; i < 5; ++i) pub.publish("x", std::to_string(i), k1);
  const uint16_t first = sub.next<am::Publish>().packet_id;
  sub.next<am::Publish>();
  EXPECT_TRUE(sub.silent());
  pub.publish("x", "at most once is not counted", k0);
  EXPECT_EQ(sub.next<am::Publish>().qos, k0);
  sub.ack(PacketType::puback, first);
  EXPECT_EQ(sub.next<am::Publish>().payload, "2");
  EXPECT_TRUE(sub.silent());
}

// [5 MQTT-3.3.4-7]: and the client at the server.
TEST(MqttPublish, EndsAtMoreThanItsReceiveMaximum) {
  Options options;
  options.receive_max = 3;
  DoorWorld world(1, options);
  Talker client(world);
  EXPECT_EQ(client.connect("c").properties.receive_maximum, 3);
  for (uint16_t id = 1; id <= 3; ++id) {
    client.publish("x", "", k2);
    client.acked(PacketType::pubrec, id);
  }
  client.ack(PacketType::pubrel, 1);
  client.acked(PacketType::pubcomp, 1);
  client.publish("x", "", k2);
  client.acked(PacketType::pubrec, 4);
  client.publish("x", "", k2);
  EXPECT_TRUE(client.ended_with(Reason::receive_maximum_exceeded));
}

// [5 MQTT-3.1.2-27] and section 3.3.2.3.4
TEST(MqttPublish, UnderstandsTopicAliases) {
  DoorWorld world;
  Pair pair(world, k0);
  am::Publish packet = pair.pub.message("x", "1");
  packet.properties.topic_alias = 7;
  pair.pub.say(packet);
  packet.topic = "";
  packet.payload = "2";
  pair.pub.say(packet);
  for (const char* payload : {"1", "2"}) {
    const auto got = pair.sub.next<am::Publish>();
    EXPECT_EQ(got.topic, "x");
    EXPECT_EQ(got.payload, payload);
    EXPECT_FALSE(got.properties.topic_alias);
  }
}

// [5 MQTT-3.3.2-8] [5 MQTT-3.3.2-9] [5 MQTT-3.2.2-17]
TEST(MqttPublish, EndsAtTopicAliasesThatAreNone) {
  Options options;
  options.topic_alias_max = 5;
  DoorWorld world(1, options);
  const std::tuple<const char*, uint16_t, Reason> cases[] = {
      {"x", 0, Reason::topic_alias_invalid}, {"x", 6, Reason::topic_alias_invalid}, {"", 5, Reason::protocol_error}};
  for (const auto& [topic, alias, reason] : cases) {
    Talker client(world);
    EXPECT_EQ(client.connect("c").properties.topic_alias_maximum, 5);
    am::Publish packet = client.message(topic, "");
    packet.properties.topic_alias = alias;
    client.say(packet);
    EXPECT_TRUE(client.ended_with(reason)) << alias;
  }
}

// [5 MQTT-3.1.2-26] [5 MQTT-3.3.2-11]
TEST(MqttPublish, UsesTheClientsTopicAliases) {
  DoorWorld world;
  Talker pub(world), sub(world);
  pub.connect("pub");
  am::Connect packet = sub.connect_packet("sub");
  packet.properties.topic_alias_maximum = 1;
  sub.connect(packet);
  sub.subscribe("#");
  for (const char* topic : {"a", "b", "a"}) pub.publish(topic, "");
  const auto first = sub.next<am::Publish>();
  EXPECT_EQ(first.topic, "a");
  EXPECT_EQ(first.properties.topic_alias, 1);
  const auto second = sub.next<am::Publish>();
  EXPECT_EQ(second.topic, "b");
  EXPECT_FALSE(second.properties.topic_alias);
  const auto third = sub.next<am::Publish>();
  EXPECT_EQ(third.topic, "");
  EXPECT_EQ(third.properties.topic_alias, 1);
}

// [5 MQTT-3.1.2-24] [5 MQTT-3.1.2-25]: too large is as if delivered.
TEST(MqttPublish, LeavesOutWhatIsTooLargeForTheClient) {
  DoorWorld world;
  Talker pub(world), sub(world);
  pub.connect("pub");
  am::Connect packet = sub.connect_packet("sub");
  packet.properties.maximum_packet_size = 100;
  packet.properties.receive_maximum = 1;
  sub.connect(packet);
  sub.subscribe("x", k1);
  pub.publish("x", std::string(200, 'x'), k1);
  pub.publish("x", "small", k1);
  EXPECT_EQ(sub.next<am::Publish>().payload, "small");
}

// [5 MQTT-3.3.2-5] [5 MQTT-3.3.2-6]
TEST(MqttPublish, CountsTheExpiryDown) {
  DoorWorld world;
  Talker pub(world);
  pub.connect("pub");
  {
    Talker sub(world);
    sub.connect("sub", true, 1000);
    sub.subscribe("x", k1);
  }
  am::Publish packet = pub.message("x", "soon gone", k1);
  packet.properties.message_expiry_interval_s = 5;
  pub.say(packet);
  packet = pub.message("x", "stays longer", k1);
  packet.properties.message_expiry_interval_s = 60;
  pub.say(packet);
  world.run_ms(10'000);
  Talker sub(world);
  sub.connect("sub", false, 1000);
  const auto got = sub.next<am::Publish>();
  EXPECT_EQ(got.payload, "stays longer");
  EXPECT_EQ(got.properties.message_expiry_interval_s, 50u);
}

// [5 MQTT-3.3.2-4] [5 MQTT-3.3.2-15] [5 MQTT-3.3.2-16] [5 MQTT-3.3.2-20]
TEST(MqttPublish, ForwardsPropertiesUnchanged) {
  DoorWorld world;
  Pair pair(world, k0);
  am::Publish packet = pair.pub.message("x", "question");
  packet.properties.payload_is_text = true;
  packet.properties.content_type = "text/plain";
  packet.properties.response_topic = "answers";
  packet.properties.correlation_data = std::string_view("\0\xff", 2);
  pair.pub.say(packet);
  EXPECT_EQ(pair.sub.next<am::Publish>().properties, packet.properties);
}

// [5 MQTT-3.3.2-17] [5 MQTT-3.3.2-18]
TEST(MqttPublish, ForwardsUserPropertiesUnchangedAndInOrder) {
  DoorWorld world;
  Pair pair(world, k0);
  am::Publish packet = pair.pub.message("x", "");
  packet.properties.user_properties = {{"b", "1"}, {"a", "2"}, {"b", "3"}, {"", ""}};
  pair.pub.say(packet);
  EXPECT_EQ(pair.sub.next<am::Publish>().properties.user_properties, packet.properties.user_properties);
}

// Section 3.4.2.1: 0x10 for MQTT 5, plain for 3.1.1, which has no reasons.
TEST(MqttPublish, SaysWhenNobodySubscribes) {
  DoorWorld world;
  for (const Version version : {Version::v3_1_1, Version::v5}) {
    const Reason expected = version == Version::v5 ? Reason::no_matching_subscribers : Reason::success;
    Talker client(world, version);
    client.connect("c");
    client.publish("nobody", "", k1);
    EXPECT_EQ(client.acked(PacketType::puback, 1), expected);
    client.publish("nobody", "", k2);
    EXPECT_EQ(client.acked(PacketType::pubrec, 2), expected);
  }
}

std::vector<access::Rule> deny(const std::string& filter) {
  access::Rule rule;
  rule.allow = false;
  rule.publish = rule.subscribe = true;
  rule.filter = filter;
  return {rule};
}

// [3.1.1 MQTT-3.3.5-2]: 3.1.1 can only acknowledge or close.
TEST(MqttPublish, RefusesWhatThePolicyForbids) {
  DoorWorld world;
  world.set_policy(deny("x"));
  Talker client(world), old(world, Version::v3_1_1);
  client.connect("c");
  client.publish("x", "", k1);
  EXPECT_EQ(client.acked(PacketType::puback, 1), Reason::not_authorized);
  client.publish("x", "", k2);
  EXPECT_EQ(client.acked(PacketType::pubrec, 2), Reason::not_authorized);
  client.publish("x", "", k0);
  EXPECT_TRUE(client.silent());
  old.connect("old");
  old.publish("x", "", k1);
  EXPECT_EQ(old.acked(PacketType::puback, 1), Reason::success);
}

// [5 MQTT-3.3.2-2] [3.1.1 MQTT-3.3.2-2]
TEST(MqttPublish, EndsAtTopicsWithWildcards) {
  DoorWorld world;
  for (const Version version : {Version::v3_1_1, Version::v5}) {
    for (const char* topic : {"a/+", "#", "a+b", "+", "a/#/b"}) {
      Talker client(world, version);
      client.connect("c");
      client.publish(topic, "");
      EXPECT_TRUE(client.ended_with(Reason::malformed_packet)) << topic;
    }
  }
}

// Section 4.6
TEST(MqttPublish, AcknowledgesInTheOrderOfArrival) {
  DoorWorld world(2);
  Talker client(world), sub(world, Version::v5, 1);
  sub.connect("sub", true, 100);
  sub.subscribe("stored/#", k1);
  client.connect("c");
  std::string all;
  for (int i = 0; i < 20; ++i) {
    const std::string topic = (i % 2 == 0 ? "stored/" : "ephemeral/") + std::to_string(i);
    all += client.encoded(client.message(topic, "", k1));
  }
  client.bytes(all);
  for (uint16_t id = 1; id <= 20; ++id) client.acked(PacketType::puback, id);
}

// Section 4.9 leaves it to us; a client of 3.1.1 is never told of the receive maximum.
TEST(MqttPublish, SlowsOldClientsInsteadOfEndingThem) {
  Options options;
  options.receive_max = 3;
  options.acks_pending_max = 5;
  DoorWorld world(2, options);
  Talker client(world, Version::v3_1_1), sub(world);
  sub.connect("sub", true, 100);
  sub.subscribe("#", k1);
  client.connect("c");
  for (int i = 0; i < 50; ++i) client.publish("x", "", k1);
  for (uint16_t id = 1; id <= 50; ++id) client.acked(PacketType::puback, id);
}

}  // namespace
}  // namespace arena::gateway::mqtt::test
