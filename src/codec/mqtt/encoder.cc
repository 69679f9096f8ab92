#include "codec/mqtt/encoder.h"

#include "codec/mqtt/encode_body.h"

namespace arena::mqtt {
namespace {

uint8_t first_byte(PacketType type, unsigned flags = 0) {
  return static_cast<uint8_t>(static_cast<unsigned>(type) << 4 | flags);
}
uint8_t first_byte(const Connect&) {
  return first_byte(PacketType::connect);
}
uint8_t first_byte(const Connack&) {
  return first_byte(PacketType::connack);
}
uint8_t first_byte(const Publish& packet) {
  return first_byte(PacketType::publish, (packet.dup ? 8U : 0U) | static_cast<unsigned>(packet.qos) << 1 |
                                             (packet.retain ? 1U : 0U));
}
uint8_t first_byte(const Ack& packet) {
  return first_byte(packet.type, packet.type == PacketType::pubrel ? 2 : 0);
}
uint8_t first_byte(const Subscribe&) {
  return first_byte(PacketType::subscribe, 2);
}
uint8_t first_byte(const Suback&) {
  return first_byte(PacketType::suback);
}
uint8_t first_byte(const Unsubscribe&) {
  return first_byte(PacketType::unsubscribe, 2);
}
uint8_t first_byte(const Unsuback&) {
  return first_byte(PacketType::unsuback);
}
uint8_t first_byte(const Pingreq&) {
  return first_byte(PacketType::pingreq);
}
uint8_t first_byte(const Pingresp&) {
  return first_byte(PacketType::pingresp);
}
uint8_t first_byte(const Disconnect&) {
  return first_byte(PacketType::disconnect);
}
uint8_t first_byte(const Auth&) {
  return first_byte(PacketType::auth);
}

template <typename P>
Sizer measure_body(const P& packet, Version version) {
  Sizer sizer;
  put_body(sizer, packet, version);
  return sizer;
}

// The payload is only counted: a head must announce it wherever its bytes lie.
Sizer measure_body(const Publish& packet, Version version) {
  Sizer sizer;
  put_head(sizer, packet, version);
  sizer.raw(packet.payload);
  return sizer;
}

std::size_t whole_bytes(const Sizer& body) {
  return 1 + varint_bytes(static_cast<uint32_t>(body.bytes())) + body.bytes();
}

template <typename P>
Writer begin_frame(std::string& out, const P& packet, const Sizer& body, std::size_t bytes) {
  const std::size_t start = out.size();
  out.resize(start + bytes);
  Writer writer(out.data() + start);
  writer.u8(first_byte(packet));
  writer.varint(static_cast<uint32_t>(body.bytes()));
  return writer;
}

template <typename P>
bool encode_whole(std::string& out, const P& packet, Version version) {
  const Sizer body = measure_body(packet, version);
  if (!body.fits()) return false;
  Writer writer = begin_frame(out, packet, body, whole_bytes(body));
  put_body(writer, packet, version);
  return true;
}

bool encode_whole(std::string& out, const Publish& packet, Version version) {
  return encode_publish(out, packet, version).has_value();
}

template <typename P>
std::optional<std::size_t> size_of(const P& packet, Version version) {
  const Sizer body = measure_body(packet, version);
  if (!body.fits()) return std::nullopt;
  return whole_bytes(body);
}

template <typename P>
bool fits_within(const P& packet, Version version, std::size_t bytes_max) {
  const std::optional<std::size_t> size = size_of(packet, version);
  return size && *size <= bytes_max;
}

template <typename P>
bool encode_what_fits(std::string& out, const P& packet, Version version, std::size_t bytes_max) {
  if (fits_within(packet, version, bytes_max)) return encode_whole(out, packet, version);
  if constexpr (requires { packet.properties.reason_string; }) {
    P reduced = packet;
    reduced.properties.reason_string.reset();
    if (!fits_within(reduced, version, bytes_max)) reduced.properties.user_properties.clear();
    if (fits_within(reduced, version, bytes_max)) return encode_whole(out, reduced, version);
  }
  return false;
}

EncodedPublish layout_of(const Publish& packet, Version version, std::size_t body_bytes) {
  EncodedPublish layout;
  std::size_t at = 1 + varint_bytes(static_cast<uint32_t>(body_bytes)) + 2 + packet.topic.size();
  if (packet.qos != Guarantee::at_most_once) {
    layout.packet_id_offset = at;
    at += 2;
  }
  // The expiry is the first property: behind the length and its own identifier.
  if (version == Version::v5 && packet.properties.message_expiry_interval_s) {
    const std::size_t properties = measure_properties(packet.properties).bytes();
    layout.message_expiry_offset = at + varint_bytes(static_cast<uint32_t>(properties)) + 1;
  }
  return layout;
}

}  // namespace

bool encode(std::string& out, const Connect& packet, Version version) {
  return encode_whole(out, packet, version);
}
bool encode(std::string& out, const Connack& packet, Version version) {
  return encode_whole(out, packet, version);
}
bool encode(std::string& out, const Publish& packet, Version version) {
  return encode_whole(out, packet, version);
}
bool encode(std::string& out, const Ack& packet, Version version) {
  return encode_whole(out, packet, version);
}
bool encode(std::string& out, const Subscribe& packet, Version version) {
  return encode_whole(out, packet, version);
}
bool encode(std::string& out, const Suback& packet, Version version) {
  return encode_whole(out, packet, version);
}
bool encode(std::string& out, const Unsubscribe& packet, Version version) {
  return encode_whole(out, packet, version);
}
bool encode(std::string& out, const Unsuback& packet, Version version) {
  return encode_whole(out, packet, version);
}
bool encode(std::string& out, const Pingreq& packet, Version version) {
  return encode_whole(out, packet, version);
}
bool encode(std::string& out, const Pingresp& packet, Version version) {
  return encode_whole(out, packet, version);
}
bool encode(std::string& out, const Disconnect& packet, Version version) {
  return encode_whole(out, packet, version);
}
bool encode(std::string& out, const Auth& packet, Version version) {
  return encode_whole(out, packet, version);
}
bool encode(std::string& out, const Packet& packet, Version version) {
  return std::visit([&](const auto& one) { return encode_whole(out, one, version); }, packet);
}

std::optional<std::size_t> encoded_size(const Packet& packet, Version version) {
  return std::visit([&](const auto& one) { return size_of(one, version); }, packet);
}

std::optional<std::size_t> encoded_size(const Publish& packet, Version version) {
  return size_of(packet, version);
}

bool encode_limited(std::string& out, const Packet& packet, Version version,
                    std::size_t peer_packet_bytes_max) {
  return std::visit(
      [&](const auto& one) { return encode_what_fits(out, one, version, peer_packet_bytes_max); }, packet);
}

std::optional<EncodedPublish> encode_publish_head(std::string& out, const Publish& packet, Version version) {
  const Sizer body = measure_body(packet, version);
  if (!body.fits()) return std::nullopt;
  EncodedPublish layout = layout_of(packet, version, body.bytes());
  layout.bytes = whole_bytes(body) - packet.payload.size();
  Writer writer = begin_frame(out, packet, body, layout.bytes);
  put_head(writer, packet, version);
  return layout;
}

std::optional<EncodedPublish> encode_publish(std::string& out, const Publish& packet, Version version) {
  std::optional<EncodedPublish> layout = encode_publish_head(out, packet, version);
  if (!layout) return std::nullopt;
  out.append(packet.payload);
  layout->bytes += packet.payload.size();
  return layout;
}

EncodedPublish append_plain_publish(std::string& out, std::string_view topic, std::string_view payload, Version version,
                                    Guarantee qos, bool retain) {
  const std::size_t id_bytes = qos == Guarantee::at_most_once ? 0 : 2;
  const std::size_t properties = version == Version::v5 ? 1 : 0;
  const auto length = static_cast<uint32_t>(2 + topic.size() + id_bytes + properties + payload.size());
  const std::size_t head = std::size_t{1} + varint_bytes(length);
  EncodedPublish layout;
  layout.bytes = head + length;
  if (id_bytes != 0) layout.packet_id_offset = head + 2 + topic.size();
  const std::size_t at = out.size();
  out.resize(at + layout.bytes);
  Writer writer(out.data() + at);
  writer.u8(first_byte(PacketType::publish, static_cast<unsigned>(qos) << 1 | (retain ? 1U : 0U)));
  writer.varint(length);
  writer.text(topic);
  if (id_bytes != 0) writer.u16(1);
  if (properties != 0) writer.u8(0);
  writer.raw(payload);
  return layout;
}

void append_plain_ack(std::string& out, PacketType type, uint16_t packet_id) {
  const unsigned flags = type == PacketType::pubrel ? 2U : 0U;  // [MQTT-3.6.1-1]
  const char bytes[kPlainAckBytes] = {static_cast<char>(static_cast<unsigned>(type) << 4U | flags), 2,
                                      static_cast<char>(packet_id >> 8), static_cast<char>(packet_id & 0xFF)};
  out.append(bytes, sizeof bytes);
}

void set_packet_id(char* frame, const EncodedPublish& layout, uint16_t packet_id) {
  if (layout.packet_id_offset != 0) Writer(frame + layout.packet_id_offset).u16(packet_id);
}

void set_message_expiry(char* frame, const EncodedPublish& layout, uint32_t interval_s) {
  if (layout.message_expiry_offset != 0) Writer(frame + layout.message_expiry_offset).u32(interval_s);
}

void set_dup(char* frame, bool dup) {
  const auto first = static_cast<unsigned char>(*frame);
  *frame = static_cast<char>(dup ? first | 0x08U : first & ~0x08U);
}

}  // namespace arena::mqtt
