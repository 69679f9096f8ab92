// What is left out of a packet so that it fits the peer's Maximum Packet Size, and what becomes of who does not.
#include "gateway/mqtt/test_rules.h"

namespace arena::gateway::mqtt::test {
namespace {

// First the reason string goes, then the user properties, then nothing is sent.
template <typename P>
void expect_left_out(P packet) {
  packet.properties.reason_string = "because";
  packet.properties.user_properties = {{"name", "value"}};
  const auto fitted = [&](std::size_t bytes_max) {
    std::string out;
    EXPECT_TRUE(am::encode_limited(out, packet, Version::v5, bytes_max));
    EXPECT_LE(out.size(), bytes_max);
    return out;
  };
  const std::size_t whole = *am::encoded_size(packet, Version::v5);
  EXPECT_EQ(fitted(whole).size(), whole);
  packet.properties.reason_string.reset();
  const std::size_t without_reason = *am::encoded_size(packet, Version::v5);
  packet.properties.user_properties.clear();
  const std::size_t bare = *am::encoded_size(packet, Version::v5);
  packet.properties.reason_string = "because";
  packet.properties.user_properties = {{"name", "value"}};
  EXPECT_EQ(fitted(whole - 1).size(), without_reason);
  EXPECT_EQ(fitted(without_reason - 1).size(), bare);
  EXPECT_EQ(fitted(bare).size(), bare);
  std::string out;
  EXPECT_FALSE(am::encode_limited(out, packet, Version::v5, bare - 1));
}

// The other way: a client that puts more in than the server takes.
template <typename P>
void expect_too_large(P packet) {
  Options options;
  options.packet_bytes_max = 100;
  DoorWorld world(1, options);
  const std::string text(100, 'x');
  for (const bool reason : {true, false}) {
    P large = packet;
    if (reason) {
      large.properties.reason_string = text;
    } else {
      large.properties.user_properties = {{"name", text}};
    }
    Talker client(world);
    EXPECT_EQ(client.connect("c").properties.maximum_packet_size, 100u);
    client.say(large);
    EXPECT_TRUE(client.ended_with(Reason::packet_too_large));
  }
}

void expect_both_ways(PacketType type) {
  am::Ack packet;
  packet.type = type;
  packet.packet_id = 1;
  packet.reason = Reason::success;
  expect_left_out(packet);
  expect_too_large(packet);
}

// [5 MQTT-3.5.2-2] [5 MQTT-3.5.2-3]
TEST(MqttPacketSize, BoundsWhatPubrecExplains) { expect_both_ways(PacketType::pubrec); }

// [5 MQTT-3.6.2-2] [5 MQTT-3.6.2-3]
TEST(MqttPacketSize, BoundsWhatPubrelExplains) { expect_both_ways(PacketType::pubrel); }

// [5 MQTT-3.7.2-2] [5 MQTT-3.7.2-3]
TEST(MqttPacketSize, BoundsWhatPubcompExplains) { expect_both_ways(PacketType::pubcomp); }

// [5 MQTT-3.9.2-1] [5 MQTT-3.9.2-2]
TEST(MqttPacketSize, BoundsWhatSubackExplains) {
  am::Suback packet;
  packet.packet_id = 1;
  packet.reasons = {Reason::not_authorized, Reason::success};
  expect_left_out(packet);
}

// [5 MQTT-3.11.2-1] [5 MQTT-3.11.2-2]
TEST(MqttPacketSize, BoundsWhatUnsubackExplains) {
  am::Unsuback packet;
  packet.packet_id = 1;
  packet.reasons = {Reason::no_subscription_existed, Reason::success};
  expect_left_out(packet);
}

// [5 MQTT-3.14.2-3] [5 MQTT-3.14.2-4]
TEST(MqttPacketSize, BoundsWhatDisconnectExplains) {
  am::Disconnect packet;
  packet.reason = Reason::unspecified_error;
  expect_left_out(packet);
  expect_too_large(packet);
}

// [5 MQTT-3.15.2-2] [5 MQTT-3.15.2-3]
TEST(MqttPacketSize, BoundsWhatAuthExplains) {
  am::Auth packet;
  packet.reason = Reason::continue_authentication;
  packet.properties.authentication_method = "m";
  expect_left_out(packet);
  expect_too_large(packet);
}

// A client that has no room even for its CONNACK is not left waiting for one. [5 MQTT-3.1.2-24]
TEST(MqttPacketSize, EndsAConnectionWithoutRoomForItsConnack) {
  DoorWorld world;
  Talker client(world);
  am::Connect packet = client.connect_packet("c");
  packet.properties.maximum_packet_size = 5;
  client.say(packet);
  EXPECT_TRUE(client.closed());
}

// The server does explain its DISCONNECT, to those with room for it. [5 MQTT-3.14.2-3]
TEST(MqttPacketSize, ShortensTheServersLastWord) {
  DoorWorld world;
  for (const uint32_t bytes_max : {200u, 20u}) {
    Talker client(world);
    am::Connect packet = client.connect_packet("c");
    packet.properties.maximum_packet_size = bytes_max;
    client.connect(packet);
    client.say(packet);
    const auto last = client.next<am::Disconnect>();
    EXPECT_EQ(last.reason, Reason::protocol_error);
    EXPECT_EQ(last.properties.reason_string.has_value(), bytes_max == 200);
    EXPECT_LE(client.last_bytes().size(), bytes_max);
    EXPECT_TRUE(client.closed());
  }
}

}  // namespace
}  // namespace arena::gateway::mqtt::test
