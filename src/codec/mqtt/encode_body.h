// What stands behind the fixed header of each packet, for a Sizer or a Writer. Internal: use encoder.h.
#pragma once

#include "codec/mqtt/packet.h"
#include "codec/mqtt/property_fields.h"
#include "codec/mqtt/writer.h"

namespace arena::mqtt {

inline uint8_t id_byte(PropertyId id) {
  return static_cast<uint8_t>(id);
}

template <typename Sink>
void put_field(Sink& sink, PropertyId id, const Text& field) {
  if (!field) return;
  sink.u8(id_byte(id));
  sink.text(*field);
}

template <typename Sink>
void put_field(Sink& sink, PropertyId id, const std::optional<bool>& field) {
  if (!field) return;
  sink.u8(id_byte(id));
  sink.u8(*field ? 1 : 0);
}

template <typename Sink>
void put_field(Sink& sink, PropertyId id, const std::optional<uint8_t>& field) {
  if (!field) return;
  sink.u8(id_byte(id));
  sink.u8(*field);
}

template <typename Sink>
void put_field(Sink& sink, PropertyId id, const std::optional<uint16_t>& field) {
  if (!field) return;
  sink.u8(id_byte(id));
  sink.u16(*field);
}

template <typename Sink>
void put_field(Sink& sink, PropertyId id, const std::optional<uint32_t>& field) {
  if (!field) return;
  sink.u8(id_byte(id));
  if (id == PropertyId::subscription_identifier) {
    sink.varint(*field);
  } else {
    sink.u32(*field);
  }
}

template <typename Sink>
void put_field(Sink& sink, PropertyId id, const std::vector<uint32_t>& field) {
  for (const uint32_t value : field) {
    sink.u8(id_byte(id));
    sink.varint(value);
  }
}

template <typename Sink>
void put_field(Sink& sink, PropertyId id, const UserProperties& field) {
  for (const UserProperty& property : field) {
    sink.u8(id_byte(id));
    sink.text(property.name);
    sink.text(property.value);
  }
}

template <typename P>
Sizer measure_properties(const P& properties) {
  Sizer sizer;
  each_field(properties, [&sizer](PropertyId id, const auto& field) { put_field(sizer, id, field); });
  return sizer;
}

// An empty block is a length of 0 [MQTT-2.2.2-1].
template <typename P>
void put_properties(Sizer& sizer, const P& properties) {
  const Sizer inner = measure_properties(properties);
  if (inner.fits()) sizer.varint(static_cast<uint32_t>(inner.bytes()));
  sizer.block(inner);
}

template <typename P>
void put_properties(Writer& writer, const P& properties) {
  writer.varint(static_cast<uint32_t>(measure_properties(properties).bytes()));
  each_field(properties, [&writer](PropertyId id, const auto& field) { put_field(writer, id, field); });
}

inline uint8_t connect_flags(const Connect& packet) {
  unsigned flags = packet.clean_start ? 0x02 : 0;
  if (packet.will) {
    flags |= 0x04U | static_cast<unsigned>(packet.will->qos) << 3;
    if (packet.will->retain) flags |= 0x20;
  }
  if (packet.password) flags |= 0x40;
  if (packet.user_name) flags |= 0x80;
  return static_cast<uint8_t>(flags);
}

template <typename Sink>
void put_body(Sink& sink, const Connect& packet, Version) {
  const bool v5 = packet.version == Version::v5;
  sink.text(packet.version == Version::v3_1 ? "MQIsdp" : "MQTT");
  sink.u8(static_cast<uint8_t>(packet.version));
  sink.u8(connect_flags(packet));
  sink.u16(packet.keep_alive_s);
  if (v5) put_properties(sink, packet.properties);
  sink.text(packet.client_id);
  if (packet.will) {
    if (v5) put_properties(sink, packet.will->properties);
    sink.text(packet.will->topic);
    sink.text(packet.will->payload);
  }
  if (packet.user_name) sink.text(*packet.user_name);
  if (packet.password) sink.text(*packet.password);
}

template <typename Sink>
void put_body(Sink& sink, const Connack& packet, Version version) {
  // MQTT 3.1 has no session present flag.
  sink.u8(packet.session_present && version != Version::v3_1 ? 1 : 0);
  if (version == Version::v5) {
    sink.u8(static_cast<uint8_t>(packet.reason));
    put_properties(sink, packet.properties);
  } else {
    // A refusal without a return code should not be sent at all; if it is, "not authorized" comes closest.
    sink.u8(connack_return_code(packet.reason).value_or(is_error(packet.reason) ? 5 : 0));
  }
}

template <typename Sink>
void put_head(Sink& sink, const Publish& packet, Version version) {
  sink.text(packet.topic);
  if (packet.qos != Guarantee::at_most_once) sink.u16(packet.packet_id);
  if (version == Version::v5) put_properties(sink, packet.properties);
}

template <typename Sink>
void put_body(Sink& sink, const Ack& packet, Version version) {
  sink.u16(packet.packet_id);
  if (version != Version::v5) return;
  const bool no_properties = packet.properties == ReasonProperties{};
  if (no_properties && packet.reason == Reason::success) return;
  sink.u8(static_cast<uint8_t>(packet.reason));
  if (!no_properties) put_properties(sink, packet.properties);
}

inline uint8_t options_byte(const Subscription& subscription, Version version) {
  unsigned options = static_cast<unsigned>(subscription.qos);
  if (version == Version::v5) {
    if (subscription.no_local) options |= 0x04;
    if (subscription.retain_as_published) options |= 0x08;
    options |= static_cast<unsigned>(subscription.retain_handling) << 4;
  }
  return static_cast<uint8_t>(options);
}

template <typename Sink>
void put_body(Sink& sink, const Subscribe& packet, Version version) {
  sink.u16(packet.packet_id);
  if (version == Version::v5) put_properties(sink, packet.properties);
  for (const Subscription& subscription : packet.subscriptions) {
    sink.text(subscription.filter);
    sink.u8(options_byte(subscription, version));
  }
}

template <typename Sink>
void put_body(Sink& sink, const Suback& packet, Version version) {
  sink.u16(packet.packet_id);
  if (version == Version::v5) put_properties(sink, packet.properties);
  for (const Reason reason : packet.reasons) {
    sink.u8(version == Version::v5 ? static_cast<uint8_t>(reason) : suback_return_code(reason));
  }
}

template <typename Sink>
void put_body(Sink& sink, const Unsubscribe& packet, Version version) {
  sink.u16(packet.packet_id);
  if (version == Version::v5) put_properties(sink, packet.properties);
  for (const std::string_view filter : packet.filters) sink.text(filter);
}

template <typename Sink>
void put_body(Sink& sink, const Unsuback& packet, Version version) {
  sink.u16(packet.packet_id);
  if (version != Version::v5) return;
  put_properties(sink, packet.properties);
  for (const Reason reason : packet.reasons) sink.u8(static_cast<uint8_t>(reason));
}

template <typename Sink>
void put_body(Sink&, const Pingreq&, Version) {}

template <typename Sink>
void put_body(Sink&, const Pingresp&, Version) {}

template <typename Sink>
void put_body(Sink& sink, const Disconnect& packet, Version version) {
  const bool no_properties = packet.properties == DisconnectProperties{};
  if (version != Version::v5 || (no_properties && packet.reason == Reason::success)) return;
  sink.u8(static_cast<uint8_t>(packet.reason));
  if (!no_properties) put_properties(sink, packet.properties);
}

template <typename Sink>
void put_body(Sink& sink, const Auth& packet, Version) {
  if (packet.reason == Reason::success && packet.properties == AuthProperties{}) return;
  sink.u8(static_cast<uint8_t>(packet.reason));
  put_properties(sink, packet.properties);
}

}  // namespace arena::mqtt
