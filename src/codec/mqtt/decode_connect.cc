#include "codec/mqtt/decode_body.h"
#include "codec/mqtt/decode_properties.h"

namespace arena::mqtt {
namespace {

struct ConnectFlags {
  uint8_t bits;
  bool reserved() const { return (bits & 0x01) != 0; }
  bool clean_start() const { return (bits & 0x02) != 0; }
  bool will() const { return (bits & 0x04) != 0; }
  uint8_t will_qos() const { return bits >> 3 & 3; }
  bool will_retain() const { return (bits & 0x20) != 0; }
  bool password() const { return (bits & 0x40) != 0; }
  bool user_name() const { return (bits & 0x80) != 0; }
};

// Name and level together choose the version [MQTT-3.1.2-1, MQTT-3.1.2-2].
std::optional<Version> read_version(Reader& reader) {
  const std::string_view name = reader.binary();
  const uint8_t level = reader.u8();
  if (!reader.ok()) return std::nullopt;
  if (name == "MQTT" && level == 5) return Version::v5;
  if (name == "MQTT" && level == 4) return Version::v3_1_1;
  if (name == "MQIsdp" && level == 3) return Version::v3_1;
  const bool known = name == "MQTT" || name == "MQIsdp";
  reader.fail(Reason::unsupported_protocol_version,
              known ? "unsupported protocol level" : "not MQTT's protocol name");
  return std::nullopt;
}

// MQTT 3.1 leaves the reserved bit and the will's bits without a will unused; later versions demand zeros
// [MQTT-3.1.2-3, MQTT-3.1.2-11, MQTT-3.1.2-13].
void check_flags(Reader& reader, ConnectFlags flags, Version version) {
  if (flags.will() && flags.will_qos() == 3) return reader.malformed("will with QoS 3");
  if (version == Version::v3_1) return;
  if (flags.reserved()) return reader.malformed("reserved CONNECT flag set");
  if (!flags.will() && (flags.will_qos() != 0 || flags.will_retain())) {
    return reader.malformed("will QoS or will retain without a will");
  }
  if (version == Version::v3_1_1 && flags.password() && !flags.user_name()) {
    reader.malformed("password without a user name");  // [3.1.1: MQTT-3.1.2-22]
  }
}

void read_will(Reader& reader, ConnectFlags flags, const DecodeLimits& limits, Connect& packet) {
  Will& will = packet.will.emplace();
  will.qos = static_cast<Guarantee>(flags.will_qos());
  will.retain = flags.will_retain();
  if (packet.version == Version::v5) decode_properties(reader, PropertyPlace::will, limits, will.properties);
  will.topic = reader.text();
  if (reader.ok() && !is_topic_name(will.topic)) reader.malformed("will topic empty or with a wildcard");
  will.payload = reader.binary();
}

void read_credentials(Reader& reader, ConnectFlags flags, Connect& packet) {
  // In MQTT 3.1 the length of the packet goes before the flags: announced but missing is absent.
  const bool may_be_missing = packet.version == Version::v3_1;
  const auto present = [&](bool flag) { return flag && !(may_be_missing && reader.left() == 0); };
  if (present(flags.user_name())) packet.user_name = reader.text();
  if (present(flags.password())) packet.password = reader.binary();
}

}  // namespace

void decode_connect_body(Reader& reader, ConnectHeader header, const DecodeLimits& limits, Version& answer,
                         Connect& packet) {
  const std::optional<Version> version = read_version(reader);
  if (!version) return;
  packet.version = answer = *version;
  // MQTT 3.1 leaves the fixed header's flags of CONNECT unused.
  if (header.flags != 0 && version != Version::v3_1) return reader.malformed("reserved fixed header flags");
  if (header.padded_length && version == Version::v5) {
    return reader.malformed("remaining length not in its shortest form");
  }
  const ConnectFlags flags{reader.u8()};
  check_flags(reader, flags, *version);
  packet.clean_start = flags.clean_start();
  packet.keep_alive_s = reader.u16();
  if (version == Version::v5) {
    decode_properties(reader, PropertyPlace::connect, limits, packet.properties);
    check_authentication(reader, packet.properties);
  }
  packet.client_id = reader.text();
  if (flags.will()) read_will(reader, flags, limits, packet);
  read_credentials(reader, flags, packet);
  reader.expect_end();
  // [3.1.1: MQTT-3.1.3-8]; MQTT 5 assigns an identifier instead.
  if (reader.ok() && version == Version::v3_1_1 && packet.client_id.empty() && !packet.clean_start) {
    reader.fail(Reason::client_identifier_not_valid, "empty client identifier with a kept session");
  }
}

}  // namespace arena::mqtt
