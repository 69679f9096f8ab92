// Section 3.3.1.3 of the specification: retained messages.
#include <set>

#include "gateway/mqtt/test_rules.h"

namespace arena::gateway::mqtt::test {
namespace {

am::Publish retained(Talker& client, std::string_view topic, std::string_view payload, Guarantee qos = k0) {
  am::Publish packet = client.message(topic, payload, qos);
  packet.retain = true;
  return packet;
}

// What a new subscriber to "x" gets, and under which QoS; empty: nothing.
std::string kept_at_x(DoorWorld& world, Version version = Version::v5) {
  world.run_ms(100);
  Talker late(world, version);
  late.connect("late");
  late.subscribe("x", k2);
  world.run_ms(200);
  late.say(am::Pingreq{});
  std::string kept;
  for (am::Packet packet = late.any(); !std::holds_alternative<am::Pingresp>(packet); packet = late.any()) {
    const auto& publish = std::get<am::Publish>(packet);
    EXPECT_TRUE(publish.retain);
    kept += std::string(publish.payload) + "@" + std::to_string(static_cast<int>(publish.qos)) + " ";
  }
  return kept;
}

// [5 MQTT-3.3.1-5] [3.1.1 MQTT-3.3.1-5] [3.1.1 MQTT-3.3.1-6] [3.1.1 MQTT-3.3.1-8] [3.1.1 MQTT-3.3.1-7]
TEST(MqttRules, KeepTheLastRetainedMessageOfATopic) {
  for (const Version version : kVersions) {
    DoorWorld world;
    Talker pub(world, version);
    pub.connect("pub");
    EXPECT_EQ(kept_at_x(world, version), "");
    pub.say(retained(pub, "x", "first", k1));
    EXPECT_EQ(kept_at_x(world, version), "first@1 ");
    pub.say(retained(pub, "x", "second", k2));
    EXPECT_EQ(kept_at_x(world, version), "second@2 ");
    pub.say(retained(pub, "x", "third", k0));  // of QoS 0 too: stored as well, though 3.1.1 leaves that open
    EXPECT_EQ(kept_at_x(world, version), "third@0 ");
  }
}

// [3.1.1 MQTT-3.3.1-6]: of each topic that matches.
TEST(MqttRules, SendEachMatchingRetainedMessageToANewSubscription) {
  DoorWorld world;
  Talker pub(world), sub(world, Version::v3_1_1);
  pub.connect("pub");
  for (const char* topic : {"a/1", "a/2", "b/1"}) pub.say(retained(pub, topic, topic));
  world.run_ms(100);
  sub.connect("sub");
  sub.subscribe("a/+");
  std::set<std::string> got;
  for (int i = 0; i < 2; ++i) got.emplace(sub.next<am::Publish>().payload);
  EXPECT_EQ(got, (std::set<std::string>{"a/1", "a/2"}));
  EXPECT_TRUE(sub.silent());
}

// [5 MQTT-3.3.1-6] [5 MQTT-3.3.1-7] [3.1.1 MQTT-3.3.1-10] [3.1.1 MQTT-3.3.1-11]
TEST(MqttRules, DeliverAnEmptyRetainedMessageAndKeepNothing) {
  for (const Version version : kVersions) {
    for (const Guarantee qos : {k0, k1, k2}) {
      DoorWorld world;
      Talker pub(world, version), sub(world, version);
      pub.connect("pub");
      sub.connect("sub");
      sub.subscribe("x", k2);
      pub.say(retained(pub, "x", "kept", k1));
      EXPECT_EQ(sub.next<am::Publish>().payload, "kept");
      EXPECT_EQ(kept_at_x(world, version), "kept@1 ");
      pub.say(retained(pub, "x", "", qos));
      const auto got = sub.next<am::Publish>();
      EXPECT_EQ(got.payload, "");
      EXPECT_EQ(got.qos, qos);
      EXPECT_EQ(kept_at_x(world, version), "");
      pub.say(retained(pub, "x", "", qos));  // nor where nothing was
      EXPECT_EQ(kept_at_x(world, version), "");
    }
  }
}

// [5 MQTT-3.3.1-8] [3.1.1 MQTT-3.3.1-12]
TEST(MqttRules, LeaveTheRetainedMessageAloneWithoutTheFlag) {
  for (const Version version : kVersions) {
    DoorWorld world;
    Talker pub(world, version);
    pub.connect("pub");
    for (const Guarantee qos : {k0, k1, k2}) pub.publish("x", "passing", qos);
    EXPECT_EQ(kept_at_x(world, version), "");
    pub.say(retained(pub, "x", "kept"));
    for (const Guarantee qos : {k0, k1, k2}) {
      pub.publish("x", "passing", qos);
      pub.publish("x", "", qos);
    }
    EXPECT_EQ(kept_at_x(world, version), "kept@0 ");
  }
}

// [3.1.1 MQTT-3.3.1-9] [5 MQTT-3.3.1-12] [5 MQTT-3.3.1-13]: live, to a subscription that stood already.
TEST(MqttRules, PassTheRetainFlagOnOnlyWhereItIsAskedFor) {
  DoorWorld world;
  Talker pub(world), old(world, Version::v3_1_1), plain(world), keeper(world);
  pub.connect("pub");
  old.connect("old");
  old.subscribe("x");
  plain.connect("plain");
  plain.subscribe("x");
  keeper.connect("keeper");
  am::Subscribe packet = subscribe_packet(1, "x");
  packet.subscriptions[0].retain_as_published = true;
  keeper.subscribe(packet);
  for (const bool retain : {true, false}) {
    am::Publish publish = pub.message("x", "live");
    publish.retain = retain;
    pub.say(publish);
    EXPECT_FALSE(old.next<am::Publish>().retain);
    EXPECT_FALSE(plain.next<am::Publish>().retain);
    EXPECT_EQ(keeper.next<am::Publish>().retain, retain);
  }
}

}  // namespace
}  // namespace arena::gateway::mqtt::test
