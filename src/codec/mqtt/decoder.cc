#include "codec/mqtt/decoder.h"

#include "codec/mqtt/decode_body.h"

namespace arena::mqtt {
namespace {

struct FixedHeader {
  PacketType type{};
  uint8_t flags = 0;
  Varint length;  // incomplete: more input is needed

  std::size_t head_bytes() const { return std::size_t{1} + length.bytes; }
  std::size_t packet_bytes() const { return head_bytes() + length.value; }
};

// PUBREL, SUBSCRIBE and UNSUBSCRIBE have the QoS 1 bit set since MQTT 3.1, for no other reason than that.
uint8_t expected_flags(PacketType type) {
  const bool qos_1 =
      type == PacketType::pubrel || type == PacketType::subscribe || type == PacketType::unsubscribe;
  return qos_1 ? 0x02 : 0x00;
}

bool may_arrive(PacketType type, Version version, Role receiver) {
  switch (type) {
    case PacketType::connect:
    case PacketType::subscribe:
    case PacketType::unsubscribe:
    case PacketType::pingreq:
      return receiver == Role::server;
    case PacketType::connack:
    case PacketType::suback:
    case PacketType::unsuback:
    case PacketType::pingresp:
      return receiver == Role::client;
    case PacketType::disconnect:
      return receiver == Role::server || version == Version::v5;
    default:
      return true;
  }
}

Fault check_type(const FixedHeader& header, Version version, Role receiver) {
  const bool reserved =
      header.type == PacketType{} || (header.type == PacketType::auth && version != Version::v5);
  if (reserved) return {Reason::malformed_packet, "reserved packet type"};
  if (!may_arrive(header.type, version, receiver))
    return {Reason::protocol_error, "packet from the wrong side"};
  // MQTT 3.1 does not use the flags outside PUBLISH; resent SUBSCRIBE and PUBREL packets have DUP there.
  // CONNECT tells its version later.
  if (version == Version::v3_1 || header.type == PacketType::publish || header.type == PacketType::connect)
    return {};
  if (header.flags != expected_flags(header.type)) {
    return {Reason::malformed_packet, "reserved fixed header flags"};  // [MQTT-2.1.3-1]
  }
  return {};
}

Fault check_length(const FixedHeader& header, Version version, const DecodeLimits& limits) {
  if (header.length.state == Varint::State::too_long) {
    return {Reason::malformed_packet, "remaining length of more than four bytes"};
  }
  if (header.length.state == Varint::State::incomplete) return {};
  if (header.packet_bytes() > limits.packet_bytes_max) return {Reason::packet_too_large, "packet too large"};
  // A CONNECT tells later whether this holds for it.
  if (version == Version::v5 && header.type != PacketType::connect && is_padded(header.length)) {
    return {Reason::malformed_packet, "remaining length not in its shortest form"};
  }
  return {};
}

FixedHeader split_header(std::string_view input) {
  FixedHeader header;
  const auto first = static_cast<uint8_t>(input[0]);
  header.type = static_cast<PacketType>(first >> 4);
  header.flags = first & 0x0F;
  header.length = read_varint(input.substr(1));
  return header;
}

DecodeResult decode_connect_packet(std::string_view input, const FixedHeader& header,
                                   const DecodeLimits& limits) {
  DecodeResult result(std::in_place_type<Decoded>);
  auto& decoded = std::get<Decoded>(result);
  decoded.consumed = header.packet_bytes();
  Reader reader(input.substr(header.head_bytes(), header.length.value));
  Version answer = Version::v3_1_1;
  decode_connect_body(reader, {header.flags, is_padded(header.length)}, limits, answer,
                      decoded.packet.emplace<Connect>());
  if (!reader.ok()) result = Malformed{reader.fault().reason, reader.fault().text, answer};
  return result;
}

template <typename P>
void decode_into(Packet& packet, Reader& reader, const Body& body) {
  decode_body(reader, body, packet.emplace<P>());
  reader.expect_end();
}

void decode_any(Packet& packet, Reader& reader, const Body& body) {
  switch (body.type) {
    case PacketType::connack:
      return decode_into<Connack>(packet, reader, body);
    case PacketType::publish:
      return decode_into<Publish>(packet, reader, body);
    case PacketType::puback:
    case PacketType::pubrec:
    case PacketType::pubrel:
    case PacketType::pubcomp:
      return decode_into<Ack>(packet, reader, body);
    case PacketType::subscribe:
      return decode_into<Subscribe>(packet, reader, body);
    case PacketType::suback:
      return decode_into<Suback>(packet, reader, body);
    case PacketType::unsubscribe:
      return decode_into<Unsubscribe>(packet, reader, body);
    case PacketType::unsuback:
      return decode_into<Unsuback>(packet, reader, body);
    case PacketType::pingreq:
      return decode_into<Pingreq>(packet, reader, body);
    case PacketType::pingresp:
      return decode_into<Pingresp>(packet, reader, body);
    case PacketType::disconnect:
      return decode_into<Disconnect>(packet, reader, body);
    case PacketType::auth:
      return decode_into<Auth>(packet, reader, body);
    case PacketType::connect:
      return;  // decode_connect_packet's
  }
}

// One result, made in place: moving a packet would cost as much as reading it.
DecodeResult decode_whole_packet(std::string_view input, const FixedHeader& header, Version version,
                                 Role receiver, const DecodeLimits& limits) {
  DecodeResult result(std::in_place_type<Decoded>);
  auto& decoded = std::get<Decoded>(result);
  decoded.consumed = header.packet_bytes();
  Reader reader(input.substr(header.head_bytes(), header.length.value));
  decode_any(decoded.packet, reader, {header.type, header.flags, version, receiver, limits});
  if (!reader.ok()) result = Malformed{reader.fault().reason, reader.fault().text, version};
  return result;
}

}  // namespace

DecodeResult decode(std::string_view input, Version version, Role receiver, const DecodeLimits& limits) {
  if (input.empty()) return NeedMore{1};
  const FixedHeader header = split_header(input);
  Fault fault = check_type(header, version, receiver);
  if (fault.reason == Reason::success) fault = check_length(header, version, limits);
  if (fault.reason != Reason::success) return Malformed{fault.reason, fault.text, version};
  if (header.length.state == Varint::State::incomplete) return NeedMore{input.size() + 1};
  if (input.size() < header.packet_bytes()) return NeedMore{header.packet_bytes()};
  if (header.type == PacketType::connect) return decode_connect_packet(input, header, limits);
  return decode_whole_packet(input, header, version, receiver, limits);
}

DecodeResult decode_connect(std::string_view input, const DecodeLimits& limits) {
  // Types are read as 3.1.1 has them: nothing but CONNECT passes, whatever its version.
  if (!input.empty() && static_cast<uint8_t>(input[0]) >> 4 != static_cast<uint8_t>(PacketType::connect)) {
    return Malformed{Reason::protocol_error, "the first packet is not CONNECT", Version::v3_1_1};
  }
  return decode(input, Version::v3_1_1, Role::server, limits);
}

}  // namespace arena::mqtt
