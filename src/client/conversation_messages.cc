// Messages and their acknowledgements, both ways.
#include "client/conversation.h"
#include "codec/mqtt/encoder.h"

namespace arena::client {

using mqtt::PacketType;
using mqtt::Reason;
using State = Outgoing::State;

// What is due, in order, as far as the server's receive maximum goes [MQTT-3.3.4-9].
void Conversation::send_due() {
  if (!connected()) return;
  while (session_.on_the_way() < server_receive_maximum_) {
    Outgoing* message = session_.next_due();
    if (message == nullptr) return;
    if (message->state == State::release_due) {
      send_ack(PacketType::pubrel, message->id);
    } else {
      if (message->was_sent) mqtt::set_dup(message->frame.data(), true);  // [MQTT-3.3.1-1]
      output_.append(message->frame);
    }
    session_.on_sent(*message);
  }
}

void Conversation::on_ack(const mqtt::Ack& ack) {
  if (ack.type == PacketType::pubrec) return on_pubrec(ack);
  if (ack.type == PacketType::pubrel) return on_pubrel(ack);
  Outgoing* message = session_.find(ack.packet_id);
  const bool of_qos_1 = ack.type == PacketType::puback;
  const State expected = of_qos_1 ? State::publish_sent : State::release_sent;
  const Guarantee qos = of_qos_1 ? Guarantee::at_least_once : Guarantee::exactly_once;
  // A late answer to something that is over is no harm.
  if (message == nullptr || message->state != expected || message->qos != qos) return;
  if (of_qos_1) handler_.on_answered(ack);
  finish(*message, ack.reason);
}

void Conversation::finish(Outgoing& message, Reason reason) {
  const uint16_t id = message.id;
  session_.finish(message);
  send_due();
  handler_.on_published(id, reason);
}

void Conversation::on_pubrec(const mqtt::Ack& ack) {
  Outgoing* message = session_.find(ack.packet_id);
  if (message == nullptr || message->qos != Guarantee::exactly_once) {
    return send_ack(PacketType::pubrel, ack.packet_id, Reason::packet_identifier_not_found);
  }
  if (message->state == State::release_sent) return send_ack(PacketType::pubrel, ack.packet_id);
  if (message->state != State::publish_sent) return;
  handler_.on_answered(ack);
  if (is_error(ack.reason)) return finish(*message, ack.reason);  // [MQTT-4.3.3-4]
  message->state = State::release_sent;
  message->frame.clear();  // from here on only the identifier counts [MQTT-4.3.3-6]
  send_ack(PacketType::pubrel, ack.packet_id);
}

void Conversation::on_pubrel(const mqtt::Ack& ack) {
  const bool known = session_.release_inbound(ack.packet_id);
  send_ack(PacketType::pubcomp, ack.packet_id, known ? Reason::success : Reason::packet_identifier_not_found);
}

void Conversation::send_ack(PacketType type, uint16_t id, Reason reason) {
  mqtt::encode(output_, mqtt::Ack{type, id, reason, {}}, options_.version);
}

void Conversation::on_publish(const mqtt::Publish& publish) {
  if (publish.properties.topic_alias) {
    mqtt::Publish named = publish;
    if (resolve_alias(named)) deliver(named);
    return;
  }
  if (publish.topic.empty()) return fail(Reason::protocol_error, "a message without topic");
  deliver(publish);
}

// False: the conversation is over.
bool Conversation::resolve_alias(mqtt::Publish& publish) {
  const uint16_t alias = *publish.properties.topic_alias;
  if (alias == 0 || alias > options_.topic_alias_maximum) {
    fail(Reason::topic_alias_invalid, "a topic alias above the maximum");
    return false;
  }
  if (aliases_.size() < alias) aliases_.resize(alias);
  std::string& name = aliases_[alias - 1u];
  if (!publish.topic.empty()) name = publish.topic;
  publish.topic = name;
  if (!name.empty()) return true;
  fail(Reason::protocol_error, "a topic alias that was never set");
  return false;
}

void Conversation::deliver(const mqtt::Publish& publish) {
  // Said again because our PUBREC was lost: acknowledged, not delivered again [MQTT-4.3.3-10].
  if (publish.qos == Guarantee::exactly_once && session_.knows_inbound(publish.packet_id)) {
    return send_ack(PacketType::pubrec, publish.packet_id);
  }
  const Guarantee qos = publish.qos;
  const uint16_t id = publish.packet_id;
  handler_.on_message(publish);
  if (!options_.manual_acks && !ending_) acknowledge(id, qos);
}

void Conversation::acknowledge(uint16_t packet_id, Guarantee qos, Reason reason) {
  if (qos == Guarantee::at_most_once || !connected()) return;
  if (qos == Guarantee::at_least_once) return send_ack(PacketType::puback, packet_id, reason);
  if (!is_error(reason)) session_.remember_inbound(packet_id);
  send_ack(PacketType::pubrec, packet_id, reason);
}

}  // namespace arena::client
