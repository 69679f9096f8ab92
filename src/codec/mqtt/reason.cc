#include "codec/mqtt/reason.h"

#include <array>
#include <initializer_list>

namespace arena::mqtt {
namespace {

constexpr uint16_t in(std::initializer_list<PacketType> types) {
  uint16_t mask = 0;
  for (const PacketType type : types) mask = static_cast<uint16_t>(mask | 1U << static_cast<unsigned>(type));
  return mask;
}

struct ReasonSpec {
  Reason reason;
  uint16_t packets;
  std::string_view name;
};

using enum PacketType;

// Section 2.4 of MQTT 5, where codes that several packets name differently have their general name.
constexpr ReasonSpec kReasons[] = {
    {Reason::success, in({connack, puback, pubrec, pubrel, pubcomp, suback, unsuback, disconnect, auth}),
     "success"},
    {Reason::granted_qos_1, in({suback}), "granted QoS 1"},
    {Reason::granted_qos_2, in({suback}), "granted QoS 2"},
    {Reason::disconnect_with_will, in({disconnect}), "disconnect with will message"},
    {Reason::no_matching_subscribers, in({puback, pubrec}), "no matching subscribers"},
    {Reason::no_subscription_existed, in({unsuback}), "no subscription existed"},
    {Reason::continue_authentication, in({auth}), "continue authentication"},
    {Reason::reauthenticate, in({auth}), "re-authenticate"},
    {Reason::unspecified_error, in({connack, puback, pubrec, suback, unsuback, disconnect}),
     "unspecified error"},
    {Reason::malformed_packet, in({connack, disconnect}), "malformed packet"},
    {Reason::protocol_error, in({connack, disconnect}), "protocol error"},
    {Reason::implementation_specific_error, in({connack, puback, pubrec, suback, unsuback, disconnect}),
     "implementation specific error"},
    {Reason::unsupported_protocol_version, in({connack}), "unsupported protocol version"},
    {Reason::client_identifier_not_valid, in({connack}), "client identifier not valid"},
    {Reason::bad_user_name_or_password, in({connack}), "bad user name or password"},
    {Reason::not_authorized, in({connack, puback, pubrec, suback, unsuback, disconnect}), "not authorized"},
    {Reason::server_unavailable, in({connack}), "server unavailable"},
    {Reason::server_busy, in({connack, disconnect}), "server busy"},
    {Reason::banned, in({connack}), "banned"},
    {Reason::server_shutting_down, in({disconnect}), "server shutting down"},
    {Reason::bad_authentication_method, in({connack, disconnect}), "bad authentication method"},
    {Reason::keep_alive_timeout, in({disconnect}), "keep alive timeout"},
    {Reason::session_taken_over, in({disconnect}), "session taken over"},
    {Reason::topic_filter_invalid, in({suback, unsuback, disconnect}), "topic filter invalid"},
    {Reason::topic_name_invalid, in({connack, puback, pubrec, disconnect}), "topic name invalid"},
    {Reason::packet_identifier_in_use, in({puback, pubrec, suback, unsuback}), "packet identifier in use"},
    {Reason::packet_identifier_not_found, in({pubrel, pubcomp}), "packet identifier not found"},
    {Reason::receive_maximum_exceeded, in({disconnect}), "receive maximum exceeded"},
    {Reason::topic_alias_invalid, in({disconnect}), "topic alias invalid"},
    {Reason::packet_too_large, in({connack, disconnect}), "packet too large"},
    {Reason::message_rate_too_high, in({disconnect}), "message rate too high"},
    {Reason::quota_exceeded, in({connack, puback, pubrec, suback, disconnect}), "quota exceeded"},
    {Reason::administrative_action, in({disconnect}), "administrative action"},
    {Reason::payload_format_invalid, in({connack, puback, pubrec, disconnect}), "payload format invalid"},
    {Reason::retain_not_supported, in({connack, disconnect}), "retain not supported"},
    {Reason::qos_not_supported, in({connack, disconnect}), "QoS not supported"},
    {Reason::use_another_server, in({connack, disconnect}), "use another server"},
    {Reason::server_moved, in({connack, disconnect}), "server moved"},
    {Reason::shared_subscriptions_not_supported, in({suback, disconnect}),
     "shared subscriptions not supported"},
    {Reason::connection_rate_exceeded, in({connack, disconnect}), "connection rate exceeded"},
    {Reason::maximum_connect_time, in({disconnect}), "maximum connect time"},
    {Reason::subscription_identifiers_not_supported, in({suback, disconnect}),
     "subscription identifiers not supported"},
    {Reason::wildcard_subscriptions_not_supported, in({suback, disconnect}),
     "wildcard subscriptions not supported"},
};

constexpr auto kPacketsOfCode = [] {
  std::array<uint16_t, 256> packets{};
  for (const ReasonSpec& spec : kReasons) packets[static_cast<uint8_t>(spec.reason)] = spec.packets;
  return packets;
}();

// Table 3.13: what a client may say in DISCONNECT. The rest is the server's.
bool client_may_disconnect_with(Reason reason) {
  switch (reason) {
    case Reason::success:
    case Reason::disconnect_with_will:
    case Reason::unspecified_error:
    case Reason::malformed_packet:
    case Reason::protocol_error:
    case Reason::implementation_specific_error:
    case Reason::bad_authentication_method:
    case Reason::topic_name_invalid:
    case Reason::receive_maximum_exceeded:
    case Reason::topic_alias_invalid:
    case Reason::packet_too_large:
    case Reason::message_rate_too_high:
    case Reason::quota_exceeded:
    case Reason::administrative_action:
    case Reason::payload_format_invalid:
      return true;
    default:
      return false;
  }
}

}  // namespace

std::string_view to_string(PacketType type) {
  constexpr std::string_view kNames[] = {
      "reserved",  "CONNECT", "CONNACK",     "PUBLISH",  "PUBACK",  "PUBREC",   "PUBREL",     "PUBCOMP",
      "SUBSCRIBE", "SUBACK",  "UNSUBSCRIBE", "UNSUBACK", "PINGREQ", "PINGRESP", "DISCONNECT", "AUTH"};
  return kNames[static_cast<uint8_t>(type) & 0x0F];
}

std::string_view to_string(Reason reason) {
  for (const ReasonSpec& spec : kReasons) {
    if (spec.reason == reason) return spec.name;
  }
  return "unknown reason";
}

bool is_listed(uint8_t code, PacketType type) {
  return (kPacketsOfCode[code] >> static_cast<unsigned>(type) & 1U) != 0;
}

bool may_send(Role sender, uint8_t code, PacketType type) {
  if (!is_listed(code, type)) return false;
  const auto reason = static_cast<Reason>(code);
  if (type == disconnect) {
    return sender == Role::client ? client_may_disconnect_with(reason)
                                  : reason != Reason::disconnect_with_will;
  }
  if (type == auth) return reason != (sender == Role::client ? Reason::success : Reason::reauthenticate);
  return true;
}

std::optional<uint8_t> connack_return_code(Reason reason) {
  switch (reason) {
    case Reason::success:
      return uint8_t{0};
    case Reason::unsupported_protocol_version:
      return uint8_t{1};
    case Reason::client_identifier_not_valid:
      return uint8_t{2};
    case Reason::server_unavailable:
    case Reason::server_busy:
    case Reason::quota_exceeded:
    case Reason::connection_rate_exceeded:
    case Reason::use_another_server:
    case Reason::server_moved:
      return uint8_t{3};
    case Reason::bad_user_name_or_password:
      return uint8_t{4};
    case Reason::not_authorized:
    case Reason::banned:
    case Reason::bad_authentication_method:
      return uint8_t{5};
    default:
      return std::nullopt;
  }
}

std::optional<Reason> reason_of_return_code(uint8_t code) {
  constexpr Reason kByCode[] = {Reason::success,
                                Reason::unsupported_protocol_version,
                                Reason::client_identifier_not_valid,
                                Reason::server_unavailable,
                                Reason::bad_user_name_or_password,
                                Reason::not_authorized};
  if (code >= std::size(kByCode)) return std::nullopt;
  return kByCode[code];
}

uint8_t suback_return_code(Reason reason) {
  return is_error(reason) ? 0x80 : static_cast<uint8_t>(reason);
}

}  // namespace arena::mqtt
