// Packets to bytes, appended to a string. Pure: any thread. What is encoded is trusted to follow the
// protocol; only what the format cannot express (text over 65,535 bytes, a packet over 268,435,455) is
// refused.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "codec/mqtt/packet.h"
#include "codec/mqtt/version.h"

namespace arena::mqtt {

// Each appends one packet to `out`, in the shortest form. False: not expressible, `out` is as it was.
// CONNECT is encoded in its own `version`. In 3.x reasons are mapped or left out, as the version has them.
bool encode(std::string& out, const Connect& packet, Version version);
bool encode(std::string& out, const Connack& packet, Version version);
bool encode(std::string& out, const Publish& packet, Version version);
bool encode(std::string& out, const Ack& packet, Version version);
bool encode(std::string& out, const Subscribe& packet, Version version);
bool encode(std::string& out, const Suback& packet, Version version);
bool encode(std::string& out, const Unsubscribe& packet, Version version);
bool encode(std::string& out, const Unsuback& packet, Version version);
bool encode(std::string& out, const Pingreq& packet, Version version);
bool encode(std::string& out, const Pingresp& packet, Version version);
bool encode(std::string& out, const Disconnect& packet, Version version);
bool encode(std::string& out, const Auth& packet, Version version);
bool encode(std::string& out, const Packet& packet, Version version);

// Bytes that `encode` would append; nullopt if it would refuse. To be held against the peer's Maximum Packet
// Size.
std::optional<std::size_t> encoded_size(const Packet& packet, Version version);
std::optional<std::size_t> encoded_size(const Publish& packet, Version version);

// Encodes what fits into `peer_packet_bytes_max` bytes. From CONNACK, PUBACK, PUBREC, PUBREL, PUBCOMP,
// SUBACK, UNSUBACK, DISCONNECT and AUTH first the reason string, then the user properties are left out if
// they make it too large [MQTT-3.4.2-2, MQTT-3.4.2-3 and their likes]. Others are never changed. False: it
// cannot fit.
bool encode_limited(std::string& out, const Packet& packet, Version version,
                    std::size_t peer_packet_bytes_max);

// Where the parts of an encoded PUBLISH lie that differ between receivers of the same bytes, counted from the
// packet's first byte; 0: there is no such part.
struct EncodedPublish {
  std::size_t packet_id_offset = 0;       // two bytes
  std::size_t message_expiry_offset = 0;  // four bytes; MQTT 5
  std::size_t bytes = 0;                  // appended to `out`
};

// As `encode`, telling the layout, so that one frame can be shared and patched.
std::optional<EncodedPublish> encode_publish(std::string& out, const Publish& packet, Version version);
// The same without the payload's bytes, though they are counted in the length: for payloads sent from where
// they lie, right behind. `bytes` is the head alone.
std::optional<EncodedPublish> encode_publish_head(std::string& out, const Publish& packet, Version version);

// Appends a PUBLISH without properties. Above QoS 0 its packet id is 1, to be patched. Precondition: the topic has at most
// 65,535 bytes, the payload at most kPlainPayloadBytesMax.
inline constexpr std::size_t kPlainPayloadBytesMax = 268'000'000;
EncodedPublish append_plain_publish(std::string& out, std::string_view topic, std::string_view payload, Version version,
                                    Guarantee qos = Guarantee::at_most_once, bool retain = false);

// Appends a PUBACK, PUBREC, PUBREL or PUBCOMP that says success and nothing else: kPlainAckBytes in all versions.
void append_plain_ack(std::string& out, PacketType type, uint16_t packet_id);

// Patches of a PUBLISH that begins at `frame`.
void set_packet_id(char* frame, const EncodedPublish& layout, uint16_t packet_id);
void set_message_expiry(char* frame, const EncodedPublish& layout, uint32_t interval_s);
void set_dup(char* frame, bool dup);

}  // namespace arena::mqtt
