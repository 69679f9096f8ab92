#include "codec/mqtt/decode_body.h"
#include "codec/mqtt/decode_properties.h"
#include "codec/mqtt/decoder.h"

namespace arena::mqtt {
namespace {

void read_flags(Reader& reader, const Body& body, Publish& packet) {
  const uint8_t qos = body.flags >> 1 & 3;
  packet.retain = (body.flags & 0x01) != 0;
  packet.dup = (body.flags & 0x08) != 0;
  if (qos == 3) return reader.malformed("PUBLISH with QoS 3");  // [MQTT-3.3.1-4]
  packet.qos = static_cast<Guarantee>(qos);
  if (qos == 0 && packet.dup) {
    // MQTT 3.1 gives DUP no meaning there; later versions forbid it [MQTT-3.3.1-2].
    if (body.version != Version::v3_1) return reader.malformed("DUP with QoS 0");
    packet.dup = false;
  }
}

void check_topic_name(Reader& reader, const Publish& packet) {
  if (!packet.topic.empty()) {
    if (!is_topic_name(packet.topic)) reader.malformed("wildcard in a topic name");  // [MQTT-3.3.2-2]
  } else if (!packet.properties.topic_alias) {
    reader.protocol_error("empty topic name without a topic alias");
  }
}

}  // namespace

void decode_body(Reader& reader, const Body& body, Publish& packet) {
  read_flags(reader, body, packet);
  packet.topic = reader.text();
  if (packet.qos != Guarantee::at_most_once) packet.packet_id = read_packet_id(reader);
  if (body.v5()) decode_properties(reader, PropertyPlace::publish, body.limits, packet.properties);
  if (!reader.ok()) return;
  check_topic_name(reader, packet);
  if (body.receiver == Role::server && !packet.properties.subscription_identifiers.empty()) {
    reader.protocol_error("subscription identifier from a client");  // [MQTT-3.3.4-6]
  }
  packet.payload = reader.rest();
}

std::optional<PlainPublish> decode_plain_publish(std::string_view input, std::string_view known_topic, Version version,
                                                 uint32_t packet_bytes_max) {
  if (input.empty()) return std::nullopt;
  const auto first = static_cast<uint8_t>(input[0]);
  PlainPublish out;
  out.dup = (first & 0x08) != 0;
  out.qos = static_cast<Guarantee>(first >> 1 & 3);
  const bool at_most_once = out.qos == Guarantee::at_most_once;
  const bool retained = (first & 0x01) != 0;
  if (first >> 4 != static_cast<uint8_t>(PacketType::publish) || retained) return std::nullopt;
  if (out.qos > Guarantee::exactly_once || (at_most_once && out.dup)) return std::nullopt;
  const Varint length = read_varint(input.substr(1));
  if (length.state != Varint::State::complete || is_padded(length)) return std::nullopt;
  out.consumed = std::size_t{1} + length.bytes + length.value;
  if (out.consumed > input.size() || out.consumed > packet_bytes_max) return std::nullopt;
  Reader reader(input.substr(std::size_t{1} + length.bytes, length.value));
  out.topic = reader.binary();
  if (!at_most_once) out.packet_id = read_packet_id(reader);
  if (version == Version::v5 && reader.u8() != 0) return std::nullopt;  // there are properties
  if (!reader.ok() || out.topic.empty()) return std::nullopt;
  if (out.topic != known_topic && !(is_topic_name(out.topic) && is_utf8_without_nul(out.topic))) return std::nullopt;
  out.payload = reader.rest();
  return out;
}

// Reason and properties may be cut off from the end when they say nothing (sections 3.4.2.1 and 3.4.2.2.1).
void decode_body(Reader& reader, const Body& body, Ack& packet) {
  packet.type = body.type;
  packet.packet_id = read_packet_id(reader);
  if (!body.v5() || reader.left() == 0) return;
  packet.reason = read_reason(reader, body);
  if (reader.left() == 0) return;
  decode_properties(reader, static_cast<PropertyPlace>(body.type), body.limits, packet.properties);
}

}  // namespace arena::mqtt
