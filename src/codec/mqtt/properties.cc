#include "codec/mqtt/properties.h"

#include <array>
#include <initializer_list>

namespace arena::mqtt {
namespace {

constexpr uint16_t in(std::initializer_list<PropertyPlace> places) {
  uint16_t mask = 0;
  for (const PropertyPlace place : places)
    mask = static_cast<uint16_t>(mask | 1U << static_cast<unsigned>(place));
  return mask;
}

using enum PropertyPlace;
using Id = PropertyId;
using Type = PropertyType;
using Rule = ValueRule;

constexpr uint16_t kEverywhere = in({will, connect, connack, publish, puback, pubrec, pubrel, pubcomp,
                                     subscribe, suback, unsubscribe, unsuback, disconnect, auth});
constexpr uint16_t kWithReason =
    in({connack, puback, pubrec, pubrel, pubcomp, suback, unsuback, disconnect, auth});

// Table 2-4 of MQTT 5.
constexpr PropertySpec kProperties[] = {
    {Id::payload_format_indicator, Type::byte, Rule::zero_or_one, in({publish, will}),
     "payload format indicator"},
    {Id::message_expiry_interval, Type::four_bytes, Rule::any, in({publish, will}),
     "message expiry interval"},
    {Id::content_type, Type::text, Rule::any, in({publish, will}), "content type"},
    {Id::response_topic, Type::text, Rule::topic_name, in({publish, will}), "response topic"},
    {Id::correlation_data, Type::binary, Rule::any, in({publish, will}), "correlation data"},
    {Id::subscription_identifier, Type::varint, Rule::not_zero, in({publish, subscribe}),
     "subscription identifier"},
    {Id::session_expiry_interval, Type::four_bytes, Rule::any, in({connect, connack, disconnect}),
     "session expiry interval"},
    {Id::assigned_client_identifier, Type::text, Rule::any, in({connack}), "assigned client identifier"},
    {Id::server_keep_alive, Type::two_bytes, Rule::any, in({connack}), "server keep alive"},
    {Id::authentication_method, Type::text, Rule::any, in({connect, connack, auth}), "authentication method"},
    {Id::authentication_data, Type::binary, Rule::any, in({connect, connack, auth}), "authentication data"},
    {Id::request_problem_information, Type::byte, Rule::zero_or_one, in({connect}),
     "request problem information"},
    {Id::will_delay_interval, Type::four_bytes, Rule::any, in({will}), "will delay interval"},
    {Id::request_response_information, Type::byte, Rule::zero_or_one, in({connect}),
     "request response information"},
    {Id::response_information, Type::text, Rule::any, in({connack}), "response information"},
    {Id::server_reference, Type::text, Rule::any, in({connack, disconnect}), "server reference"},
    {Id::reason_string, Type::text, Rule::any, kWithReason, "reason string"},
    {Id::receive_maximum, Type::two_bytes, Rule::not_zero, in({connect, connack}), "receive maximum"},
    {Id::topic_alias_maximum, Type::two_bytes, Rule::any, in({connect, connack}), "topic alias maximum"},
    {Id::topic_alias, Type::two_bytes, Rule::not_zero, in({publish}), "topic alias"},
    {Id::maximum_qos, Type::byte, Rule::zero_or_one, in({connack}), "maximum QoS"},
    {Id::retain_available, Type::byte, Rule::zero_or_one, in({connack}), "retain available"},
    {Id::user_property, Type::text_pair, Rule::any, kEverywhere, "user property"},
    {Id::maximum_packet_size, Type::four_bytes, Rule::not_zero, in({connect, connack}),
     "maximum packet size"},
    {Id::wildcard_subscription_available, Type::byte, Rule::zero_or_one, in({connack}),
     "wildcard subscription available"},
    {Id::subscription_identifier_available, Type::byte, Rule::zero_or_one, in({connack}),
     "subscription identifier available"},
    {Id::shared_subscription_available, Type::byte, Rule::zero_or_one, in({connack}),
     "shared subscription available"},
};

constexpr uint32_t kIdsEnd = 0x2B;

// Row number + 1 by identifier; 0: no such property.
constexpr auto kRowOfId = [] {
  std::array<uint8_t, kIdsEnd> rows{};
  uint8_t row = 0;
  for (const PropertySpec& spec : kProperties) rows[static_cast<uint8_t>(spec.id)] = ++row;
  return rows;
}();

}  // namespace

const PropertySpec* property_spec(uint32_t id) {
  if (id >= kIdsEnd || kRowOfId[id] == 0) return nullptr;
  return &kProperties[kRowOfId[id] - 1];
}

}  // namespace arena::mqtt
