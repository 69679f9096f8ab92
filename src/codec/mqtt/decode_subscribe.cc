#include "codec/mqtt/decode_body.h"
#include "codec/mqtt/decode_properties.h"

namespace arena::mqtt {
namespace {

constexpr uint8_t kQosBits = 0x03;

void read_options(Reader& reader, const Body& body, Subscription& subscription) {
  uint8_t options = reader.u8();
  if (body.version == Version::v3_1) options &= kQosBits;  // the others are not used there
  const uint8_t reserved = body.v5() ? 0xC0 : 0xFC;
  if ((options & reserved) != 0) return reader.malformed("reserved subscription options");  // [MQTT-3.8.3-5]
  const uint8_t qos = options & kQosBits;
  const uint8_t retain_handling = options >> 4 & 3;
  // MQTT 5 calls both values protocol errors, 3.1.1 a malformed packet [3.1.1: MQTT-3.8.3-4].
  if (qos == 3 && !body.v5()) return reader.malformed("subscription with QoS 3");
  if (qos == 3) return reader.protocol_error("subscription with QoS 3");
  if (retain_handling == 3) return reader.protocol_error("retain handling 3");
  subscription.qos = static_cast<Guarantee>(qos);
  subscription.no_local = (options & 0x04) != 0;
  subscription.retain_as_published = (options & 0x08) != 0;
  subscription.retain_handling = static_cast<RetainHandling>(retain_handling);
  if (subscription.no_local && subscription.filter.starts_with("$share/")) {
    reader.protocol_error("no local on a shared subscription");  // [MQTT-3.8.3-4]
  }
}

void check_count(Reader& reader, const Body& body, std::size_t filters) {
  if (filters > body.limits.filters_max) reader.fail(Reason::quota_exceeded, "more filters than allowed");
}

// The codes of SUBACK and UNSUBACK fill the rest of the packet.
void read_reasons(Reader& reader, const Body& body, std::vector<Reason>& reasons) {
  if (reader.ok() && reader.left() == 0) return reader.protocol_error("no reason code");
  reasons.reserve(reader.left());
  while (reader.left() > 0) reasons.push_back(read_reason(reader, body));
}

// [3.1.1: MQTT-3.9.3-2]
void read_return_codes(Reader& reader, std::vector<Reason>& reasons) {
  if (reader.ok() && reader.left() == 0) return reader.malformed("no return code");
  reasons.reserve(reader.left());
  while (reader.left() > 0) {
    const uint8_t code = reader.u8();
    if (code > 2 && code != 0x80) return reader.malformed("reserved SUBACK return code");
    reasons.push_back(static_cast<Reason>(code));
  }
}

}  // namespace

void decode_body(Reader& reader, const Body& body, Subscribe& packet) {
  packet.packet_id = read_packet_id(reader);
  if (body.v5()) decode_properties(reader, PropertyPlace::subscribe, body.limits, packet.properties);
  if (reader.ok() && reader.left() == 0)
    reader.protocol_error("SUBSCRIBE without a filter");  // [MQTT-3.8.3-2]
  while (reader.left() > 0) {
    Subscription& subscription = packet.subscriptions.emplace_back();
    subscription.filter = reader.text();
    read_options(reader, body, subscription);
    check_count(reader, body, packet.subscriptions.size());
  }
}

void decode_body(Reader& reader, const Body& body, Suback& packet) {
  packet.packet_id = read_packet_id(reader);
  if (!body.v5()) return read_return_codes(reader, packet.reasons);
  decode_properties(reader, PropertyPlace::suback, body.limits, packet.properties);
  read_reasons(reader, body, packet.reasons);
}

void decode_body(Reader& reader, const Body& body, Unsubscribe& packet) {
  packet.packet_id = read_packet_id(reader);
  if (body.v5()) decode_properties(reader, PropertyPlace::unsubscribe, body.limits, packet.properties);
  if (reader.ok() && reader.left() == 0)
    reader.protocol_error("UNSUBSCRIBE without a filter");  // [MQTT-3.10.3-2]
  while (reader.left() > 0) {
    packet.filters.push_back(reader.text());
    check_count(reader, body, packet.filters.size());
  }
}

void decode_body(Reader& reader, const Body& body, Unsuback& packet) {
  packet.packet_id = read_packet_id(reader);
  if (!body.v5()) return;
  decode_properties(reader, PropertyPlace::unsuback, body.limits, packet.properties);
  read_reasons(reader, body, packet.reasons);
}

}  // namespace arena::mqtt
