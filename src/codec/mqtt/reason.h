// The reason codes of MQTT 5, used inside Arena for every version; 3.x codes are mapped at the wire.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "codec/mqtt/packet_type.h"
#include "codec/mqtt/version.h"

namespace arena::mqtt {

enum class Reason : uint8_t {
  success = 0x00,  // also: normal disconnection, granted QoS 0
  granted_qos_1 = 0x01,
  granted_qos_2 = 0x02,
  disconnect_with_will = 0x04,
  no_matching_subscribers = 0x10,
  no_subscription_existed = 0x11,
  continue_authentication = 0x18,
  reauthenticate = 0x19,
  unspecified_error = 0x80,
  malformed_packet = 0x81,
  protocol_error = 0x82,
  implementation_specific_error = 0x83,
  unsupported_protocol_version = 0x84,
  client_identifier_not_valid = 0x85,
  bad_user_name_or_password = 0x86,
  not_authorized = 0x87,
  server_unavailable = 0x88,
  server_busy = 0x89,
  banned = 0x8A,
  server_shutting_down = 0x8B,
  bad_authentication_method = 0x8C,
  keep_alive_timeout = 0x8D,
  session_taken_over = 0x8E,
  topic_filter_invalid = 0x8F,
  topic_name_invalid = 0x90,
  packet_identifier_in_use = 0x91,
  packet_identifier_not_found = 0x92,
  receive_maximum_exceeded = 0x93,
  topic_alias_invalid = 0x94,
  packet_too_large = 0x95,
  message_rate_too_high = 0x96,
  quota_exceeded = 0x97,
  administrative_action = 0x98,
  payload_format_invalid = 0x99,
  retain_not_supported = 0x9A,
  qos_not_supported = 0x9B,
  use_another_server = 0x9C,
  server_moved = 0x9D,
  shared_subscriptions_not_supported = 0x9E,
  connection_rate_exceeded = 0x9F,
  maximum_connect_time = 0xA0,
  subscription_identifiers_not_supported = 0xA1,
  wildcard_subscriptions_not_supported = 0xA2,
};

constexpr bool is_error(Reason reason) {
  return static_cast<uint8_t>(reason) >= 0x80;
}

// The specification's name in lower case: "malformed packet". "unknown reason" for a code it does not list.
std::string_view to_string(Reason reason);

// May a packet of `type` carry `code` at all (MQTT 5, section 2.4)?
bool is_listed(uint8_t code, PacketType type);
// The same with the direction: tables 3.13 and 3.15 name who may send each DISCONNECT and AUTH code.
bool may_send(Role sender, uint8_t code, PacketType type);

// The CONNACK return code of MQTT 3.x, or nullopt where it has none: then the connection is closed without a
// CONNACK [3.1.1: MQTT-3.2.2-6].
std::optional<uint8_t> connack_return_code(Reason reason);
// The other way; nullopt for codes above 5, which are reserved.
std::optional<Reason> reason_of_return_code(uint8_t code);
// The SUBACK code of MQTT 3.x: the granted QoS, or 0x80 for every failure [3.1.1: MQTT-3.9.3-2].
uint8_t suback_return_code(Reason reason);

}  // namespace arena::mqtt
