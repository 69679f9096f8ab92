// Enhanced authentication, section 4.12, of a server that has no method for it: packet by packet, in virtual time.
#include "gateway/mqtt/test_rules.h"

namespace arena::gateway::mqtt::test {
namespace {

am::Auth auth_packet(Reason reason) {
  am::Auth packet;
  packet.reason = reason;
  packet.properties.authentication_method = "m";
  return packet;
}

// The CONNACK names no method that the client did not, and there is no AUTH before or behind it.
// [5 MQTT-4.12.0-1] [5 MQTT-4.12.0-2] [5 MQTT-4.12.0-4] [5 MQTT-4.12.0-5]
TEST(MqttAuth, RefusesEveryMethodAtOnce) {
  DoorWorld world;
  for (const bool pushes_on : {false, true}) {
    Talker client(world);
    am::Connect packet = client.connect_packet("c");
    packet.properties.authentication_method = "m";
    packet.properties.authentication_data = "data";
    client.bytes(client.encoded(packet) + (pushes_on ? client.encoded(auth_packet(Reason::continue_authentication)) : ""));
    const auto answer = client.next<am::Connack>();
    EXPECT_EQ(answer.reason, Reason::bad_authentication_method);
    EXPECT_EQ(answer.properties.authentication_method.value_or("m"), "m");
    EXPECT_TRUE(client.closed());
  }
}

// [5 MQTT-4.12.0-2]: the codec knows that only a server may say success, and only a client "again".
TEST(MqttAuth, HasCodesForEachSide) {
  for (unsigned code = 0; code < 256; ++code) {
    std::string bytes;
    ASSERT_TRUE(am::encode(bytes, auth_packet(static_cast<Reason>(code)), Version::v5));
    const auto result = am::decode(bytes, Version::v5, am::Role::client, {});
    EXPECT_EQ(std::holds_alternative<am::Decoded>(result), code == 0x00 || code == 0x18) << code;
  }
}

// [5 MQTT-4.12.0-6]: whether it is let in or not.
TEST(MqttAuth, IsNotSpokenOfToThoseWhoDoNot) {
  DoorWorld world;
  Talker client(world), refused(world);
  const auto answer = client.connect("c");
  EXPECT_EQ(answer.reason, Reason::success);
  EXPECT_FALSE(answer.properties.authentication_method);
  EXPECT_FALSE(answer.properties.authentication_data);
  EXPECT_TRUE(client.silent(10'000));
  const auto refusal = refused.connect(std::string(1000, 'c'));
  EXPECT_TRUE(am::is_error(refusal.reason));
  EXPECT_FALSE(refusal.properties.authentication_method);
  EXPECT_TRUE(refused.closed());
}

// [5 MQTT-4.12.0-7] [5 MQTT-4.12.1-1] [5 MQTT-4.12.1-2]: before CONNACK, behind it, and with no method named.
TEST(MqttAuth, EndsThoseWhoBeginItAnew) {
  DoorWorld world;
  Talker first(world), behind(world), nameless(world);
  first.say(auth_packet(Reason::reauthenticate));
  EXPECT_TRUE(first.closed());
  behind.bytes(behind.encoded(behind.connect_packet("behind")) + behind.encoded(auth_packet(Reason::reauthenticate)));
  EXPECT_EQ(behind.next<am::Connack>().reason, Reason::success);
  EXPECT_TRUE(behind.ended_with(Reason::protocol_error));
  for (const Reason reason : {Reason::continue_authentication, Reason::reauthenticate}) {
    Talker client(world);
    client.connect("later");
    client.say(auth_packet(reason));
    EXPECT_TRUE(client.ended_with(Reason::protocol_error));
  }
  nameless.connect("nameless");
  nameless.bytes(bytes_of("F0 { 19 {} }"));
  EXPECT_TRUE(nameless.ended_with(Reason::protocol_error));
}

}  // namespace
}  // namespace arena::gateway::mqtt::test
