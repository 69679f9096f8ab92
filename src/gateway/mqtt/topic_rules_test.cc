// Topic names and filters, section 4.7, as they come over the wire: packet by packet, in virtual time.
#include "gateway/mqtt/test_rules.h"

namespace arena::gateway::mqtt::test {
namespace {

// Subscribed to the filter alone, a client gets what is published to the topic.
bool brings(Version version, std::string_view filter, std::string_view topic) {
  DoorWorld world;
  Talker client(world, version);
  client.connect("c");
  client.subscribe(filter);
  client.publish(topic, "hello");
  world.run_ms(100);
  if (!client.has_packet()) return false;
  EXPECT_EQ(client.next<am::Publish>().topic, topic);
  return true;
}

// [5 MQTT-4.7.0-1] [3.1.1 MQTT-4.7.1-1]
TEST(MqttTopics, HaveWildcardsInFiltersAlone) {
  DoorWorld world;
  for (const Version version : kVersions) {
    EXPECT_TRUE(brings(version, "a/+/#", "a/b/c/d"));
    for (const char* topic : {"a/+", "+", "#", "a/#", "a+b", "a#"}) {
      Talker client(world, version);
      client.connect("c");
      client.publish(topic, "");
      EXPECT_TRUE(client.ended_with(Reason::malformed_packet)) << topic;
    }
  }
}

// [5 MQTT-4.7.1-1] [5 MQTT-4.7.1-2] [3.1.1 MQTT-4.7.1-2] [3.1.1 MQTT-4.7.1-3]
TEST(MqttTopics, AreMatchedByWholeLevels) {
  const std::tuple<const char*, const char*, bool> cases[] = {
      {"#", "a", true},        {"#", "/a/b", true},      {"a/#", "a", true},      {"a/#", "a/b/c", true},   {"a/#", "ab", false},
      {"+", "a", true},        {"+", "a/b", false},      {"+", "/a", false},      {"/+", "/a", true},       {"+/+", "/a", true},
      {"a/+", "a", false},     {"a/+", "a/", true},      {"a/+", "a/b/c", false}, {"a/+/c", "a/b/c", true}, {"a/+/c", "a//c", true},
      {"+/b/#", "a/b", true},  {"+/b/#", "a/b/c", true}, {"+/b/#", "a/c", false}, {"a/b", "a/b/", false},   {"a/b", "/a/b", false}};
  for (const Version version : kVersions) {
    for (const auto& [filter, topic, match] : cases) EXPECT_EQ(brings(version, filter, topic), match) << filter << " " << topic;
  }
}

// [5 MQTT-4.7.2-1] [3.1.1 MQTT-4.7.2-1]
TEST(MqttTopics, BeginWithDollarForThoseWhoSaySo) {
  for (const Version version : kVersions) {
    const std::pair<const char*, bool> cases[] = {{"#", false},     {"+/x", false},    {"+/#", false},   {"+/+", false},
                                                  {"$SYS/#", true}, {"$SYS/x", true}, {"$SYS/+", true}};
    for (const auto& [filter, match] : cases) {
      DoorWorld world;
      Talker client(world, version);
      client.connect("c");
      client.subscribe(filter);
      auto message = std::make_unique<Message>();  // clients may not publish there
      message->topic = "$SYS/x";
      world.broker.shard(0).publish_internal(std::move(message));
      world.run_ms(100);
      EXPECT_EQ(client.has_packet(), match) << filter;
      if (match) client.any();
    }
    EXPECT_TRUE(brings(version, "+/+", "mine/$x"));
  }
}

// [5 MQTT-4.7.3-1] [3.1.1 MQTT-4.7.3-1]
TEST(MqttTopics, HaveACharacterAtLeast) {
  DoorWorld world;
  for (const Version version : kVersions) {
    for (const char* name : {"a", "/", " "}) EXPECT_TRUE(brings(version, name, name));
    Talker in(world, version), out(world, version), pub(world, version);
    in.connect("in");
    in.say(subscribe_packet(1, ""));
    EXPECT_TRUE(in.ended_with(Reason::malformed_packet));
    out.connect("out");
    out.say(unsubscribe_packet(1, ""));
    EXPECT_TRUE(out.ended_with(Reason::malformed_packet));
    pub.connect("pub");
    pub.publish("", "");
    EXPECT_TRUE(pub.ended_with(Reason::protocol_error));
  }
}

// [5 MQTT-4.7.3-2] [3.1.1 MQTT-4.7.3-2]
TEST(MqttTopics, HaveNoNullCharacter) {
  DoorWorld world;
  const std::string_view name("a\0b", 3);
  for (const Version version : kVersions) {
    Talker in(world, version), out(world, version), pub(world, version);
    in.connect("in");
    in.say(subscribe_packet(1, name));
    EXPECT_TRUE(in.ended_with(Reason::malformed_packet));
    out.connect("out");
    out.say(unsubscribe_packet(1, name));
    EXPECT_TRUE(out.ended_with(Reason::malformed_packet));
    pub.connect("pub");
    pub.publish(name, "");
    EXPECT_TRUE(pub.ended_with(Reason::malformed_packet));
  }
}

// Two bytes of length cannot say more, and nothing is cut off to make it fit. [5 MQTT-4.7.3-3] [3.1.1 MQTT-4.7.3-3]
TEST(MqttTopics, HaveAsManyBytesAsTheirLengthCanSay) {
  const std::string longest(65'535, 'x');
  const std::string longer = longest + "x";
  for (const Version version : kVersions) {
    EXPECT_TRUE(brings(version, longest, longest));
    std::string out;
    EXPECT_FALSE(am::encode(out, am::Publish{.topic = longer}, version));
    EXPECT_FALSE(am::encode(out, subscribe_packet(1, longer), version));
  }
}

// [5 MQTT-4.7.3-4] [3.1.1 MQTT-4.7.3-4]
TEST(MqttTopics, AreComparedAsTheyCame) {
  const std::pair<const char*, const char*> alike[] = {{"\u00e9", "e\u0301"},  // composed and not
                                                       {"a", "A"},
                                                       {"a", "a "},
                                                       {"a/b", "a//b"},
                                                       {"a", "/a"},
                                                       {"a", "\ufeff" "a"},
                                                       {"\u212b", "\u00c5"},
                                                       {"\U0010ffff", "\ufffd"}};
  for (const Version version : kVersions) {
    for (const auto& [one, other] : alike) {
      EXPECT_FALSE(brings(version, one, other)) << one;
      EXPECT_FALSE(brings(version, other, one)) << one;
      EXPECT_TRUE(brings(version, one, one));
      EXPECT_TRUE(brings(version, other, other));
    }
  }
}

}  // namespace
}  // namespace arena::gateway::mqtt::test
