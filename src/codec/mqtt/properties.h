// The properties of MQTT 5: the table of all 27 and one struct for each kind of packet that carries some.
// Text and bytes are views into the decoded input (or the encoder's caller's memory). Nothing is allocated
// unless there are user properties or subscription identifiers.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "codec/mqtt/packet_type.h"

namespace arena::mqtt {

enum class PropertyId : uint8_t {
  payload_format_indicator = 0x01,
  message_expiry_interval = 0x02,
  content_type = 0x03,
  response_topic = 0x08,
  correlation_data = 0x09,
  subscription_identifier = 0x0B,
  session_expiry_interval = 0x11,
  assigned_client_identifier = 0x12,
  server_keep_alive = 0x13,
  authentication_method = 0x15,
  authentication_data = 0x16,
  request_problem_information = 0x17,
  will_delay_interval = 0x18,
  request_response_information = 0x19,
  response_information = 0x1A,
  server_reference = 0x1C,
  reason_string = 0x1F,
  receive_maximum = 0x21,
  topic_alias_maximum = 0x22,
  topic_alias = 0x23,
  maximum_qos = 0x24,
  retain_available = 0x25,
  user_property = 0x26,
  maximum_packet_size = 0x27,
  wildcard_subscription_available = 0x28,
  subscription_identifier_available = 0x29,
  shared_subscription_available = 0x2A,
};

enum class PropertyType : uint8_t { byte, two_bytes, four_bytes, varint, text, binary, text_pair };

// What the specification demands of the value beyond its type.
enum class ValueRule : uint8_t { any, zero_or_one, not_zero, topic_name };

// Where properties stand: in a packet, or in the will of a CONNECT.
enum class PropertyPlace : uint8_t {
  will = 0,
  connect = static_cast<uint8_t>(PacketType::connect),
  connack = static_cast<uint8_t>(PacketType::connack),
  publish = static_cast<uint8_t>(PacketType::publish),
  puback = static_cast<uint8_t>(PacketType::puback),
  pubrec = static_cast<uint8_t>(PacketType::pubrec),
  pubrel = static_cast<uint8_t>(PacketType::pubrel),
  pubcomp = static_cast<uint8_t>(PacketType::pubcomp),
  subscribe = static_cast<uint8_t>(PacketType::subscribe),
  suback = static_cast<uint8_t>(PacketType::suback),
  unsubscribe = static_cast<uint8_t>(PacketType::unsubscribe),
  unsuback = static_cast<uint8_t>(PacketType::unsuback),
  disconnect = static_cast<uint8_t>(PacketType::disconnect),
  auth = static_cast<uint8_t>(PacketType::auth),
};

struct PropertySpec {
  PropertyId id;
  PropertyType type;
  ValueRule rule;
  uint16_t places;  // bit per PropertyPlace
  std::string_view name;

  bool allowed_in(PropertyPlace place) const { return (places >> static_cast<unsigned>(place) & 1U) != 0; }
  // User properties may repeat everywhere, subscription identifiers in PUBLISH; no other may.
  bool repeats_in(PropertyPlace place) const {
    return id == PropertyId::user_property ||
           (id == PropertyId::subscription_identifier && place == PropertyPlace::publish);
  }
};

// The table's row, or null for an identifier that MQTT 5 does not define.
const PropertySpec* property_spec(uint32_t id);

struct UserProperty {
  std::string_view name{};
  std::string_view value{};
  friend bool operator==(const UserProperty&, const UserProperty&) = default;
};
using UserProperties = std::vector<UserProperty>;

using Text = std::optional<std::string_view>;  // present and empty differs from absent

struct ConnectProperties {
  std::optional<uint32_t> session_expiry_interval_s{};
  std::optional<uint16_t> receive_maximum{};
  std::optional<uint32_t> maximum_packet_size{};
  std::optional<uint16_t> topic_alias_maximum{};
  std::optional<bool> request_response_information{};
  std::optional<bool> request_problem_information{};
  Text authentication_method{};
  Text authentication_data{};
  UserProperties user_properties{};
  friend bool operator==(const ConnectProperties&, const ConnectProperties&) = default;
};

struct WillProperties {
  std::optional<uint32_t> will_delay_interval_s{};
  std::optional<bool> payload_is_text{};  // Payload Format Indicator
  std::optional<uint32_t> message_expiry_interval_s{};
  Text content_type{};
  Text response_topic{};
  Text correlation_data{};
  UserProperties user_properties{};
  friend bool operator==(const WillProperties&, const WillProperties&) = default;
};

struct ConnackProperties {
  std::optional<uint32_t> session_expiry_interval_s{};
  std::optional<uint16_t> receive_maximum{};
  std::optional<uint8_t> maximum_qos{};  // 0 or 1
  std::optional<bool> retain_available{};
  std::optional<uint32_t> maximum_packet_size{};
  Text assigned_client_identifier{};
  std::optional<uint16_t> topic_alias_maximum{};
  Text reason_string{};
  std::optional<bool> wildcard_subscription_available{};
  std::optional<bool> subscription_identifier_available{};
  std::optional<bool> shared_subscription_available{};
  std::optional<uint16_t> server_keep_alive_s{};
  Text response_information{};
  Text server_reference{};
  Text authentication_method{};
  Text authentication_data{};
  UserProperties user_properties{};
  friend bool operator==(const ConnackProperties&, const ConnackProperties&) = default;
};

struct PublishProperties {
  std::optional<bool> payload_is_text{};  // Payload Format Indicator
  std::optional<uint32_t> message_expiry_interval_s{};
  std::optional<uint16_t> topic_alias{};
  Text response_topic{};
  Text correlation_data{};
  Text content_type{};
  std::vector<uint32_t> subscription_identifiers{};  // only from server to client [MQTT-3.3.4-6]
  UserProperties user_properties{};
  friend bool operator==(const PublishProperties&, const PublishProperties&) = default;
};

// Of PUBACK, PUBREC, PUBREL, PUBCOMP, SUBACK and UNSUBACK.
struct ReasonProperties {
  Text reason_string{};
  UserProperties user_properties{};
  friend bool operator==(const ReasonProperties&, const ReasonProperties&) = default;
};

struct SubscribeProperties {
  std::optional<uint32_t> subscription_identifier{};
  UserProperties user_properties{};
  friend bool operator==(const SubscribeProperties&, const SubscribeProperties&) = default;
};

struct UnsubscribeProperties {
  UserProperties user_properties{};
  friend bool operator==(const UnsubscribeProperties&, const UnsubscribeProperties&) = default;
};

struct DisconnectProperties {
  std::optional<uint32_t> session_expiry_interval_s{};  // only from client to server [MQTT-3.14.2-2]
  Text reason_string{};
  Text server_reference{};  // only from server to client
  UserProperties user_properties{};
  friend bool operator==(const DisconnectProperties&, const DisconnectProperties&) = default;
};

struct AuthProperties {
  Text authentication_method{};
  Text authentication_data{};
  Text reason_string{};
  UserProperties user_properties{};
  friend bool operator==(const AuthProperties&, const AuthProperties&) = default;
};

}  // namespace arena::mqtt
