#include "codec/mqtt/packet.h"

#include <fmt/format.h>

namespace arena::mqtt {
namespace {

PacketType type_of(const Pingreq&) {
  return PacketType::pingreq;
}
PacketType type_of(const Pingresp&) {
  return PacketType::pingresp;
}
PacketType type_of(const Connect&) {
  return PacketType::connect;
}
PacketType type_of(const Connack&) {
  return PacketType::connack;
}
PacketType type_of(const Publish&) {
  return PacketType::publish;
}
PacketType type_of(const Ack& packet) {
  return packet.type;
}
PacketType type_of(const Subscribe&) {
  return PacketType::subscribe;
}
PacketType type_of(const Suback&) {
  return PacketType::suback;
}
PacketType type_of(const Unsubscribe&) {
  return PacketType::unsubscribe;
}
PacketType type_of(const Unsuback&) {
  return PacketType::unsuback;
}
PacketType type_of(const Disconnect&) {
  return PacketType::disconnect;
}
PacketType type_of(const Auth&) {
  return PacketType::auth;
}

std::string details(const Pingreq&) {
  return {};
}
std::string details(const Pingresp&) {
  return {};
}
std::string details(const Connect& packet) {
  return fmt::format(" {} client={} clean={} keep_alive={}s will={} user={}", to_string(packet.version),
                     packet.client_id, packet.clean_start, packet.keep_alive_s, packet.will.has_value(),
                     packet.user_name.value_or(""));
}
std::string details(const Connack& packet) {
  return fmt::format(" {} session_present={}", to_string(packet.reason), packet.session_present);
}
std::string details(const Publish& packet) {
  return fmt::format(" {} id={} qos={} dup={} retain={} payload={}B", packet.topic, packet.packet_id,
                     static_cast<int>(packet.qos), packet.dup, packet.retain, packet.payload.size());
}
std::string details(const Ack& packet) {
  return fmt::format(" id={} {}", packet.packet_id, to_string(packet.reason));
}
std::string details(const Subscribe& packet) {
  std::string text = fmt::format(" id={}", packet.packet_id);
  for (const Subscription& one : packet.subscriptions) {
    text += fmt::format(" {}@{}", one.filter, static_cast<int>(one.qos));
  }
  return text;
}
std::string details(const Unsubscribe& packet) {
  std::string text = fmt::format(" id={}", packet.packet_id);
  for (const std::string_view filter : packet.filters) text += fmt::format(" {}", filter);
  return text;
}
std::string reasons_text(uint16_t packet_id, const std::vector<Reason>& reasons) {
  std::string text = fmt::format(" id={}", packet_id);
  for (const Reason reason : reasons) text += fmt::format(" 0x{:02X}", static_cast<int>(reason));
  return text;
}
std::string details(const Suback& packet) {
  return reasons_text(packet.packet_id, packet.reasons);
}
std::string details(const Unsuback& packet) {
  return reasons_text(packet.packet_id, packet.reasons);
}
std::string details(const Disconnect& packet) {
  return fmt::format(" {}", to_string(packet.reason));
}
std::string details(const Auth& packet) {
  return fmt::format(" {} method={}", to_string(packet.reason),
                     packet.properties.authentication_method.value_or(""));
}

}  // namespace

PacketType packet_type(const Packet& packet) {
  return std::visit([](const auto& one) { return type_of(one); }, packet);
}

std::string describe(const Packet& packet) {
  return std::visit([](const auto& one) { return std::string(to_string(type_of(one))) + details(one); },
                    packet);
}

}  // namespace arena::mqtt
