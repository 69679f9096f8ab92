#include "client/conversation.h"

#include <algorithm>
#include <utility>

#include "codec/mqtt/encoder.h"

namespace arena::client {

using mqtt::PacketType;
using mqtt::Reason;

Conversation::Conversation(const ClientOptions& options, ClientSession& session, ClientHandler& handler,
                           std::string& output)
    : options_(options), session_(session), handler_(handler), output_(output), keep_alive_s_(options.keep_alive_s) {
  if (options.packet_bytes_max != 0) limits_.packet_bytes_max = options.packet_bytes_max;
}

void Conversation::connect() {
  session_.rewind();
  mqtt::Connect packet;
  packet.version = options_.version;
  packet.clean_start = options_.clean_start;
  packet.keep_alive_s = options_.keep_alive_s;
  packet.client_id = options_.client_id;
  if (options_.user_name) packet.user_name = *options_.user_name;
  if (options_.password) packet.password = *options_.password;
  if (options_.will) {
    const WillOptions& will = *options_.will;
    packet.will = mqtt::Will{will.topic, will.payload, will.qos, will.retain, {}};
    if (will.delay_s != 0) packet.will->properties.will_delay_interval_s = will.delay_s;
  }
  mqtt::ConnectProperties& properties = packet.properties;
  if (options_.session_expiry_s != 0) properties.session_expiry_interval_s = options_.session_expiry_s;
  if (options_.receive_maximum != 65535) properties.receive_maximum = options_.receive_maximum;
  if (options_.topic_alias_maximum != 0) properties.topic_alias_maximum = options_.topic_alias_maximum;
  if (options_.packet_bytes_max != 0) properties.maximum_packet_size = options_.packet_bytes_max;
  if (!mqtt::encode(output_, packet, options_.version)) {
    end_with({Ending::Kind::asked, Reason::packet_too_large, "the client id, user name, password or will is too long"});
  }
}

// Packets are read where they lie; only one that is cut off is copied, and no more of the input than it needs.
void Conversation::receive(std::string_view bytes) {
  if (!partial_.empty()) receive_rest(bytes);
  std::size_t bytes_min = 0;
  while (!bytes.empty() && !ending_) {
    const std::size_t consumed = receive_one(bytes, bytes_min);
    if (consumed == 0) break;
    bytes.remove_prefix(consumed);
  }
  if (!ending_ && !bytes.empty()) partial_.append(bytes);
}

void Conversation::receive_rest(std::string_view& bytes) {
  std::size_t bytes_min = partial_.size() + 1;
  while (!bytes.empty() && !ending_) {
    const std::size_t wanted = std::min(bytes.size(), bytes_min - partial_.size());
    partial_.append(bytes.substr(0, wanted));
    bytes.remove_prefix(wanted);
    if (partial_.size() < bytes_min || receive_one(partial_, bytes_min) == 0) continue;
    if (partial_.capacity() > 4096) partial_ = {};
    partial_.clear();
    return;
  }
}

// How much was consumed; 0: nothing, since bytes_min are needed or the conversation is over.
std::size_t Conversation::receive_one(std::string_view input, std::size_t& bytes_min) {
  const mqtt::DecodeResult result = mqtt::decode(input, options_.version, mqtt::Role::client, limits_);
  if (const auto* more = std::get_if<mqtt::NeedMore>(&result)) {
    bytes_min = more->bytes_min;
    return 0;
  }
  if (const auto* malformed = std::get_if<mqtt::Malformed>(&result)) {
    fail(malformed->reason, malformed->text);
    return 0;
  }
  const auto& decoded = std::get<mqtt::Decoded>(result);
  handle(decoded.packet);
  return decoded.consumed;
}

void Conversation::handle(const mqtt::Packet& packet) {
  if (const auto* publish = std::get_if<mqtt::Publish>(&packet); publish != nullptr && connected_) {
    return on_publish(*publish);
  }
  if (const auto* connack = std::get_if<mqtt::Connack>(&packet)) return on_connack(*connack);
  if (!connected_) return fail(Reason::protocol_error, "the server spoke before its CONNACK");
  if (const auto* ack = std::get_if<mqtt::Ack>(&packet)) return on_ack(*ack);
  if (const auto* suback = std::get_if<mqtt::Suback>(&packet)) {
    if (!session_.end_request(suback->packet_id)) return fail(Reason::protocol_error, "SUBACK without SUBSCRIBE");
    return handler_.on_suback(*suback);
  }
  if (const auto* unsuback = std::get_if<mqtt::Unsuback>(&packet)) {
    if (!session_.end_request(unsuback->packet_id)) {
      return fail(Reason::protocol_error, "UNSUBACK without UNSUBSCRIBE");
    }
    return handler_.on_unsuback(*unsuback);
  }
  if (std::holds_alternative<mqtt::Pingresp>(packet)) {
    ping_unanswered_ = false;
    return handler_.on_pong();
  }
  if (const auto* disconnect = std::get_if<mqtt::Disconnect>(&packet)) {
    handler_.on_disconnect(*disconnect);
    std::string text(disconnect->properties.reason_string.value_or(to_string(disconnect->reason)));
    return end_with({Ending::Kind::told, disconnect->reason, std::move(text)});
  }
  fail(Reason::protocol_error, "a packet that the server must not send");
}

void Conversation::on_connack(const mqtt::Connack& connack) {
  if (connected_) return fail(Reason::protocol_error, "a second CONNACK");
  if (is_error(connack.reason)) {
    handler_.on_connack(connack);
    std::string text(connack.properties.reason_string.value_or(to_string(connack.reason)));
    return end_with({Ending::Kind::refused, connack.reason, std::move(text)});
  }
  connected_ = true;
  const mqtt::ConnackProperties& properties = connack.properties;
  server_receive_maximum_ = properties.receive_maximum.value_or(65535);
  server_packet_bytes_max_ = properties.maximum_packet_size.value_or(mqtt::kPacketBytesMax);
  keep_alive_s_ = properties.server_keep_alive_s.value_or(options_.keep_alive_s);
  // MQTT 3.1 does not say whether there is a session.
  const bool unsaid = options_.version == mqtt::Version::v3_1 && !options_.clean_start;
  on_session_present(connack.session_present || unsaid);
  handler_.on_connack(connack);
  send_due();
}

void Conversation::on_session_present(bool present) {
  if (present) {
    if (options_.clean_start) fail(Reason::protocol_error, "a session after a clean start");  // [MQTT-3.2.2-2]
    return;
  }
  for (const uint16_t id : session_.forget()) handler_.on_unknown(id);
}

std::optional<uint16_t> Conversation::publish(const mqtt::Publish& publish) {
  if (publish.qos == Guarantee::at_most_once) {
    if (!connected()) return std::nullopt;
    const std::size_t before = output_.size();
    if (!mqtt::encode(output_, publish, options_.version)) return std::nullopt;
    if (output_.size() - before <= server_packet_bytes_max_) return uint16_t{0};
    output_.resize(before);
    return std::nullopt;
  }
  const Outgoing* message = session_.add(publish, options_.version, server_packet_bytes_max_);
  if (message == nullptr) return std::nullopt;
  const uint16_t id = message->id;
  send_due();
  return id;
}

std::optional<uint16_t> Conversation::subscribe(mqtt::Subscribe subscribe) {
  if (!connected()) return std::nullopt;
  subscribe.packet_id = session_.begin_request();
  if (subscribe.packet_id == 0) return std::nullopt;
  if (mqtt::encode(output_, subscribe, options_.version)) return subscribe.packet_id;
  session_.end_request(subscribe.packet_id);
  return std::nullopt;
}

std::optional<uint16_t> Conversation::unsubscribe(mqtt::Unsubscribe unsubscribe) {
  if (!connected()) return std::nullopt;
  unsubscribe.packet_id = session_.begin_request();
  if (unsubscribe.packet_id == 0) return std::nullopt;
  if (mqtt::encode(output_, unsubscribe, options_.version)) return unsubscribe.packet_id;
  session_.end_request(unsubscribe.packet_id);
  return std::nullopt;
}

void Conversation::ping() {
  if (!connected()) return;
  ping_unanswered_ = true;
  mqtt::encode(output_, mqtt::Pingreq{}, options_.version);
}

void Conversation::disconnect(Reason reason) {
  if (ending_) return;
  mqtt::Disconnect packet;
  packet.reason = reason;
  if (connected_) mqtt::encode(output_, packet, options_.version);
  end_with({Ending::Kind::asked, reason, "disconnected"});
}

void Conversation::end_with(Ending ending) {
  if (!ending_) ending_ = std::move(ending);
}

void Conversation::fail(Reason reason, std::string_view text) {
  if (ending_) return;
  mqtt::Disconnect packet;
  packet.reason = reason;
  if (connected_ && options_.version == mqtt::Version::v5) mqtt::encode(output_, packet, options_.version);
  end_with({Ending::Kind::protocol_error, reason, std::string(text)});
}

}  // namespace arena::client
