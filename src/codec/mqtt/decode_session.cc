// CONNACK, DISCONNECT and AUTH.
#include "codec/mqtt/decode_body.h"
#include "codec/mqtt/decode_properties.h"

namespace arena::mqtt {

void decode_body(Reader& reader, const Body& body, Connack& packet) {
  uint8_t flags = reader.u8();
  if (body.version == Version::v3_1) flags = 0;                                // reserved and not used there
  if ((flags & 0xFE) != 0) return reader.malformed("reserved CONNACK flags");  // [MQTT-3.2.2-1]
  packet.session_present = flags != 0;
  if (body.v5()) {
    packet.reason = read_reason(reader, body);
    decode_properties(reader, PropertyPlace::connack, body.limits, packet.properties);
    check_authentication(reader, packet.properties);
  } else {
    const std::optional<Reason> reason = reason_of_return_code(reader.u8());
    if (!reason) return reader.malformed("reserved CONNACK return code");
    packet.reason = *reason;
  }
  if (packet.session_present && packet.reason != Reason::success) {
    reader.protocol_error("session present in a refusal");  // [MQTT-3.2.2-6]
  }
}

void decode_body(Reader& reader, const Body& body, Disconnect& packet) {
  if (!body.v5() || reader.left() == 0) return;  // no reason: normal disconnection (section 3.14.2.1)
  packet.reason = read_reason(reader, body);
  if (reader.left() == 0) return;
  decode_properties(reader, PropertyPlace::disconnect, body.limits, packet.properties);
  if (body.receiver == Role::client && packet.properties.session_expiry_interval_s) {
    reader.protocol_error("session expiry interval from a server");  // [MQTT-3.14.2-2]
  }
  if (body.receiver == Role::server && packet.properties.server_reference) {
    reader.protocol_error("server reference from a client");
  }
}

void decode_body(Reader& reader, const Body& body, Auth& packet) {
  if (reader.left() == 0) {
    // The empty form means success, which only a server may say (table 3.15).
    if (body.receiver == Role::server) reader.protocol_error("reason code not for this packet");
    return;
  }
  packet.reason = read_reason(reader, body);
  decode_properties(reader, PropertyPlace::auth, body.limits, packet.properties);
  if (!packet.properties.authentication_method)
    reader.protocol_error("AUTH without an authentication method");
}

}  // namespace arena::mqtt
