// Deliveries to the client, and the packets that acknowledge them.
#include <utility>

#include "broker/stream/from.h"
#include "gateway/mqtt/connection.h"
#include "gateway/mqtt/frame_cache.h"

namespace arena::gateway::mqtt {
namespace am = arena::mqtt;

// ---- to the client ----

void Connection::on_puback(uint16_t packet_id) {
  const broker::Outstanding* outstanding = session_->outstanding(packet_id);
  if (outstanding == nullptr) return;  // of a delivery that is long over
  if (outstanding->item.guarantee != Guarantee::at_least_once) {
    fail(Reason::protocol_error, "PUBACK for a QoS 2 message");
    return;
  }
  session_->settle(packet_id);  // also when it is an error: then nothing is sent again [MQTT-4.4.0-2]
}

void Connection::on_pubrec(uint16_t packet_id, Reason reason) {
  const broker::Outstanding* outstanding = session_->outstanding(packet_id);
  if (outstanding == nullptr) {
    if (am::is_error(reason)) return;  // that ends it: there is nothing to release [MQTT-4.3.3-4]
    send_ack(am::PacketType::pubrel, packet_id, Reason::packet_identifier_not_found);
  } else if (outstanding->item.guarantee != Guarantee::exactly_once) {
    fail(Reason::protocol_error, "PUBREC for a QoS 1 message");
  } else if (am::is_error(reason)) {
    session_->settle(packet_id);
  } else {
    session_->received(packet_id);
  }
}

void Connection::on_pubcomp(uint16_t packet_id) {
  const broker::Outstanding* outstanding = session_->outstanding(packet_id);
  if (outstanding == nullptr) return;
  if (outstanding->stage != broker::Stage::received) {
    fail(Reason::protocol_error, "PUBCOMP before PUBREL");
    return;
  }
  session_->settle(packet_id);
}

void Connection::release(uint16_t tag, bool) { send_ack(am::PacketType::pubrel, tag, Reason::success); }

uint32_t Connection::remaining_s(const Message& message) const {
  const int64_t left_ms = message.expires_ms - door_.loop().wall_ms();
  return left_ms <= 0 ? 0 : static_cast<uint32_t>((left_ms + 999) / 1000);
}

// Copies the shared bytes behind the output and patches what is this delivery's own.
bool Connection::append_frame(const Frame& frame, const broker::Delivery& delivery) {
  if (frame.bytes.empty() || frame.bytes.size() > peer_packet_bytes_max_) return false;  // [MQTT-3.1.2-24]
  std::string& output = stream_->output();
  const std::size_t at = output.size();
  output.append(frame.bytes);
  char* bytes = output.data() + at;
  if (delivery.tag != 0) am::set_packet_id(bytes, frame.layout, delivery.tag);
  if (delivery.redelivered) am::set_dup(bytes, true);
  if (frame.layout.message_expiry_offset != 0) {
    am::set_message_expiry(bytes, frame.layout, remaining_s(*delivery.message));  // [MQTT-3.3.2-6]
  }
  stream_->mark_dirty();
  door_.counters().packets_sent.add();
  door_.counters().bytes_sent.add(frame.bytes.size());
  return true;
}

bool Connection::deliver_burst(const BurstRef& burst) {
  if (stage_ != Stage::open || topic_alias_out_max_ != 0) return false;
  const BurstFrames& frames = door_.frames().get(burst, version_);
  if (frames.frame_bytes_max > peer_packet_bytes_max_) return false;
  stream_->write_shared(frames.bytes);
  door_.counters().packets_sent.add(burst->size());
  door_.counters().bytes_sent.add(frames.bytes->text.size());
  return true;
}

broker::DeliverResult Connection::deliver(const broker::Delivery& delivery) {
  if (stage_ != Stage::open) return broker::DeliverResult::sent;  // it ends this turn; the session keeps what it must
  const FrameKey key{version_, delivery.guarantee, delivery.retained};
  OutboundAliases::Use alias;
  if (topic_alias_out_max_ != 0) {
    if (!rare().aliases_out) rare().aliases_out = std::make_unique<OutboundAliases>();
    alias = rare().aliases_out->use(delivery.message->topic, topic_alias_out_max_);
  }
  const bool positioned = delivery.position != nullptr && version_ == Version::v5;
  const bool shared = alias.alias == 0 && !positioned && (delivery.subscription_ids.empty() || version_ != Version::v5);
  bool sent = false;
  if (shared) {
    sent = append_frame(door_.frames().get(delivery.message, key), delivery);
  } else {
    OwnPart own_part{delivery.subscription_ids, alias.alias, alias.with_topic, {}};
    if (positioned) own_part.position = broker::to_text(delivery.position->first, delivery.position->second);
    const Frame own = encode_frame(*delivery.message, key, own_part);
    sent = append_frame(own, delivery);
    if (!sent && alias.with_topic && alias.alias != 0) rare().aliases_out->forget_last(delivery.message->topic);
  }
  return sent ? broker::DeliverResult::sent : broker::DeliverResult::unfit;  // [MQTT-3.1.2-25]
}

}  // namespace arena::gateway::mqtt
