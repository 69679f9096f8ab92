// Publishing, both ways: PUBLISH and the four packets that acknowledge it.
#include <algorithm>
#include <utility>

#include "broker/stream/from.h"
#include "gateway/mqtt/connection.h"
#include "gateway/mqtt/own_properties.h"

namespace arena::gateway::mqtt {
namespace am = arena::mqtt;

namespace {

bool has_extras(const am::PublishProperties& in) {
  return in.content_type || in.response_topic || in.correlation_data || in.payload_is_text || !in.user_properties.empty();
}

// Nothing but topic and payload: others like it may follow, and go on together.
bool is_plain(const am::Publish& packet) {
  const am::PublishProperties& in = packet.properties;
  return packet.qos == Guarantee::at_most_once && !packet.retain && !in.topic_alias && !in.message_expiry_interval_s &&
         !has_extras(in);
}

std::unique_ptr<const Extras> take_extras(const am::PublishProperties& in) {
  if (!has_extras(in)) return nullptr;
  auto out = std::make_unique<Extras>();
  out->has_content_type = in.content_type.has_value();
  out->content_type = in.content_type.value_or("");
  out->response_topic = in.response_topic.value_or("");
  out->has_correlation = in.correlation_data.has_value();
  out->correlation = in.correlation_data.value_or("");
  out->has_payload_kind = in.payload_is_text.has_value();
  out->payload_is_text = in.payload_is_text.value_or(false);
  out->headers.reserve(in.user_properties.size());
  for (const am::UserProperty& property : in.user_properties) {
    if (!is_own(property)) out->headers.emplace_back(property.name, property.value);
  }
  return out;
}

am::Reason reason_of(broker::Outcome outcome) {
  switch (outcome) {
    case broker::Outcome::ok:
      return am::Reason::success;
    case broker::Outcome::no_match:
      return am::Reason::no_matching_subscribers;
    case broker::Outcome::denied:
      return am::Reason::not_authorized;
    case broker::Outcome::quota:
      return am::Reason::quota_exceeded;
    case broker::Outcome::failed:
      return am::Reason::unspecified_error;
    case broker::Outcome::conflict:
    case broker::Outcome::unknown_producer:
      return am::Reason::implementation_specific_error;
  }
  return am::Reason::unspecified_error;
}

std::string_view text_of(broker::Outcome outcome) {
  if (outcome == broker::Outcome::conflict) return "conflict: something else was published under this id";
  if (outcome == broker::Outcome::unknown_producer) {
    return "unknown-producer: begin again with a higher epoch and sequence 1";
  }
  return {};
}

}  // namespace

// ---- from the client ----

void Connection::on_publish(const am::Publish& packet) {
  door_.counters().publishes_received.add();
  const std::optional<std::string_view> topic = resolve_topic(packet);
  if (!topic || !check_publish(packet, *topic) || !check_packet_id(packet) || !count_inbound(packet)) return;
  if (is_plain(packet)) {
    begin_run(packet);
    return;
  }
  const PublishOwn own = packet.properties.user_properties.empty() ? PublishOwn{} : read_own(packet.properties.user_properties);
  if (own.refusal != nullptr) return refuse_publish(packet, own.refusal);
  const broker::PublishKey* known_by = own.key ? &*own.key : nullptr;
  std::unique_ptr<Message> message = make_message(packet, *topic);
  if (packet.qos == Guarantee::at_most_once) {
    session_->publish(std::move(message), 0, 0, known_by);
    return;
  }
  acks_.push_back({packet.packet_id, packet.qos, false, Reason::success});
  const uint64_t cookie = first_ack_ + acks_.size() - 1;
  if (known_by != nullptr) rare().keyed.insert(cookie);
  session_->publish(std::move(message), packet.qos == Guarantee::exactly_once ? packet.packet_id : uint16_t{0}, cookie, known_by);
}

// Its properties are not what they may be: it alone is refused; at QoS 0 nobody can be told.
void Connection::refuse_publish(const am::Publish& packet, const char* text) {
  if (packet.qos == Guarantee::at_most_once) {
    door_.counters().publishes_refused.add();
    return;
  }
  acks_.push_back({packet.packet_id, packet.qos, true, Reason::implementation_specific_error});
  rare().ack_texts[first_ack_ + acks_.size() - 1].reason = text;
  flush_acks();
}

void Connection::begin_run(const am::Publish& packet) {
  PublishRun& run = door_.run();
  run.topic = packet.topic;
  run.payloads.push_back(packet.payload);
  run.bytes = packet.topic.size() + packet.payload.size();
}

// What has come goes to the session, before anything else does.
void Connection::end_run() {
  PublishRun& run = door_.run();
  if (run.payloads.empty()) return;
  if (run.payloads.size() == 1) {
    auto message = std::make_unique<Message>();
    message->topic = run.topic;
    message->payload = run.payloads.front();
    run.payloads.clear();
    session_->publish(std::move(message), 0, 0);
    return;
  }
  auto burst = std::make_unique<Burst>(run.topic, run.payloads);
  run.payloads.clear();
  session_->publish(std::move(burst));
}

std::optional<std::string_view> Connection::resolve_topic(const am::Publish& packet) {
  const std::optional<uint16_t> alias = packet.properties.topic_alias;
  if (!alias) return packet.topic;
  if (*alias == 0 || *alias > options_->topic_alias_max) {
    fail(Reason::topic_alias_invalid, "topic alias above the maximum");
    return std::nullopt;
  }
  if (!rare().aliases_in) rare().aliases_in = std::make_unique<InboundAliases>();
  if (!packet.topic.empty()) {
    rare().aliases_in->set(*alias, packet.topic);
    return packet.topic;
  }
  const std::string_view topic = rare().aliases_in->get(*alias);
  if (topic.empty()) {
    fail(Reason::protocol_error, "topic alias that was never set");
    return std::nullopt;
  }
  return topic;
}

bool Connection::check_publish(const am::Publish& packet, std::string_view topic) {
  if (const auto fault = check_topic(topic, options_->topics)) {
    fail(Reason::topic_name_invalid, to_string(*fault));
    return false;
  }
  if (packet.retain && !options_->retain_available) {
    fail(Reason::retain_not_supported, "retained messages are switched off");
    return false;
  }
  if (packet.qos > options_->guarantee_max) {
    fail(Reason::qos_not_supported, "QoS above the maximum");
    return false;
  }
  return true;
}

// By an exactly-once handshake, or by a request that is still worked on.
bool Connection::id_in_use(uint16_t packet_id) const {
  return open_tags_.contains(packet_id) ||
         (rare_ && std::any_of(rare_->subscribes.begin(), rare_->subscribes.end(),
                               [packet_id](const auto& entry) { return entry.second.packet_id == packet_id; }));
}

// An identifier in use is not to be taken for something new [MQTT-2.2.1-3]. 3.x has no code to say so.
bool Connection::check_packet_id(const am::Publish& packet) {
  if (packet.qos == Guarantee::at_most_once) return true;
  const bool again = packet.qos == Guarantee::exactly_once && open_tags_.contains(packet.packet_id);
  if (again || !id_in_use(packet.packet_id)) return true;
  if (version_ != Version::v5) {
    fail(Reason::protocol_error, "packet identifier in use");
    return false;
  }
  acks_.push_back({packet.packet_id, packet.qos, true, Reason::packet_identifier_in_use});
  flush_acks();
  return false;
}

// Receive Maximum holds for MQTT 5, which was told it [MQTT-3.3.4-7]; others are slowed by throttle().
bool Connection::count_inbound(const am::Publish& packet) {
  if (packet.qos == Guarantee::at_most_once) return true;
  const bool again = packet.qos == Guarantee::exactly_once && open_tags_.contains(packet.packet_id);
  if (version_ == Version::v5 && !again) {
    const auto at_least_once = static_cast<std::size_t>(std::count_if(
        acks_.begin(), acks_.end(), [](const PendingAck& ack) { return ack.guarantee == Guarantee::at_least_once; }));
    if (at_least_once + open_tags_.size() >= options_->receive_max) {
      fail(Reason::receive_maximum_exceeded, "more unacknowledged publishes than the receive maximum");
      return false;
    }
  }
  if (packet.qos == Guarantee::exactly_once) open_tags_.insert(packet.packet_id);
  return true;
}

std::unique_ptr<Message> Connection::make_message(const am::Publish& packet, std::string_view topic) const {
  auto message = std::make_unique<Message>();
  message->topic = topic;
  message->payload = packet.payload;
  message->guarantee = packet.qos;
  message->retain = packet.retain;
  if (packet.properties.message_expiry_interval_s) {
    message->expires_ms = door_.loop().wall_ms() + int64_t{*packet.properties.message_expiry_interval_s} * 1000;
  }
  message->extras = take_extras(packet.properties);
  return message;
}

void Connection::published(uint64_t cookie, const broker::Receipt& receipt) {
  if (stage_ != Stage::open) return;
  if (cookie < first_ack_ || cookie - first_ack_ >= acks_.size() || acks_[cookie - first_ack_].done) {
    door_.counters().stray_receipts.add();
    return;
  }
  PendingAck& ack = acks_[cookie - first_ack_];
  ack.done = true;
  ack.reason = reason_of(receipt.outcome);
  if (rare_ && rare_->keyed.erase(cookie) != 0) note_receipt(cookie, receipt);
  const bool lost = receipt.outcome == broker::Outcome::quota || receipt.outcome == broker::Outcome::failed;
  if (version_ != Version::v5 && lost) {
    // 3.x has no negative acknowledgement, and a positive one would be a lie.
    shut_down(broker::DetachKind::abrupt, std::nullopt);
    return;
  }
  flush_acks();
}

// Who publishes under an id or as a producer learns where the message is, and whether it was there before.
void Connection::note_receipt(uint64_t cookie, const broker::Receipt& receipt) {
  AckText& text = rare().ack_texts[cookie];
  text.reason = text_of(receipt.outcome);
  text.duplicate = receipt.duplicate;
  if (receipt.position) text.position = broker::to_text({receipt.position->partition, receipt.log}, receipt.position->offset);
}

void Connection::flush_acks() {
  while (!acks_.empty() && acks_.front().done) {
    const PendingAck ack = acks_.front();
    const uint64_t cookie = first_ack_;
    acks_.pop_front();
    ++first_ack_;
    if (ack.guarantee == Guarantee::exactly_once && am::is_error(ack.reason)) open_tags_.erase(ack.packet_id);
    send_publish_ack(ack, cookie);
  }
}

void Connection::send_publish_ack(const PendingAck& ack, uint64_t cookie) {
  const am::PacketType type = ack.guarantee == Guarantee::at_least_once ? am::PacketType::puback : am::PacketType::pubrec;
  if (!rare_) return send_ack(type, ack.packet_id, ack.reason);
  const auto found = rare_->ack_texts.find(cookie);
  if (found == rare_->ack_texts.end()) return send_ack(type, ack.packet_id, ack.reason);
  const AckText text = std::move(found->second);
  rare_->ack_texts.erase(found);
  tidy();
  if (version_ != Version::v5 || !problem_information_) return send_ack(type, ack.packet_id, ack.reason);  // [MQTT-3.1.2-29]
  am::Ack packet;
  packet.type = type;
  packet.packet_id = ack.packet_id;
  packet.reason = ack.reason;
  if (!text.reason.empty()) packet.properties.reason_string = text.reason;
  if (!text.position.empty()) packet.properties.user_properties.push_back({"arena-position", text.position});
  if (text.duplicate) packet.properties.user_properties.push_back({"arena-duplicate", "1"});
  send(packet);
}

void Connection::on_ack(const am::Ack& packet) {
  switch (packet.type) {
    case am::PacketType::puback:
      return on_puback(packet);
    case am::PacketType::pubrec:
      return on_pubrec(packet);
    case am::PacketType::pubrel:
      return on_pubrel(packet);
    default:
      return on_pubcomp(packet);
  }
}

void Connection::on_pubrel(const am::Ack& packet) {
  // The PUBREC this answers has been sent, so no receipt is awaited any more; if one is, that receipt would never find
  // its way, and all later acknowledgements would wait for it [MQTT-4.3.3-4].
  const bool too_early = std::any_of(acks_.begin(), acks_.end(), [&](const PendingAck& ack) {
    return ack.packet_id == packet.packet_id && ack.guarantee == Guarantee::exactly_once && !ack.done;
  });
  if (too_early) {
    fail(Reason::protocol_error, "PUBREL before PUBREC");
    return;
  }
  session_->release(packet.packet_id, packet.packet_id);
}

void Connection::released(uint64_t cookie, bool known) {
  if (stage_ != Stage::open) return;
  const auto packet_id = static_cast<uint16_t>(cookie);
  open_tags_.erase(packet_id);
  send_ack(am::PacketType::pubcomp, packet_id, known ? Reason::success : Reason::packet_identifier_not_found);
}

// ---- to the client ----

void Connection::on_puback(const am::Ack& packet) {
  const broker::Outstanding* outstanding = session_->outstanding(packet.packet_id);
  if (outstanding == nullptr) return;  // of a delivery that is long over
  if (outstanding->item.guarantee != Guarantee::at_least_once) {
    fail(Reason::protocol_error, "PUBACK for a QoS 2 message");
    return;
  }
  session_->settle(packet.packet_id);  // also when it is an error: then nothing is sent again [MQTT-4.4.0-2]
}

void Connection::on_pubrec(const am::Ack& packet) {
  const broker::Outstanding* outstanding = session_->outstanding(packet.packet_id);
  if (outstanding == nullptr) {
    if (am::is_error(packet.reason)) return;  // that ends it: there is nothing to release [MQTT-4.3.3-4]
    send_ack(am::PacketType::pubrel, packet.packet_id, Reason::packet_identifier_not_found);
  } else if (outstanding->item.guarantee != Guarantee::exactly_once) {
    fail(Reason::protocol_error, "PUBREC for a QoS 1 message");
  } else if (am::is_error(packet.reason)) {
    session_->settle(packet.packet_id);
  } else {
    session_->received(packet.packet_id);
  }
}

void Connection::on_pubcomp(const am::Ack& packet) {
  const broker::Outstanding* outstanding = session_->outstanding(packet.packet_id);
  if (outstanding == nullptr) return;
  if (outstanding->stage != broker::Stage::received) {
    fail(Reason::protocol_error, "PUBCOMP before PUBREL");
    return;
  }
  session_->settle(packet.packet_id);
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
