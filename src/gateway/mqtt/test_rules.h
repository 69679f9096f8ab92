// For tests of the specification's rules: packets byte for byte, in the notation of codec/mqtt/packet_cases.h, and what
// becomes of who sends them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "codec/mqtt/packet_cases.h"
#include "gateway/mqtt/test_door.h"

namespace arena::gateway::mqtt::test {

using am::PacketType;
using am::cases::bytes_of;
using Reasons = std::vector<Reason>;
constexpr Version kVersions[] = {Version::v3_1_1, Version::v5};

// A connected client says this, and it is its last word: the connection ends, in MQTT 5 with the reason.
inline void expect_end(Version version, std::string_view notation, Reason reason = Reason::malformed_packet) {
  SCOPED_TRACE(std::string(am::to_string(version)) + ": " + std::string(notation));
  DoorWorld world;
  Talker client(world, version);
  client.connect("c");
  client.bytes(bytes_of(notation));
  EXPECT_TRUE(client.ended_with(reason));
}

// A CONNECT like this is refused: MQTT 3.1.1 closes without a word [MQTT-3.1.4-1], MQTT 5 says why.
inline void expect_no_entry(Version version, std::string_view notation, Reason reason = Reason::malformed_packet) {
  SCOPED_TRACE(std::string(am::to_string(version)) + ": " + std::string(notation));
  DoorWorld world;
  Talker client(world, version);
  client.bytes(bytes_of(notation));
  if (version == Version::v5) {
    EXPECT_EQ(client.next<am::Connack>().reason, reason);
  }
  EXPECT_TRUE(client.closed());
}

// And one like this is welcome.
inline void expect_entry(Version version, std::string_view notation) {
  SCOPED_TRACE(std::string(am::to_string(version)) + ": " + std::string(notation));
  DoorWorld world;
  Talker client(world, version);
  client.bytes(bytes_of(notation));
  EXPECT_EQ(client.next<am::Connack>().reason, Reason::success);
}

inline am::Subscribe subscribe_packet(uint16_t packet_id, std::string_view filter, Guarantee qos = k0) {
  am::Subscribe packet;
  packet.packet_id = packet_id;
  packet.subscriptions.push_back({filter, qos});
  return packet;
}

inline am::Unsubscribe unsubscribe_packet(uint16_t packet_id, std::string_view filter) {
  am::Unsubscribe packet;
  packet.packet_id = packet_id;
  packet.filters = {filter};
  return packet;
}

inline std::vector<access::Rule> deny_publish(const std::string& filter) {
  access::Rule rule;
  rule.allow = false;
  rule.publish = true;
  rule.filter = filter;
  return {rule};
}

inline am::Connect with_will(const Talker& client, std::string_view id, std::string_view topic, Guarantee qos = k0) {
  am::Connect packet = client.connect_packet(id);
  packet.will = am::Will{.topic = topic, .payload = "gone", .qos = qos};
  return packet;
}

}  // namespace arena::gateway::mqtt::test
