// Sections 3.3 and 3.4 of the specification: PUBLISH and PUBACK, both ways.
#include <set>

#include "gateway/mqtt/test_rules.h"

namespace arena::gateway::mqtt::test {
namespace {

// ---- DUP and QoS ----

// [5 MQTT-3.3.1-1] [3.1.1 MQTT-3.3.1-1] [5 MQTT-3.3.1-3] [3.1.1 MQTT-3.3.1-3]
TEST(MqttRules, SetDupForWhatIsSentAgainAndOnlyThere) {
  for (const Version version : kVersions) {
    DoorWorld world;
    Talker pub(world, version);
    pub.connect("pub");
    uint16_t first = 0, second = 0;
    {
      Talker sub(world, version);
      sub.connect("sub", false, 100);
      sub.subscribe("x", k2);
      am::Publish packet = pub.message("x", "1", k1);
      packet.dup = true;  // the publisher's own affair
      pub.say(packet);
      const auto one = sub.next<am::Publish>();
      EXPECT_FALSE(one.dup);
      first = one.packet_id;
      pub.publish("x", "2", k2);
      const auto two = sub.next<am::Publish>();
      EXPECT_FALSE(two.dup);
      second = two.packet_id;
    }
    Talker sub(world, version);
    sub.connect("sub", false, 100);
    const auto one = sub.next<am::Publish>(), two = sub.next<am::Publish>();
    EXPECT_TRUE(one.dup && two.dup);
    EXPECT_EQ(one.packet_id, first);
    EXPECT_EQ(two.packet_id, second);
    pub.publish("x", "3", k1);
    EXPECT_FALSE(sub.next<am::Publish>().dup);
  }
}

// [5 MQTT-3.3.1-2] [3.1.1 MQTT-3.3.1-2]
TEST(MqttRules, EndAtDupWithQos0AndNeverSendIt) {
  expect_end(Version::v3_1_1, R"(38 { "t" 'x' })");
  expect_end(Version::v5, R"(38 { "t" {} 'x' })");
  for (const Version version : kVersions) {
    DoorWorld world;
    Talker pub(world, version), sub(world, version);
    pub.connect("pub");
    sub.connect("sub");
    sub.subscribe("t", k0);
    am::Publish packet = pub.message("t", "x", k1);
    packet.dup = true;
    pub.say(packet);
    EXPECT_FALSE(sub.next<am::Publish>().dup);
  }
}

// [5 MQTT-3.3.1-4] [3.1.1 MQTT-3.3.1-4]
TEST(MqttRules, EndAtQos3) {
  for (const char* flags : {"36", "37", "3E", "3F"}) {
    expect_end(Version::v3_1_1, flags + std::string(R"( { "t" 0001 'x' })"));
    expect_end(Version::v5, flags + std::string(R"( { "t" 0001 {} 'x' })"));
  }
}

// [5 MQTT-3.3.4-1] [3.1.1 MQTT-3.3.4-1]: nothing, PUBACK, PUBREC.
TEST(MqttRules, AnswerAPublishByItsQos) {
  for (const Version version : kVersions) {
    DoorWorld world;
    Talker client(world, version), sub(world, version);
    sub.connect("sub");
    sub.subscribe("x");
    client.connect("c");
    client.publish("x", "", k0);
    EXPECT_TRUE(client.silent());
    client.publish("x", "", k1);
    EXPECT_EQ(client.acked(PacketType::puback, 1), Reason::success);
    client.publish("x", "", k2);
    EXPECT_EQ(client.acked(PacketType::pubrec, 2), Reason::success);
    EXPECT_TRUE(client.silent());
  }
}

// ---- topics and properties ----

// [5 MQTT-3.3.2-1] [3.1.1 MQTT-3.3.2-1]: first, and text.
TEST(MqttRules, ReadTheTopicFirstAndAsText) {
  for (const char* bad : {"0001 FF", "0001 00", "0005 'cut'", "00", "0003 EDBFBF"}) {
    for (const char* flags : {"30 { ", "32 { ", "34 { "}) {
      expect_end(Version::v3_1_1, flags + std::string(bad) + " }");
      expect_end(Version::v5, flags + std::string(bad) + " }");
    }
  }
  expect_end(Version::v3_1_1, R"(32 { 0102 "t" 'x' })");     // the identifier in front
  expect_end(Version::v5, R"(32 { 0102 "t" {} 'x' })");
  for (const Version version : kVersions) {
    DoorWorld world;
    Talker client(world, version);
    client.connect("c");
    client.subscribe("\xC3\xA4/\xE2\x82\xAC", k1);
    client.publish("\xC3\xA4/\xE2\x82\xAC", "x");
    client.next<am::Publish>();
    EXPECT_EQ(client.last_bytes().substr(2, 8), bytes_of("0006 C3A4 '/' E282AC"));
  }
}

// [5 MQTT-3.3.2-3] [3.1.1 MQTT-3.3.2-3]: every topic against every filter, by a table made by hand.
TEST(MqttRules, DeliverOnlyTopicsThatMatch) {
  const std::pair<const char*, std::set<std::string>> cases[] = {
      {"a", {"a"}},
      {"a/b", {"a/b"}},
      {"+", {"a", "b", "A"}},
      {"a/+", {"a/b", "a/"}},
      {"+/b", {"a/b", "/b"}},
      {"a/#", {"a", "a/b", "a/", "a/b/c"}},
      {"#", {"a", "b", "a/b", "a/", "/b", "a/b/c", "A"}},
      {"A", {"A"}}};
  for (const Version version : kVersions) {
    for (const auto& [filter, wanted] : cases) {
      DoorWorld world;
      Talker client(world, version);
      client.connect("c");
      client.subscribe(filter);
      for (const char* topic : {"a", "b", "a/b", "a/", "/b", "a/b/c", "A"}) client.publish(topic, topic);
      world.run_ms(100);
      client.say(am::Pingreq{});
      std::set<std::string> got;
      for (am::Packet packet = client.any(); !std::holds_alternative<am::Pingresp>(packet); packet = client.any()) {
        const auto& publish = std::get<am::Publish>(packet);
        EXPECT_EQ(publish.topic, publish.payload);
        EXPECT_TRUE(got.emplace(publish.topic).second);
      }
      EXPECT_EQ(got, wanted) << filter;
    }
  }
}

// [5 MQTT-3.3.2-7]: both sides begin anew, though the session goes on.
TEST(MqttRules, ForgetTopicAliasesWithTheConnection) {
  DoorWorld world;
  const auto connect = [&](Talker& client) {
    am::Connect packet = client.connect_packet("c", false, 100);
    packet.properties.topic_alias_maximum = 5;
    client.connect(packet);
  };
  const auto speak = [&](Talker& client, const char* topic) {
    am::Publish packet = client.message(topic, "");
    packet.properties.topic_alias = 3;
    client.say(packet);
  };
  for (int round = 0; round < 2; ++round) {
    Talker client(world);
    connect(client);
    client.subscribe("x");
    speak(client, "x");
    EXPECT_EQ(client.next<am::Publish>().topic, "x");  // the server's alias is set anew as well
    speak(client, "");
    const auto again = client.next<am::Publish>();
    EXPECT_EQ(again.topic, "");
    EXPECT_EQ(again.properties.topic_alias, 1);
  }
  Talker client(world);
  connect(client);
  speak(client, "");
  EXPECT_TRUE(client.ended_with(Reason::protocol_error));
}

// [5 MQTT-3.3.2-8]: nor do we ever send it.
TEST(MqttRules, UseNoAlias0) {
  expect_end(Version::v5, R"(30 { "t" { 23 0000 } 'x' })", Reason::topic_alias_invalid);
  DoorWorld world;
  Talker client(world);
  am::Connect packet = client.connect_packet("c");
  packet.properties.topic_alias_maximum = 2;
  client.connect(packet);
  client.subscribe("#");
  for (const char* topic : {"a", "b", "c", "a", "b"}) {
    client.publish(topic, "");
    EXPECT_NE(client.next<am::Publish>().properties.topic_alias, 0);
  }
}

// [5 MQTT-3.3.2-12] [5 MQTT-3.3.2-9]: all that it offers, and no more.
TEST(MqttRules, TakeEveryAliasThatIsOffered) {
  DoorWorld world;
  Talker client(world), sub(world);
  sub.connect("sub");
  sub.subscribe("#");
  const uint16_t most = client.connect("c").properties.topic_alias_maximum.value_or(0);
  ASSERT_GT(most, 0);
  for (const bool first : {true, false}) {
    for (uint16_t alias = 1; alias <= most; ++alias) {
      const std::string topic = "topic " + std::to_string(alias);
      am::Publish packet = client.message(first ? std::string_view(topic) : std::string_view(), "");
      packet.properties.topic_alias = alias;
      client.say(packet);
      EXPECT_EQ(sub.next<am::Publish>().topic, topic);
    }
  }
  am::Publish packet = client.message("beyond", "");
  packet.properties.topic_alias = static_cast<uint16_t>(most + 1);
  client.say(packet);
  EXPECT_TRUE(client.ended_with(Reason::topic_alias_invalid));
}

// [5 MQTT-3.3.2-13] [5 MQTT-3.3.2-14] [5 MQTT-3.3.2-19]
TEST(MqttRules, EndAtResponseTopicsAndContentTypesThatAreNone) {
  for (const char* bad : {"0001 FF", "0001 00", "0003 EDA080"}) {
    expect_end(Version::v5, R"(30 { "t" { 08 )" + std::string(bad) + " } 'x' }");
    expect_end(Version::v5, R"(30 { "t" { 03 )" + std::string(bad) + " } 'x' }");
    expect_no_entry(Version::v5, R"(10 { "MQTT" 05 06 003C {} "c" { 08 )" + std::string(bad) + R"( } "w" "" })");
  }
  for (const char* bad : {R"("a/+")", R"("#")", R"("a+b")"}) {
    expect_end(Version::v5, R"(30 { "t" { 08 )" + std::string(bad) + " } 'x' }");
    expect_no_entry(Version::v5, R"(10 { "MQTT" 05 06 003C {} "c" { 08 )" + std::string(bad) + R"( } "w" "" })");
  }
}

// ---- overlapping subscriptions ----

// [5 MQTT-3.3.4-2] [3.1.1 MQTT-3.3.5-1]
TEST(MqttRules, HonourTheHighestQosOfThoseThatOverlap) {
  for (const Version version : kVersions) {
    DoorWorld world;
    Talker pub(world), sub(world, version);
    pub.connect("pub");
    sub.connect("sub");
    for (const auto& [filter, qos] : {std::pair{"a/#", k0}, std::pair{"a/b", k2}, std::pair{"+/b", k1}}) {
      sub.subscribe(filter, qos);
    }
    for (const Guarantee sent : {k0, k1, k2}) {
      pub.publish("a/b", "x", sent);
      EXPECT_EQ(sub.next<am::Publish>().qos, sent);
      EXPECT_TRUE(sub.silent());  // all of them are honoured by one copy
    }
  }
}

// [5 MQTT-3.3.4-3] [5 MQTT-3.3.4-5]: what a shared subscription gives comes by itself, under its own identifier.
TEST(MqttRules, GiveSeparateCopiesTheirOwnIdentifiers) {
  DoorWorld world;
  Talker pub(world), sub(world);
  pub.connect("pub");
  sub.connect("sub");
  for (const auto& [filter, id] : {std::pair{"x", 7u}, std::pair{"$share/g/x", 8u}, std::pair{"$share/h/x", 0u}}) {
    am::Subscribe packet = subscribe_packet(1, filter);
    if (id != 0) packet.properties.subscription_identifier = id;
    sub.subscribe(packet);
  }
  pub.publish("x", "");
  std::multiset<std::vector<uint32_t>> ids;
  for (int i = 0; i < 3; ++i) ids.insert(sub.next<am::Publish>().properties.subscription_identifiers);
  EXPECT_EQ(ids, (std::multiset<std::vector<uint32_t>>{{7}, {8}, {}}));
}

// [5 MQTT-3.3.4-6]
TEST(MqttRules, EndAtASubscriptionIdentifierFromAClient) {
  expect_end(Version::v5, R"(30 { "t" { 0B 01 } 'x' })", Reason::protocol_error);
  expect_end(Version::v5, R"(32 { "t" 0001 { 0B 01 } 'x' })", Reason::protocol_error);
}

// ---- flow ----

// [5 MQTT-3.3.4-10] [5 MQTT-3.3.4-9]: a full window holds PUBLISH of QoS 1 and 2 back, and nothing else.
TEST(MqttRules, DelayNothingButPublishWhenTheWindowIsFull) {
  DoorWorld world;
  Talker pub(world), sub(world);
  pub.connect("pub");
  am::Connect packet = sub.connect_packet("sub");
  packet.properties.receive_maximum = 1;
  sub.connect(packet);
  sub.subscribe("x", k2);
  pub.publish("x", "1", k2);
  pub.publish("x", "2", k1);
  const uint16_t first = sub.next<am::Publish>().packet_id;
  EXPECT_TRUE(sub.silent());
  sub.say(am::Pingreq{});
  sub.next<am::Pingresp>();
  sub.publish("y", "", k1);
  sub.acked(PacketType::puback, 2);
  sub.publish("y", "", k2);
  sub.acked(PacketType::pubrec, 3);
  sub.ack(PacketType::pubrel, 3);
  sub.acked(PacketType::pubcomp, 3);
  EXPECT_EQ(sub.subscribe("z", k1), Reasons{Reason::granted_qos_1});
  sub.say(unsubscribe_packet(5, "z"));
  sub.next<am::Unsuback>();
  sub.ack(PacketType::pubrec, first);
  sub.acked(PacketType::pubrel, first);
  EXPECT_TRUE(sub.silent());  // PUBREC does not free the place yet
  sub.ack(PacketType::pubcomp, first);
  EXPECT_EQ(sub.next<am::Publish>().payload, "2");
}

// ---- PUBACK ----

// [5 MQTT-3.4.2-1]: from a client, and from us, whatever becomes of the message.
TEST(MqttRules, EndAtPubackReasonsThatAreNotListedAndSendNone) {
  const std::set<uint8_t> listed = {0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99};
  for (unsigned code = 0; code < 256; ++code) {
    DoorWorld world;
    Talker client(world);
    client.connect("c");
    client.bytes(std::string("\x40\x03\x00\x01", 4) + static_cast<char>(code));
    if (listed.contains(static_cast<uint8_t>(code))) {
      EXPECT_TRUE(client.silent(10)) << code;
    } else {
      EXPECT_TRUE(client.ended_with(Reason::protocol_error)) << code;
    }
  }
  DoorWorld world;
  world.set_policy(deny_publish("secret"));
  Talker client(world);
  client.connect("c");
  client.subscribe("x");
  for (const char* topic : {"x", "nobody", "secret"}) {
    client.publish(topic, "", k1);
    for (am::Packet packet = client.any(); !std::holds_alternative<am::Ack>(packet); packet = client.any()) {
    }
    const auto code = static_cast<uint8_t>(client.last_bytes().size() > 4 ? client.last_bytes()[4] : 0);
    EXPECT_TRUE(listed.contains(code)) << topic;
  }
}

// [5 MQTT-3.4.2-2] [5 MQTT-3.4.2-3]
TEST(MqttRules, ShortenAPubackToFit) {
  const am::Ack packet{.type = PacketType::puback,
                       .packet_id = 1,
                       .reason = Reason::quota_exceeded,
                       .properties = {.reason_string = "because", .user_properties = {{"k", "v"}}}};
  const auto limited = [&](std::size_t bytes_max) {
    std::string out;
    EXPECT_TRUE(am::encode_limited(out, packet, Version::v5, bytes_max));
    return out;
  };
  EXPECT_EQ(limited(100), bytes_of(R"(40 { 0001 97 { 1F "because" 26 "k" "v" } })"));
  EXPECT_EQ(limited(20), bytes_of(R"(40 { 0001 97 { 26 "k" "v" } })"));
  EXPECT_EQ(limited(10), bytes_of("40 { 0001 97 }"));
}

}  // namespace
}  // namespace arena::gateway::mqtt::test
