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

std::unique_ptr<Message> make_message(std::string_view topic, std::string_view payload, Guarantee guarantee) {
  auto message = std::make_unique<Message>();
  message->topic = topic;
  message->payload = payload;
  message->guarantee = guarantee;
  return message;
}

}  // namespace

// ---- from the client ----

void Connection::on_publish(const am::Publish& packet) {
  door_.counters().publishes_received.add();
  const std::optional<std::string_view> topic = resolve_topic(packet);
  if (!topic || !check_topic_name(*topic) || !check_publish(packet.qos, packet.retain)) return;
  if (!check_packet_id(packet.qos, packet.packet_id) || !count_inbound(packet.qos, packet.packet_id)) return;
  if (is_plain(packet)) {
    add_to_run(packet.topic, packet.payload);
    return;
  }
  const PublishOwn own = packet.properties.user_properties.empty() ? PublishOwn{} : read_own(packet.properties.user_properties);
  if (own.refusal != nullptr) return refuse_publish(packet, own.refusal);
  const broker::PublishKey* known_by = own.key ? &*own.key : nullptr;
  std::unique_ptr<Message> message = make_message(*topic, packet.payload, packet.qos);
  message->retain = packet.retain;
  if (packet.properties.message_expiry_interval_s) {
    message->expires_ms = door_.loop().wall_ms() + int64_t{*packet.properties.message_expiry_interval_s} * 1000;
  }
  message->extras = take_extras(packet.properties);
  if (packet.qos == Guarantee::at_most_once) {
    session_->publish(std::move(message), 0, 0, known_by);
  } else {
    publish_acknowledged(std::move(message), packet.packet_id, known_by);
  }
}

// known_topic: the one before had the same, so that it is allowed.
void Connection::on_plain_publish(const am::PlainPublish& packet, bool known_topic) {
  door_.counters().publishes_received.add();
  if (!known_topic && !check_topic_name(packet.topic)) return;
  door_.run().topic = packet.topic;
  if (!check_publish(packet.qos, false)) return;
  if (packet.qos == Guarantee::at_most_once) return add_to_run(packet.topic, packet.payload);
  if (!check_packet_id(packet.qos, packet.packet_id) || !count_inbound(packet.qos, packet.packet_id)) return;
  publish_acknowledged(make_message(packet.topic, packet.payload, packet.qos), packet.packet_id, nullptr);
}

void Connection::publish_acknowledged(std::unique_ptr<Message> message, uint16_t packet_id, const broker::PublishKey* known_by) {
  const Guarantee guarantee = message->guarantee;
  acks_.push_back({packet_id, guarantee, false, Reason::success});
  const uint64_t cookie = first_ack_ + acks_.size() - 1;
  if (known_by != nullptr) rare().keyed.insert(cookie);
  session_->publish(std::move(message), guarantee == Guarantee::exactly_once ? packet_id : uint16_t{0}, cookie, known_by);
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

void Connection::add_to_run(std::string_view topic, std::string_view payload) {
  PublishRun& run = door_.run();
  if (run.payloads.empty()) run.bytes = 0;
  run.topic = topic;
  run.payloads.push_back(payload);
  run.bytes += topic.size() + payload.size();
}

// What has come goes to the session, before anything else does.
void Connection::end_run() {
  PublishRun& run = door_.run();
  if (run.payloads.empty()) return;
  if (run.payloads.size() == 1) {
    std::unique_ptr<Message> message = make_message(run.topic, run.payloads.front(), Guarantee::at_most_once);
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

bool Connection::check_topic_name(std::string_view topic) {
  const auto fault = check_topic(topic, options_->topics);
  if (fault) fail(Reason::topic_name_invalid, to_string(*fault));
  return !fault;
}

bool Connection::check_publish(Guarantee guarantee, bool retain) {
  if (retain && !options_->retain_available) {
    fail(Reason::retain_not_supported, "retained messages are switched off");
    return false;
  }
  if (guarantee > options_->guarantee_max) {
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
bool Connection::check_packet_id(Guarantee guarantee, uint16_t packet_id) {
  if (guarantee == Guarantee::at_most_once) return true;
  const bool again = guarantee == Guarantee::exactly_once && open_tags_.contains(packet_id);
  if (again || !id_in_use(packet_id)) return true;
  if (version_ != Version::v5) {
    fail(Reason::protocol_error, "packet identifier in use");
    return false;
  }
  acks_.push_back({packet_id, guarantee, true, Reason::packet_identifier_in_use});
  flush_acks();
  return false;
}

// Receive Maximum holds for MQTT 5, which was told it [MQTT-3.3.4-7]; others are slowed by throttle().
bool Connection::count_inbound(Guarantee guarantee, uint16_t packet_id) {
  if (guarantee == Guarantee::at_most_once) return true;
  const bool again = guarantee == Guarantee::exactly_once && open_tags_.contains(packet_id);
  if (version_ == Version::v5 && !again) {
    const auto at_least_once = static_cast<std::size_t>(std::count_if(
        acks_.begin(), acks_.end(), [](const PendingAck& ack) { return ack.guarantee == Guarantee::at_least_once; }));
    if (at_least_once + open_tags_.size() >= options_->receive_max) {
      fail(Reason::receive_maximum_exceeded, "more unacknowledged publishes than the receive maximum");
      return false;
    }
  }
  if (guarantee == Guarantee::exactly_once) open_tags_.insert(packet_id);
  return true;
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

void Connection::on_ack(am::PacketType type, uint16_t packet_id, Reason reason) {
  switch (type) {
    case am::PacketType::puback:
      return on_puback(packet_id);
    case am::PacketType::pubrec:
      return on_pubrec(packet_id, reason);
    case am::PacketType::pubrel:
      return on_pubrel(packet_id);
    default:
      return on_pubcomp(packet_id);
  }
}

void Connection::on_pubrel(uint16_t packet_id) {
  // The PUBREC this answers has been sent, so no receipt is awaited any more; if one is, that receipt would never find
  // its way, and all later acknowledgements would wait for it [MQTT-4.3.3-4].
  const bool too_early = std::any_of(acks_.begin(), acks_.end(), [packet_id](const PendingAck& ack) {
    return ack.packet_id == packet_id && ack.guarantee == Guarantee::exactly_once && !ack.done;
  });
  if (too_early) {
    fail(Reason::protocol_error, "PUBREL before PUBREC");
    return;
  }
  session_->release(packet_id, packet_id);
}

void Connection::released(uint64_t cookie, bool known) {
  if (stage_ != Stage::open) return;
  const auto packet_id = static_cast<uint16_t>(cookie);
  open_tags_.erase(packet_id);
  send_ack(am::PacketType::pubcomp, packet_id, known ? Reason::success : Reason::packet_identifier_not_found);
}

}  // namespace arena::gateway::mqtt
