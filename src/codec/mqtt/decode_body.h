// The decoders of each packet's body, behind the fixed header. Internal to the codec: use decoder.h.
#pragma once

#include <cstdint>

#include "codec/mqtt/decoder.h"
#include "codec/mqtt/reader.h"

namespace arena::mqtt {

struct Body {
  PacketType type;
  uint8_t flags;  // lower half of the first byte
  Version version;
  Role receiver;
  const DecodeLimits& limits;

  bool v5() const { return version == Version::v5; }
  Role sender() const { return receiver == Role::server ? Role::client : Role::server; }
};

// Each fills an empty packet; faults go to the reader.
void decode_body(Reader& reader, const Body& body, Connack& packet);
void decode_body(Reader& reader, const Body& body, Publish& packet);
void decode_body(Reader& reader, const Body& body, Ack& packet);
void decode_body(Reader& reader, const Body& body, Subscribe& packet);
void decode_body(Reader& reader, const Body& body, Suback& packet);
void decode_body(Reader& reader, const Body& body, Unsubscribe& packet);
void decode_body(Reader& reader, const Body& body, Unsuback& packet);
void decode_body(Reader& reader, const Body& body, Disconnect& packet);
void decode_body(Reader& reader, const Body& body, Auth& packet);
inline void decode_body(Reader&, const Body&, Pingreq&) {}
inline void decode_body(Reader&, const Body&, Pingresp&) {}

struct ConnectHeader {
  uint8_t flags;
  bool padded_length;  // the remaining length was not in its shortest form
};
// `answer` becomes the version to answer in as soon as it is known.
void decode_connect_body(Reader& reader, ConnectHeader header, const DecodeLimits& limits, Version& answer,
                         Connect& packet);

// The identifier of PUBLISH, SUBSCRIBE, UNSUBSCRIBE and what answers them: never 0 [MQTT-2.2.1-3].
inline uint16_t read_packet_id(Reader& reader) {
  const uint16_t id = reader.u16();
  if (id == 0 && reader.ok()) reader.protocol_error("packet identifier 0");
  return id;
}

inline Reason read_reason(Reader& reader, const Body& body) {
  const uint8_t code = reader.u8();
  if (!may_send(body.sender(), code, body.type)) reader.protocol_error("reason code not for this packet");
  return static_cast<Reason>(code);
}

}  // namespace arena::mqtt
