// Which field of which struct holds which property: said once, for the decoder and the encoder.
#pragma once

#include <type_traits>

#include "codec/mqtt/properties.h"

namespace arena::mqtt {

template <typename P, typename S>
concept EitherConst = std::is_same_v<std::remove_const_t<P>, S>;

// Each calls visit(PropertyId, field) for every field, in the order in which the encoder writes them.

template <EitherConst<ConnectProperties> P, typename Visit>
void each_field(P& p, Visit&& visit) {
  visit(PropertyId::session_expiry_interval, p.session_expiry_interval_s);
  visit(PropertyId::receive_maximum, p.receive_maximum);
  visit(PropertyId::maximum_packet_size, p.maximum_packet_size);
  visit(PropertyId::topic_alias_maximum, p.topic_alias_maximum);
  visit(PropertyId::request_response_information, p.request_response_information);
  visit(PropertyId::request_problem_information, p.request_problem_information);
  visit(PropertyId::authentication_method, p.authentication_method);
  visit(PropertyId::authentication_data, p.authentication_data);
  visit(PropertyId::user_property, p.user_properties);
}

template <EitherConst<WillProperties> P, typename Visit>
void each_field(P& p, Visit&& visit) {
  visit(PropertyId::will_delay_interval, p.will_delay_interval_s);
  visit(PropertyId::payload_format_indicator, p.payload_is_text);
  visit(PropertyId::message_expiry_interval, p.message_expiry_interval_s);
  visit(PropertyId::content_type, p.content_type);
  visit(PropertyId::response_topic, p.response_topic);
  visit(PropertyId::correlation_data, p.correlation_data);
  visit(PropertyId::user_property, p.user_properties);
}

template <EitherConst<ConnackProperties> P, typename Visit>
void each_field(P& p, Visit&& visit) {
  visit(PropertyId::session_expiry_interval, p.session_expiry_interval_s);
  visit(PropertyId::receive_maximum, p.receive_maximum);
  visit(PropertyId::maximum_qos, p.maximum_qos);
  visit(PropertyId::retain_available, p.retain_available);
  visit(PropertyId::maximum_packet_size, p.maximum_packet_size);
  visit(PropertyId::assigned_client_identifier, p.assigned_client_identifier);
  visit(PropertyId::topic_alias_maximum, p.topic_alias_maximum);
  visit(PropertyId::reason_string, p.reason_string);
  visit(PropertyId::wildcard_subscription_available, p.wildcard_subscription_available);
  visit(PropertyId::subscription_identifier_available, p.subscription_identifier_available);
  visit(PropertyId::shared_subscription_available, p.shared_subscription_available);
  visit(PropertyId::server_keep_alive, p.server_keep_alive_s);
  visit(PropertyId::response_information, p.response_information);
  visit(PropertyId::server_reference, p.server_reference);
  visit(PropertyId::authentication_method, p.authentication_method);
  visit(PropertyId::authentication_data, p.authentication_data);
  visit(PropertyId::user_property, p.user_properties);
}

// The expiry stands first: a frame shared between receivers has it at a place that does not move.
template <EitherConst<PublishProperties> P, typename Visit>
void each_field(P& p, Visit&& visit) {
  visit(PropertyId::message_expiry_interval, p.message_expiry_interval_s);
  visit(PropertyId::payload_format_indicator, p.payload_is_text);
  visit(PropertyId::topic_alias, p.topic_alias);
  visit(PropertyId::response_topic, p.response_topic);
  visit(PropertyId::correlation_data, p.correlation_data);
  visit(PropertyId::content_type, p.content_type);
  visit(PropertyId::subscription_identifier, p.subscription_identifiers);
  visit(PropertyId::user_property, p.user_properties);
}

template <EitherConst<ReasonProperties> P, typename Visit>
void each_field(P& p, Visit&& visit) {
  visit(PropertyId::reason_string, p.reason_string);
  visit(PropertyId::user_property, p.user_properties);
}

template <EitherConst<SubscribeProperties> P, typename Visit>
void each_field(P& p, Visit&& visit) {
  visit(PropertyId::subscription_identifier, p.subscription_identifier);
  visit(PropertyId::user_property, p.user_properties);
}

template <EitherConst<UnsubscribeProperties> P, typename Visit>
void each_field(P& p, Visit&& visit) {
  visit(PropertyId::user_property, p.user_properties);
}

template <EitherConst<DisconnectProperties> P, typename Visit>
void each_field(P& p, Visit&& visit) {
  visit(PropertyId::session_expiry_interval, p.session_expiry_interval_s);
  visit(PropertyId::reason_string, p.reason_string);
  visit(PropertyId::server_reference, p.server_reference);
  visit(PropertyId::user_property, p.user_properties);
}

template <EitherConst<AuthProperties> P, typename Visit>
void each_field(P& p, Visit&& visit) {
  visit(PropertyId::authentication_method, p.authentication_method);
  visit(PropertyId::authentication_data, p.authentication_data);
  visit(PropertyId::reason_string, p.reason_string);
  visit(PropertyId::user_property, p.user_properties);
}

}  // namespace arena::mqtt
