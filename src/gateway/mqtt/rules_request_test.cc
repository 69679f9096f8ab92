// What clients may not send, and what becomes of those who do: packet by packet, in virtual time.
#include <set>

#include "gateway/mqtt/test_rules.h"

namespace arena::gateway::mqtt::test {
namespace {

am::Ack ack_packet(PacketType type, Reason reason = Reason::success) {
  am::Ack packet;
  packet.type = type;
  packet.packet_id = 1;
  packet.reason = reason;
  return packet;
}

// With these lower four bits it is answered, with any others it is the end.
void expect_only_flags(const am::Packet& packet, unsigned good) {
  DoorWorld world;
  for (const Version version : kVersions) {
    for (unsigned flags = 0; flags < 16; ++flags) {
      Talker client(world, version);
      client.connect("c");
      std::string bytes = client.encoded(packet);
      bytes[0] = static_cast<char>((static_cast<unsigned char>(bytes[0]) & 0xF0U) | flags);
      client.bytes(bytes);
      if (flags == good) {
        EXPECT_NE(am::packet_type(client.any()), PacketType::disconnect);
      } else {
        EXPECT_TRUE(client.ended_with(Reason::malformed_packet)) << flags;
      }
    }
  }
}

// [5 MQTT-3.6.1-1] [3.1.1 MQTT-3.6.1-1]
TEST(MqttRules, EndAtPubrelWithOtherFlags) { expect_only_flags(ack_packet(PacketType::pubrel), 2); }

// [5 MQTT-3.8.1-1] [3.1.1 MQTT-3.8.1-1]
TEST(MqttRules, EndAtSubscribeWithOtherFlags) { expect_only_flags(subscribe_packet(1, "a"), 2); }

// [5 MQTT-3.10.1-1] [3.1.1 MQTT-3.10.1-1]
TEST(MqttRules, EndAtUnsubscribeWithOtherFlags) { expect_only_flags(unsubscribe_packet(1, "a"), 2); }

// The flag that PUBREL has on its way out, too: its bytes as they are.
// [5 MQTT-3.6.1-1] [3.1.1 MQTT-3.6.1-1]
TEST(MqttRules, SendPubrelWithItsFlags) {
  DoorWorld world;
  for (const Version version : kVersions) {
    Talker client(world, version);
    client.connect("c");
    client.subscribe("x", k2);
    client.publish("x", "", k2);
    for (int i = 0; i < 2; ++i) {
      const am::Packet packet = client.any();
      if (const auto* publish = std::get_if<am::Publish>(&packet)) client.ack(PacketType::pubrec, publish->packet_id);
    }
    client.next<am::Ack>();
    EXPECT_EQ(static_cast<unsigned char>(client.last_bytes().at(0)), 0x62);
  }
}

// With other flags it is no DISCONNECT: the will is not taken back.
// [5 MQTT-3.14.1-1] [3.1.1 MQTT-3.14.1-1]
TEST(MqttRules, EndAtDisconnectWithOtherFlags) {
  DoorWorld world;
  Talker heir(world);
  heir.connect("heir");
  heir.subscribe("will");
  for (const Version version : kVersions) {
    for (unsigned flags = 0; flags < 16; ++flags) {
      Talker client(world, version);
      am::Connect packet = client.connect_packet("c");
      packet.will.emplace();
      packet.will->topic = "will";
      packet.will->payload = "wronged";
      client.connect(packet);
      std::string bytes = client.encoded(am::Disconnect{});
      bytes[0] = static_cast<char>(0xE0 | flags);
      client.bytes(bytes);
      EXPECT_TRUE(flags == 0 ? client.closed() : client.ended_with(Reason::malformed_packet)) << flags;
      if (flags != 0) {
        EXPECT_EQ(heir.next<am::Publish>().payload, "wronged");
      }
    }
  }
  EXPECT_TRUE(heir.silent());
}

// [5 MQTT-3.15.1-1]: apart from what is said to an AUTH that nobody asked for.
TEST(MqttRules, EndAtAuthWithOtherFlags) {
  DoorWorld world;
  for (unsigned flags = 0; flags < 16; ++flags) {
    Talker client(world);
    client.connect("c");
    am::Auth packet;
    packet.reason = Reason::reauthenticate;
    packet.properties.authentication_method = "m";
    std::string bytes = client.encoded(packet);
    bytes[0] = static_cast<char>(0xF0 | flags);
    client.bytes(bytes);
    EXPECT_TRUE(client.ended_with(flags == 0 ? Reason::protocol_error : Reason::malformed_packet)) << flags;
  }
}

// [5 MQTT-3.8.3-1] [3.1.1 MQTT-3.8.3-1] [5 MQTT-3.10.3-1] [3.1.1 MQTT-3.10.3-1]
TEST(MqttRules, EndAtFiltersThatAreNoText) {
  DoorWorld world;
  for (const Version version : kVersions) {
    for (const std::string_view filter : {"a/\xff", "a/\xed\xa0\x80", "\xc0\x80", "a/\xe2\x82"}) {
      Talker in(world, version), out(world, version);
      in.connect("in");
      in.say(subscribe_packet(1, filter));
      EXPECT_TRUE(in.ended_with(Reason::malformed_packet));
      out.connect("out");
      out.say(unsubscribe_packet(1, filter));
      EXPECT_TRUE(out.ended_with(Reason::malformed_packet));
    }
  }
}

// [5 MQTT-3.8.3-2] [3.1.1 MQTT-3.8.3-3] [5 MQTT-3.10.3-2] [3.1.1 MQTT-3.10.3-2]
TEST(MqttRules, EndAtSubscribeAndUnsubscribeOfNothing) {
  DoorWorld world;
  for (const Version version : kVersions) {
    Talker in(world, version), out(world, version);
    am::Subscribe nothing;
    nothing.packet_id = 1;
    in.connect("in");
    in.say(nothing);
    EXPECT_TRUE(in.ended_with(Reason::protocol_error));
    am::Unsubscribe no_more;
    no_more.packet_id = 1;
    out.connect("out");
    out.say(no_more);
    EXPECT_TRUE(out.ended_with(Reason::protocol_error));
  }
}

// [5 MQTT-3.8.3-5] [3.1.1 MQTT-3.8.3-4]
TEST(MqttRules, EndAtReservedSubscriptionOptions) {
  DoorWorld world;
  const std::pair<Version, std::vector<unsigned>> reserved[] = {
      {Version::v3_1_1, {0x04, 0x08, 0x10, 0x20, 0x40, 0x80, 0x03}}, {Version::v5, {0x40, 0x80, 0xC0}}};
  for (const auto& [version, values] : reserved) {
    for (const unsigned options : values) {
      Talker client(world, version);
      client.connect("c");
      std::string bytes = client.encoded(subscribe_packet(1, "a"));
      bytes.back() = static_cast<char>(options);
      client.bytes(bytes);
      EXPECT_TRUE(client.ended_with(Reason::malformed_packet)) << options;
    }
  }
}

// [5 MQTT-3.8.3-4]
TEST(MqttRules, EndAtNoLocalOnASharedSubscription) {
  DoorWorld world;
  Talker client(world);
  client.connect("c");
  am::Subscribe packet = subscribe_packet(1, "$share/g/a");
  packet.subscriptions[0].no_local = true;
  client.say(packet);
  EXPECT_TRUE(client.ended_with(Reason::protocol_error));
}

// [5 MQTT-3.12.4-1] [3.1.1 MQTT-3.12.4-1]
TEST(MqttRules, AnswerEveryPing) {
  DoorWorld world;
  for (const Version version : kVersions) {
    Talker client(world, version);
    client.connect("c");
    client.bytes(client.encoded(am::Pingreq{}) + client.encoded(am::Pingreq{}));
    client.next<am::Pingresp>();
    client.next<am::Pingresp>();
    EXPECT_TRUE(client.silent());
  }
}

// Any other code is the end, and none of these is.
void expect_only_reasons(PacketType type, const std::set<unsigned>& listed) {
  DoorWorld world;
  Talker talkative(world);
  talkative.connect("talkative");
  for (unsigned code = 0; code < 256; ++code) {
    const am::Packet packet = ack_packet(type, static_cast<Reason>(code));
    if (listed.contains(code)) {
      talkative.say(packet);
      world.run_ms(10);
      EXPECT_FALSE(talkative.is_closed()) << code;
      continue;
    }
    Talker client(world);
    client.connect("c");
    client.say(packet);
    EXPECT_TRUE(client.ended_with(Reason::protocol_error)) << code;
  }
}

// [5 MQTT-3.5.2-1] [5 MQTT-3.6.2-1] [5 MQTT-3.7.2-1]
TEST(MqttRules, EndAtAcknowledgementsWithReasonsOfOtherPackets) {
  expect_only_reasons(PacketType::pubrec, {0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99});
  expect_only_reasons(PacketType::pubrel, {0x00, 0x92});
  expect_only_reasons(PacketType::pubcomp, {0x00, 0x92});
}

// [5 MQTT-3.5.2-1] [5 MQTT-3.6.2-1] [5 MQTT-3.7.2-1]
TEST(MqttRules, AcknowledgeWithReasonsOfTheirPackets) {
  DoorWorld world;
  access::Rule rule;
  rule.allow = false;
  rule.publish = true;
  rule.filter = "secret";
  world.set_policy({rule});
  Talker client(world);
  client.connect("c");
  const std::tuple<const char*, Reason, Reason> cases[] = {
      {"nobody", Reason::no_matching_subscribers, Reason::success},
      {"secret", Reason::not_authorized, Reason::packet_identifier_not_found}};
  for (const auto& [topic, pubrec, pubcomp] : cases) {
    client.publish(topic, "", k2);
    EXPECT_EQ(client.acked(PacketType::pubrec, client.packet_id), pubrec);
    client.ack(PacketType::pubrel, client.packet_id);
    EXPECT_EQ(client.acked(PacketType::pubcomp, client.packet_id), pubcomp);
  }
  client.subscribe("x", k2);
  Talker other(world);
  other.connect("other");
  other.publish("x", "", k2);
  const uint16_t id = client.next<am::Publish>().packet_id;
  client.ack(PacketType::pubrec, id);
  EXPECT_EQ(client.acked(PacketType::pubrel, id), Reason::success);
  client.ack(PacketType::pubrec, 77);
  EXPECT_EQ(client.acked(PacketType::pubrel, 77), Reason::packet_identifier_not_found);
  client.ack(PacketType::pubrec, 78, Reason::quota_exceeded);  // which ends what there may have been
  EXPECT_TRUE(client.silent());
}

// [5 MQTT-3.14.2-1]: what a client may say, each followed by the end, and only the others by a complaint.
TEST(MqttRules, TakeDisconnectWithItsReasonsAlone) {
  DoorWorld world;
  const std::set<unsigned> listed = {0x00, 0x04, 0x80, 0x81, 0x82, 0x83, 0x8C, 0x90,
                                     0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99};
  for (unsigned code = 0; code < 256; ++code) {
    Talker client(world);
    client.connect("c");
    am::Disconnect packet;
    packet.reason = static_cast<Reason>(code);
    client.say(packet);
    EXPECT_TRUE(listed.contains(code) ? client.closed() : client.ended_with(Reason::protocol_error)) << code;
  }
}

// The reason that Arena would give is not always one of DISCONNECT's; [5 MQTT-3.14.2-1] binds it all the same.
TEST(MqttRules, GiveDisconnectOnlyItsReasons) {
  const std::set<unsigned> listed = {0x00, 0x80, 0x81, 0x82, 0x83, 0x87, 0x89, 0x8B, 0x8C, 0x8D, 0x8E, 0x8F, 0x90, 0x93, 0x94,
                                     0x95, 0x96, 0x97, 0x98, 0x99, 0x9A, 0x9B, 0x9C, 0x9D, 0x9E, 0x9F, 0xA0, 0xA1, 0xA2};
  for (unsigned code = 0; code < 256; ++code) {
    EXPECT_EQ(am::may_send(am::Role::server, static_cast<uint8_t>(code), PacketType::disconnect), listed.contains(code)) << code;
  }
}

// [5 MQTT-3.15.2-1] [5 MQTT-4.12.0-3]: of a client's AUTH. Success is for the server to say.
TEST(MqttRules, TakeAuthWithItsReasonsAlone) {
  for (unsigned code = 0; code < 256; ++code) {
    am::Auth packet;
    packet.reason = static_cast<Reason>(code);
    packet.properties.authentication_method = "m";
    std::string bytes;
    ASSERT_TRUE(am::encode(bytes, packet, Version::v5));
    const auto result = am::decode(bytes, Version::v5, am::Role::server, {});
    EXPECT_EQ(std::holds_alternative<am::Decoded>(result), code == 0x18 || code == 0x19) << code;
  }
}

// Everything here is a violation of either version, and ends the connection that carried it, and no other.
// [5 MQTT-4.13.1-1] [3.1.1 MQTT-4.8.0-1]
TEST(MqttRules, EndTheConnectionThatBroughtTheViolation) {
  DoorWorld world;
  const std::pair<std::string, Reason> cases[] = {
      {std::string("\x82\x01\x00", 3), Reason::malformed_packet},                // SUBSCRIBE that ends in its packet id
      {std::string("\x82\x06\x00\x00\x00\x00\x00\x00", 8), Reason::protocol_error},  // and one with packet id 0
      {std::string("\x36\x04\x00\x01x\x00", 6), Reason::malformed_packet},       // QoS 3
      {std::string("\xc1\x00", 2), Reason::malformed_packet},                    // PINGREQ with flags
      {std::string("\x00\x00", 2), Reason::malformed_packet},                    // reserved type
      {std::string("\xc0\xff\xff\xff\xff\x01", 6), Reason::malformed_packet},    // a length of five bytes
      {std::string("\x20\x02\x00\x00", 4), Reason::protocol_error},              // CONNACK
      {std::string("\xd0\x00", 2), Reason::protocol_error},                      // PINGRESP
      {std::string("\xb0\x02\x00\x01", 4), Reason::protocol_error},              // UNSUBACK
  };
  for (const Version version : kVersions) {
    Talker bystander(world, version);
    bystander.connect("bystander");
    for (const auto& [bytes, reason] : cases) {
      Talker client(world, version);
      client.connect("c");
      client.bytes(bytes);
      EXPECT_TRUE(client.ended_with(reason)) << static_cast<unsigned>(static_cast<unsigned char>(bytes[0]));
    }
    EXPECT_TRUE(bystander.silent());
  }
}

// A publish that cannot be stored: MQTT 3.1.1 has no word for it but the end. [3.1.1 MQTT-4.8.0-2]
TEST(MqttRules, EndTheConnectionWhosePublishFailsForNow) {
  DoorWorld world;
  Talker sub(world), pub(world, Version::v3_1_1), newer(world);
  sub.connect("sub", true, 100);
  sub.subscribe("x", k1);
  pub.connect("pub");
  newer.connect("newer");
  world.broker.disk().set_bytes_max(1);
  newer.publish("x", "lost", k1);
  EXPECT_EQ(newer.acked(PacketType::puback, 1), Reason::quota_exceeded);
  pub.publish("x", "lost", k1);
  EXPECT_TRUE(pub.closed());
  EXPECT_TRUE(sub.silent() && newer.silent());
}

}  // namespace
}  // namespace arena::gateway::mqtt::test
