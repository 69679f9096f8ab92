// What a client says of itself when it connects.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "codec/mqtt/version.h"
#include "message/message.h"

namespace arena::client {

inline constexpr uint32_t kNeverExpires = 0xFFFFFFFF;

struct WillOptions {
  std::string topic;
  std::string payload;
  Guarantee qos = Guarantee::at_most_once;
  bool retain = false;
  uint32_t delay_s = 0;  // MQTT 5
};

struct ClientOptions {
  mqtt::Version version = mqtt::Version::v5;
  std::string client_id;  // empty: the server gives one
  bool clean_start = true;
  uint32_t session_expiry_s = 0;  // MQTT 5; 3.x sessions that are not clean never expire
  uint16_t keep_alive_s = 60;     // 0: no pings
  std::optional<std::string> user_name;
  std::optional<std::string> password;
  std::optional<WillOptions> will;
  uint16_t receive_maximum = 65535;   // inbound messages of QoS 1 and 2 unacknowledged at once; MQTT 5
  uint16_t topic_alias_maximum = 0;   // aliases that the server may use; MQTT 5
  uint32_t packet_bytes_max = 0;      // largest packet to be received; 0: any; MQTT 5
  bool manual_acks = false;           // the handler acknowledges itself, by acknowledge()
};

}  // namespace arena::client
