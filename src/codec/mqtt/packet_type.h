// The control packet types, as in the upper half of a packet's first byte.
#pragma once

#include <cstdint>
#include <string_view>

namespace arena::mqtt {

enum class PacketType : uint8_t {
  connect = 1,
  connack = 2,
  publish = 3,
  puback = 4,
  pubrec = 5,
  pubrel = 6,
  pubcomp = 7,
  subscribe = 8,
  suback = 9,
  unsubscribe = 10,
  unsuback = 11,
  pingreq = 12,
  pingresp = 13,
  disconnect = 14,
  auth = 15,  // MQTT 5 only
};

// "CONNECT", "PUBLISH", ...
std::string_view to_string(PacketType type);

}  // namespace arena::mqtt
