// Chapters 1 and 2 of the specification: text, numbers, flags, packet identifiers. Byte for byte, in virtual time.
#include <map>
#include <set>

#include "gateway/mqtt/test_rules.h"

namespace arena::gateway::mqtt::test {
namespace {

// A PUBLISH, a SUBSCRIBE and an UNSUBSCRIBE whose topic or filter has these bytes (length and content in hex).
std::vector<std::string> with_text(Version version, const std::string& text) {
  const std::string properties = version == Version::v5 ? " {} " : " ";
  return {"30 { " + text + properties + "'x' }", "82 { 0001" + properties + text + " 00 }",
          "A2 { 0001" + properties + text + " }"};
}

// [5 MQTT-1.5.4-1] [3.1.1 MQTT-1.5.3-1]
TEST(MqttRules, EndAtTextThatIsNotUtf8) {
  const char* texts[] = {"0001 FF",       "0001 80",          "0002 C080",  // an overlong U+0000
                         "0002 E282",     "0003 EDA080",      "0003 EDBFBF",  // cut; the first and last surrogate
                         "0003 E08080",   "0004 F4908080",    "0003 'a' ED A0"};  // above U+10FFFF; cut
  for (const Version version : kVersions) {
    for (const char* text : texts) {
      for (const std::string& packet : with_text(version, text)) expect_end(version, packet);
    }
  }
}

// [5 MQTT-1.5.4-2] [3.1.1 MQTT-1.5.3-2]
TEST(MqttRules, EndAtTextWithANullCharacter) {
  for (const Version version : kVersions) {
    for (const char* text : {"0001 00", "0003 'a' 00 'b'"}) {
      for (const std::string& packet : with_text(version, text)) expect_end(version, packet);
    }
  }
}

// [5 MQTT-1.5.4-3] [3.1.1 MQTT-1.5.3-3]: U+FEFF is a character like others, also in front.
TEST(MqttRules, KeepAByteOrderMark) {
  DoorWorld world;
  for (const Version version : kVersions) {
    Talker client(world, version);
    client.connect("c");
    client.subscribe("\xEF\xBB\xBF" "a");
    client.publish("a", "without");
    client.publish("\xEF\xBB\xBF" "a", "with");
    const auto got = client.next<am::Publish>();
    EXPECT_EQ(got.topic, "\xEF\xBB\xBF" "a");
    EXPECT_EQ(got.payload, "with");
  }
}

// [5 MQTT-1.5.5-1]: the remaining length, a property length and a property's value; and what the server sends.
TEST(MqttRules, TakeAndSendNumbersInTheirShortestForm) {
  expect_end(Version::v5, "C0 8000");
  expect_end(Version::v5, R"(30 85808000 "a" {} 'x')");
  expect_end(Version::v5, R"(30 { "t" 8000 })");
  expect_end(Version::v5, R"(82 { 0001 { 0B 8100 } "a" 00 })");
  DoorWorld world;
  Talker client(world);
  client.connect("c");
  am::Subscribe subscribe = subscribe_packet(1, "x");
  for (const uint32_t id : {127u, 128u, 16'384u, 268'435'455u}) {
    subscribe.properties.subscription_identifier = id;
    client.subscribe(subscribe);
    client.publish("x", std::string(127, 'p'));
    client.next<am::Publish>();
    const std::string number = id == 127 ? "7F" : id == 128 ? "8001" : id == 16'384 ? "808001" : "FFFFFF7F";
    EXPECT_EQ(client.last_bytes(), bytes_of(R"(30 { "x" { 0B )" + number + " } '" + std::string(127, 'p') + "' }"));
  }
}

// [5 MQTT-1.5.7-1]
TEST(MqttRules, EndAtUserPropertiesThatAreNotText) {
  for (const char* pair : {"0001 FF 0001 'v'", "0001 'k' 0001 FF", "0001 00 0001 'v'", "0001 'k' 0003 EDA080"}) {
    const std::string property = std::string("26 ") + pair;
    expect_end(Version::v5, "30 { 0001 't' { " + property + " } }");
    expect_end(Version::v5, "82 { 0001 { " + property + " } 0001 'a' 00 }");
    expect_end(Version::v5, "E0 { 00 { " + property + " } }");
    expect_no_entry(Version::v5, "10 { 0004 'MQTT' 05 02 003C { " + property + " } 0001 'c' }");
  }
}

// [5 MQTT-2.1.3-1] [3.1.1 MQTT-2.2.2-1] [3.1.1 MQTT-2.2.2-2]
TEST(MqttRules, EndAtReservedFlagsThatAreNotAsTheyMustBe) {
  struct Kind {
    unsigned type, flags;
    const char *body, *body_v5;
  };
  const Kind kinds[] = {{4, 0, "{ 0001 }", "{ 0001 }"},          {5, 0, "{ 0001 }", "{ 0001 }"},
                        {6, 2, "{ 0001 }", "{ 0001 }"},          {7, 0, "{ 0001 }", "{ 0001 }"},
                        {8, 2, R"({ 0001 "a" 00 })", R"({ 0001 {} "a" 00 })"},
                        {10, 2, R"({ 0001 "a" })", R"({ 0001 {} "a" })"},
                        {12, 0, "{}", "{}"},                     {14, 0, "{}", "{}"}};
  const auto hex = [](unsigned digit) { return std::string(1, "0123456789ABCDEF"[digit]); };
  for (const Kind& kind : kinds) {
    for (unsigned flags = 0; flags < 16; ++flags) {
      if (flags == kind.flags) continue;
      const std::string first = hex(kind.type) + hex(flags) + " ";
      expect_end(Version::v3_1_1, first + kind.body);
      expect_end(Version::v5, first + kind.body_v5);
    }
  }
  expect_no_entry(Version::v3_1_1, R"(11 { "MQTT" 04 02 003C "c" })");
  expect_no_entry(Version::v5, R"(12 { "MQTT" 05 02 003C {} "c" })");
}

// [5 MQTT-2.1.3-1] [3.1.1 MQTT-2.2.2-1]
TEST(MqttRules, SendReservedFlagsAsTheyMustBe) {
  for (const Version version : kVersions) {
    DoorWorld world;
    Talker client(world, version);
    const auto first = [&] { return static_cast<unsigned char>(client.last_bytes()[0]); };
    client.connect("c");
    EXPECT_EQ(first(), 0x20);
    client.subscribe("x", k2);
    EXPECT_EQ(first(), 0x90);
    client.publish("y", "", k1);
    client.acked(PacketType::puback, 2);
    EXPECT_EQ(first(), 0x40);
    client.publish("y", "", k2);
    client.acked(PacketType::pubrec, 3);
    EXPECT_EQ(first(), 0x50);
    client.ack(PacketType::pubrel, 3);
    client.acked(PacketType::pubcomp, 3);
    EXPECT_EQ(first(), 0x70);
    client.say(unsubscribe_packet(4, "y"));
    client.next<am::Unsuback>();
    EXPECT_EQ(first(), 0xB0);
    client.say(am::Pingreq{});
    client.next<am::Pingresp>();
    EXPECT_EQ(first(), 0xD0);
    Talker other(world);
    other.connect("other");
    other.publish("x", "", k2);
    const uint16_t id = client.next<am::Publish>().packet_id;
    client.ack(PacketType::pubrec, id);
    client.acked(PacketType::pubrel, id);
    EXPECT_EQ(first(), 0x62);
    client.say(client.connect_packet("c"));
    if (version != Version::v5) continue;
    client.next<am::Disconnect>();
    EXPECT_EQ(first(), 0xE0);
  }
}

// [5 MQTT-2.2.1-2] [3.1.1 MQTT-2.3.1-5]: with QoS 0 the payload follows the topic (and the properties) at once.
TEST(MqttRules, GiveNoPacketIdentifierToQos0) {
  DoorWorld world;
  for (const Version version : kVersions) {
    Talker client(world, version);
    client.connect("c");
    client.subscribe("t", k2);
    const bool v5 = version == Version::v5;
    const std::string packet = bytes_of(v5 ? R"(30 { "t" {} 0007 'x' })" : R"(30 { "t" 0007 'x' })");
    client.bytes(packet);
    EXPECT_EQ(client.next<am::Publish>().payload, std::string_view("\0\7x", 3));
    EXPECT_EQ(client.last_bytes(), packet);
  }
}

// [5 MQTT-2.2.1-3] [3.1.1 MQTT-2.3.1-1]
TEST(MqttRules, EndAtPacketIdentifier0) {
  for (const char* packet : {R"(32 { "t" 0000 'x' })", R"(34 { "t" 0000 'x' })", R"(82 { 0000 "t" 00 })",
                             R"(A2 { 0000 "t" })"}) {
    expect_end(Version::v3_1_1, packet, Reason::protocol_error);
  }
  for (const char* packet : {R"(32 { "t" 0000 {} 'x' })", R"(34 { "t" 0000 {} 'x' })", R"(82 { 0000 {} "t" 00 })",
                             R"(A2 { 0000 {} "t" })"}) {
    expect_end(Version::v5, packet, Reason::protocol_error);
  }
}

// [5 MQTT-2.2.1-3]: until PUBREL the identifier belongs to the first message.
TEST(MqttRules, RefuseAnIdentifierThatAnExactlyOnceMessageHas) {
  DoorWorld world;
  Talker client(world);
  client.connect("c");
  client.subscribe("#");
  client.packet_id = 4;
  client.publish("x", "first", k2);
  EXPECT_EQ(client.next<am::Publish>().payload, "first");
  client.acked(PacketType::pubrec, 5);
  EXPECT_EQ(client.subscribe(subscribe_packet(5, "y")), Reasons{Reason::packet_identifier_in_use});
  client.say(unsubscribe_packet(5, "#"));
  EXPECT_EQ(client.next<am::Unsuback>().reasons, Reasons{Reason::packet_identifier_in_use});
  client.packet_id = 4;
  client.publish("x", "second", k1);
  EXPECT_EQ(client.acked(PacketType::puback, 5), Reason::packet_identifier_in_use);
  EXPECT_TRUE(client.silent());
  client.ack(PacketType::pubrel, 5);
  client.acked(PacketType::pubcomp, 5);
  EXPECT_EQ(client.subscribe(subscribe_packet(5, "y")), Reasons{Reason::success});
}

// [5 MQTT-2.2.1-3]: a SUBSCRIBE that is still worked on has its identifier, and no other packet.
TEST(MqttRules, RefuseAnIdentifierThatARequestHas) {
  DoorWorld world(2);  // the filter has to be told to the other core first
  Talker client(world);
  client.connect("c");
  am::Publish publish = client.message("x", "", k2);
  publish.packet_id = 9;
  client.bytes(client.encoded(subscribe_packet(9, "a")) + client.encoded(subscribe_packet(9, "b")) +
               client.encoded(unsubscribe_packet(9, "a")) + client.encoded(publish));
  EXPECT_EQ(client.next<am::Suback>().reasons, Reasons{Reason::packet_identifier_in_use});
  EXPECT_EQ(client.next<am::Unsuback>().reasons, Reasons{Reason::packet_identifier_in_use});
  EXPECT_EQ(client.acked(PacketType::pubrec, 9), Reason::packet_identifier_in_use);
  EXPECT_EQ(client.next<am::Suback>().reasons, Reasons{Reason::success});
}

// [3.1.1 MQTT-2.3.1-2] [3.1.1 MQTT-2.3.1-3]: 3.1.1 has no code for it, so the connection ends (section 4.8).
TEST(MqttRules, EndOldClientsThatTakeAnIdentifierInUse) {
  DoorWorld world;
  const std::string_view intruders[] = {R"(82 { 0005 "y" 00 })", R"(A2 { 0005 "y" })", R"(32 { "x" 0005 'second' })"};
  for (const std::string_view intruder : intruders) {
    Talker client(world, Version::v3_1_1);
    client.connect("c");
    client.bytes(bytes_of(R"(34 { "x" 0005 'first' })"));
    client.acked(PacketType::pubrec, 5);
    client.bytes(bytes_of(R"(3C { "x" 0005 'first' })"));  // the same again is no intruder
    client.acked(PacketType::pubrec, 5);
    client.bytes(bytes_of(intruder));
    EXPECT_TRUE(client.closed()) << intruder;
  }
}

// [5 MQTT-2.2.1-4] [3.1.1 MQTT-2.3.1-1] [3.1.1 MQTT-2.3.1-4]
TEST(MqttRules, GiveEachMessageAnIdentifierOfItsOwn) {
  for (const Version version : kVersions) {
    DoorWorld world;
    Talker pub(world), sub(world, version);
    pub.connect("pub");
    sub.connect("sub");
    sub.subscribe("x", k2);
    std::map<uint16_t, Guarantee> open;
    for (int i = 0; i < 200; ++i) {
      pub.publish("x", "", i % 2 == 0 ? k1 : k2);
      const auto got = sub.next<am::Publish>();
      EXPECT_NE(got.packet_id, 0);
      EXPECT_TRUE(open.emplace(got.packet_id, got.qos).second) << got.packet_id << " is in use";
      pub.any();
      if (i % 3 != 0 || open.begin()->second != k1) continue;  // some are settled, others stay
      sub.ack(PacketType::puback, open.begin()->first);
      open.erase(open.begin());
    }
  }
}

// [5 MQTT-2.2.1-5] [3.1.1 MQTT-2.3.1-6]
TEST(MqttRules, AcknowledgeUnderTheIdentifierOfThePublish) {
  for (const Version version : kVersions) {
    DoorWorld world;
    Talker client(world, version), sub(world, version);
    client.connect("c");
    client.packet_id = 776;
    client.publish("y", "", k1);
    client.acked(PacketType::puback, 777);
    client.packet_id = 65'534;
    client.publish("y", "", k2);
    client.acked(PacketType::pubrec, 65'535);
    client.ack(PacketType::pubrel, 65'535);
    client.acked(PacketType::pubcomp, 65'535);
    sub.connect("sub");
    sub.subscribe("x", k2);
    client.packet_id = 0;
    client.publish("x", "1", k2);
    client.publish("x", "2", k2);
    const uint16_t first = sub.next<am::Publish>().packet_id;
    const uint16_t second = sub.next<am::Publish>().packet_id;
    for (const uint16_t id : {second, first}) {
      sub.ack(PacketType::pubrec, id);
      sub.acked(PacketType::pubrel, id);
    }
  }
}

// [5 MQTT-2.2.1-6] [3.1.1 MQTT-2.3.1-7]
TEST(MqttRules, AnswerRequestsUnderTheirIdentifier) {
  for (const Version version : kVersions) {
    DoorWorld world(2);
    Talker client(world, version);
    client.connect("c");
    client.bytes(client.encoded(subscribe_packet(300, "a")) + client.encoded(subscribe_packet(7, "b")) +
                 client.encoded(unsubscribe_packet(65'535, "never")));
    std::set<uint16_t> subacks, unsubacks;
    for (int i = 0; i < 3; ++i) {
      const am::Packet packet = client.any();
      if (const auto* suback = std::get_if<am::Suback>(&packet)) subacks.insert(suback->packet_id);
      if (const auto* unsuback = std::get_if<am::Unsuback>(&packet)) unsubacks.insert(unsuback->packet_id);
    }
    EXPECT_EQ(subacks, (std::set<uint16_t>{7, 300}));
    EXPECT_EQ(unsubacks, (std::set<uint16_t>{65'535}));
  }
}

// [5 MQTT-2.2.2-1]: no properties are a length of 0, not nothing; both ways.
TEST(MqttRules, WriteNoPropertiesAsLength0) {
  expect_end(Version::v5, R"(30 { "t" })");
  expect_end(Version::v5, R"(82 { 0001 "a" 00 })");
  expect_no_entry(Version::v5, R"(10 { "MQTT" 05 02 003C "c" })");
  expect_no_entry(Version::v5, R"(10 { "MQTT" 05 06 003C {} "c" "w" "bye" })");
  DoorWorld world;
  Talker client(world);
  client.connect("c");
  client.subscribe("t");
  EXPECT_EQ(client.last_bytes(), bytes_of("90 { 0001 {} 00 }"));
  client.publish("t", "x");
  client.next<am::Publish>();
  EXPECT_EQ(client.last_bytes(), bytes_of(R"(30 { "t" {} 'x' })"));
}

}  // namespace
}  // namespace arena::gateway::mqtt::test
