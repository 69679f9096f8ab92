// Section 3.2 of the specification: CONNACK, and what it promises.
#include <set>

#include "gateway/mqtt/test_rules.h"

namespace arena::gateway::mqtt::test {
namespace {

// [5 MQTT-3.2.2-6] [5 MQTT-3.2.2-7] [5 MQTT-3.2.2-8] [3.1.1 MQTT-3.2.2-4] [3.1.1 MQTT-3.2.2-5]
TEST(MqttRules, RefuseWithAListedCodeAndNoSessionAndClose) {
  Options options;
  options.client_id_bytes_max = 30;
  DoorWorld world(1, options);
  world.set_policy(deny_publish("secret/#"));
  for (const Version version : kVersions) {
    Talker kept(world, version);
    kept.connect("has a session", false, 1000);
  }
  const std::pair<const char*, const char*> cases[] = {  // 3.1.1, 5; each of a client whose session is stored
      {R"(10 { "MQTT" 04 04 003C "has a session" "secret/x" "" })",
       R"(10 { "MQTT" 05 04 003C {} "has a session" {} "secret/x" "" })"},
      {R"(10 { "MQTT" 04 80 003C "has a session" "u" })", R"(10 { "MQTT" 05 80 003C {} "has a session" "u" })"},
      {R"(10 { "MQTT" 04 00 003C "" })", R"(10 { "MQTT" 05 00 003C { 15 "method" } "has a session" })"},
      {R"(10 { "MQTT" 06 00 003C "has a session" })", R"(10 { "MQTT" 05 00 003C { 21 0000 } "has a session" })"}};
  for (const auto& [old, current] : cases) {
    for (const Version version : kVersions) {
      SCOPED_TRACE(version == Version::v5 ? current : old);
      Talker client(world, version);
      client.bytes(bytes_of(version == Version::v5 ? current : old));
      const am::Connack answer = client.next<am::Connack>();
      EXPECT_FALSE(answer.session_present);
      const auto code = static_cast<unsigned char>(client.last_bytes()[3]);
      const std::set<unsigned> old_codes{1, 2, 4, 5}, codes{0x82, 0x86, 0x87, 0x8C};
      const std::set<unsigned>& listed = version == Version::v5 ? codes : old_codes;
      EXPECT_TRUE(listed.contains(code)) << static_cast<unsigned>(code);
      EXPECT_EQ(client.last_bytes()[2], 0);
      EXPECT_TRUE(client.closed());
    }
  }
}

// [3.1.1 MQTT-3.2.2-6]: more than 3.1.1 has a code for.
TEST(MqttRules, CloseOnOldClientsWithoutACodeForTheReason) {
  Options options;
  options.guarantee_max = k1;
  options.retain_available = false;
  DoorWorld world(1, options);
  Talker exacting(world, Version::v3_1_1), lasting(world, Version::v3_1_1);
  exacting.say(with_will(exacting, "c", "w", k2));
  EXPECT_TRUE(exacting.closed());
  am::Connect packet = with_will(lasting, "c", "w");
  packet.will->retain = true;
  lasting.say(packet);
  EXPECT_TRUE(lasting.closed());
}

// [5 MQTT-3.2.0-1] [5 MQTT-3.2.0-2] [3.1.1 MQTT-3.2.0-1]: what waits for the client waits for CONNACK too.
TEST(MqttRules, SayConnackFirstAndOnce) {
  for (const unsigned cores : {1u, 2u}) {
    for (const Version version : kVersions) {
      DoorWorld world(cores);
      Talker pub(world);
      pub.connect("pub");
      {
        Talker sub(world, version);
        sub.connect("sub", false, 100);
        sub.subscribe("x", k2);
        pub.publish("x", "under way", k1);
        sub.next<am::Publish>();
        pub.publish("x", "received", k2);
        const uint16_t id = sub.next<am::Publish>().packet_id;
        sub.ack(PacketType::pubrec, id);
        sub.acked(PacketType::pubrel, id);
        pub.any();
        pub.any();
      }
      pub.publish("x", "waiting", k1);
      pub.any();
      Talker sub(world, version, cores - 1);
      sub.bytes(sub.encoded(sub.connect_packet("sub", false, 100)) + sub.encoded(am::Pingreq{}));
      EXPECT_EQ(sub.next<am::Connack>().reason, Reason::success);
      for (int i = 0; i < 4; ++i) EXPECT_FALSE(std::holds_alternative<am::Connack>(sub.any()));
      EXPECT_TRUE(sub.silent());
    }
  }
}

// [5 MQTT-3.2.0-2] [5 MQTT-3.1.0-2] [3.1.1 MQTT-3.1.0-2]
TEST(MqttRules, AnswerNoSecondConnect) {
  for (const Version version : kVersions) {
    DoorWorld world;
    Talker client(world, version);
    client.bytes(client.encoded(client.connect_packet("c")) + client.encoded(client.connect_packet("d")) +
                 client.encoded(am::Pingreq{}));
    EXPECT_EQ(client.next<am::Connack>().reason, Reason::success);
    EXPECT_TRUE(client.ended_with(Reason::protocol_error));
  }
}

// [5 MQTT-3.2.2-1]: 1 or 0, of a session that was there, that was not, and when refused.
TEST(MqttRules, SetNoReservedFlagOfConnack) {
  DoorWorld world;
  for (const char expected : {'\0', '\1'}) {
    Talker client(world);
    client.connect("c", false, 100);
    EXPECT_EQ(client.last_bytes()[2], expected);
    client.vanish();
  }
  Talker refused(world);
  refused.bytes(bytes_of(R"(10 { "MQTT" 05 00 003C { 15 "method" } "c" })"));
  refused.next<am::Connack>();
  EXPECT_EQ(refused.last_bytes()[2], 0);
}

// [5 MQTT-3.2.2-9] [5 MQTT-3.2.2-10] [5 MQTT-3.2.2-11] [5 MQTT-3.2.2-12]
TEST(MqttRules, SayAndHoldAMaximumQos) {
  for (const Guarantee most : {k0, k1}) {
    Options options;
    options.guarantee_max = most;
    DoorWorld world(1, options);
    Talker client(world), testator(world);
    EXPECT_EQ(client.connect("c").properties.maximum_qos, static_cast<uint8_t>(most));
    for (const Guarantee asked : {k0, k1, k2}) {
      EXPECT_EQ(client.subscribe("x", asked), Reasons{static_cast<Reason>(std::min(asked, most))});
    }
    const auto above = static_cast<Guarantee>(static_cast<uint8_t>(most) + 1);
    client.publish("x", "", above);
    EXPECT_TRUE(client.ended_with(Reason::qos_not_supported));
    EXPECT_EQ(testator.connect(with_will(testator, "t", "w", above)).reason, Reason::qos_not_supported);
    EXPECT_TRUE(testator.closed());
    Talker fits(world);
    EXPECT_EQ(fits.connect(with_will(fits, "t", "w", most)).reason, Reason::success);
  }
}

// [5 MQTT-3.2.2-13] [5 MQTT-3.2.2-14]
TEST(MqttRules, SayAndHoldThatNothingIsRetained) {
  Options options;
  options.retain_available = false;
  DoorWorld world(1, options);
  Talker client(world), testator(world);
  EXPECT_EQ(client.connect("c").properties.retain_available, false);
  am::Publish publish = client.message("x", "");
  publish.retain = true;
  client.say(publish);
  EXPECT_TRUE(client.ended_with(Reason::retain_not_supported));
  am::Connect packet = with_will(testator, "t", "w");
  packet.will->retain = true;
  EXPECT_EQ(testator.connect(packet).reason, Reason::retain_not_supported);
  EXPECT_TRUE(testator.closed());
}

// [5 MQTT-3.2.2-18]
TEST(MqttRules, TakeNoAliasWhereNoneIsOffered) {
  Options options;
  options.topic_alias_max = 0;
  DoorWorld world(1, options);
  Talker client(world);
  EXPECT_EQ(client.connect("c").properties.topic_alias_maximum.value_or(0), 0);
  am::Publish packet = client.message("x", "");
  packet.properties.topic_alias = 1;
  client.say(packet);
  EXPECT_TRUE(client.ended_with(Reason::topic_alias_invalid));
}

// [5 MQTT-3.2.2-19]: the code comes, its text only where there is room.
TEST(MqttRules, LeaveAReasonStringOutThatDoesNotFit) {
  DoorWorld world;
  for (const uint32_t bytes_max : {20u, 1000u}) {
    Talker client(world);
    am::Connect packet = client.connect_packet("c");
    packet.properties.authentication_method = "SCRAM";
    packet.properties.maximum_packet_size = bytes_max;
    const am::Connack answer = client.connect(packet);
    EXPECT_EQ(answer.reason, Reason::bad_authentication_method);
    EXPECT_EQ(answer.properties.reason_string.has_value(), bytes_max == 1000);
    EXPECT_LE(client.last_bytes().size(), bytes_max);
    EXPECT_TRUE(client.closed());
  }
}

// [5 MQTT-3.2.2-19] [5 MQTT-3.2.2-20]
TEST(MqttRules, ShortenAConnackToFit) {
  const am::Connack packet{.reason = Reason::banned,
                           .properties = {.reason_string = "because", .user_properties = {{"k", "v"}}}};
  const auto limited = [&](std::size_t bytes_max) {
    std::string out;
    EXPECT_TRUE(am::encode_limited(out, packet, Version::v5, bytes_max));
    return out;
  };
  EXPECT_EQ(limited(100), bytes_of(R"(20 { 00 8A { 1F "because" 26 "k" "v" } })"));
  EXPECT_EQ(limited(20), bytes_of(R"(20 { 00 8A { 26 "k" "v" } })"));
  EXPECT_EQ(limited(10), bytes_of(R"(20 { 00 8A {} })"));
}

// [5 MQTT-3.1.2-28]
TEST(MqttRules, TellResponseInformationOnlyToThoseWhoAsk) {
  Options options;
  options.response_information = "answers/";
  DoorWorld world(1, options);
  for (const std::optional<bool> asked : {std::optional<bool>(), std::optional(false), std::optional(true)}) {
    Talker client(world);
    am::Connect packet = client.connect_packet("c");
    packet.properties.request_response_information = asked;
    EXPECT_EQ(client.connect(packet).properties.response_information.has_value(), asked == true);
  }
}

// [5 MQTT-3.1.2-29]: whatever is refused, its acknowledgement is bare; PUBLISH keeps its user properties.
TEST(MqttRules, TellNoProblemInformationToThoseWhoDoNotWantIt) {
  DoorWorld world;
  world.set_policy(deny_publish("secret/#"));
  Talker client(world);
  am::Connect packet = client.connect_packet("c");
  packet.properties.request_problem_information = false;
  client.connect(packet);
  const auto bare = [&](const am::ReasonProperties& properties) { return properties == am::ReasonProperties{}; };
  client.publish("secret/x", "", k1);
  EXPECT_TRUE(bare(client.next<am::Ack>().properties));
  client.publish("secret/x", "", k2);
  EXPECT_TRUE(bare(client.next<am::Ack>().properties));
  client.ack(PacketType::pubrel, 99);
  EXPECT_TRUE(bare(client.next<am::Ack>().properties));
  client.ack(PacketType::pubrec, 99);
  EXPECT_TRUE(bare(client.next<am::Ack>().properties));
  client.say(subscribe_packet(10, "$share/g/x"));
  EXPECT_TRUE(bare(client.next<am::Suback>().properties));
  client.say(unsubscribe_packet(11, "never"));
  EXPECT_TRUE(bare(client.next<am::Unsuback>().properties));
  client.subscribe("x");
  am::Publish publish = client.message("x", "");
  publish.properties.user_properties = {{"k", "v"}};
  client.say(publish);
  EXPECT_EQ(client.next<am::Publish>().properties.user_properties, publish.properties.user_properties);
}

}  // namespace
}  // namespace arena::gateway::mqtt::test
