// Bytes to packets, packets to their handlers, and the end of a connection.
#include "gateway/mqtt/connection.h"

#include <utility>

#include "base/log.h"

namespace arena::gateway::mqtt {
namespace am = arena::mqtt;

namespace {
constexpr int64_t kThrottleCheckMs = 2;
constexpr std::size_t kRunBytesMax = 64 << 10;
constexpr std::size_t kWaitingBytesMax = 64 << 10;  // read from a publisher that is slowed
}  // namespace

Connection::Connection(Door& door, uint64_t id, std::unique_ptr<net::Stream> stream, Seat seat)
    : door_(door),
      id_(id),
      stream_(std::move(stream)),
      seat_(std::move(seat)),
      options_(door.options()),
      timer_(&Connection::on_timer, this) {
  stream_->set_handler(this);
  door_.loop().arm(timer_, options_->connect_timeout_ms);
}

// ---- bytes in ----

void Connection::on_data(std::string_view bytes) {
  door_.counters().bytes_received.add(bytes.size());
  last_heard_ms_ = static_cast<uint32_t>(door_.loop().now_ms());
  if (stage_ == Stage::closing) return;
  if (!has_rest() && stage_ != Stage::deciding && !throttled_) {
    consume(bytes);
    return;
  }
  rest().bytes.append(bytes);
  if (throttled_) return look_ahead();
  if (stage_ == Stage::deciding || rest().bytes.size() < rest().wanted) return;
  const std::string whole = take_rest();
  consume(whole);
}

std::string Connection::take_rest() {
  std::string bytes;
  if (!rare_ || !rare_->rest) return bytes;
  bytes.swap(rare_->rest->bytes);
  rare_->rest.reset();
  tidy();
  return bytes;
}

void Connection::tidy() {
  if (!rare_) return;
  const Rare& mine = *rare_;
  if (!mine.pending && !mine.rest && !mine.silent && !mine.throttle_timer && !mine.aliases_in && !mine.aliases_out && mine.subscribes.empty() &&
      mine.keyed.empty() && mine.ack_texts.empty()) {
    rare_.reset();
  }
}

void Connection::break_silence() {
  if (!rare_ || !rare_->silent) return;
  rare_->silent.reset();
  tidy();
}

// Handles every complete packet, until too many receipts are awaited; what remains waits in rest().
void Connection::consume(std::string_view bytes) {
  if (consuming_) return;
  consuming_ = true;
  if (rare_ && rare_->rest) rare_->rest->wanted = 0;
  while ((stage_ == Stage::fresh || stage_ == Stage::open) && acks_.size() < options_->acks_pending_max) {
    if (!step_plain(bytes) && !step(bytes)) break;
  }
  end_run();
  door_.run().topic = {};
  consuming_ = false;
  if (stage_ != Stage::closing) keep_rest(bytes);
  if (stage_ == Stage::open) throttle();
}

// Most of what a busy client sends, read the short way.
bool Connection::step_plain(std::string_view& bytes) {
  if (stage_ != Stage::open) return false;
  const uint32_t bytes_max = options_->packet_bytes_max;
  if (const auto ack = am::decode_plain_ack(bytes, bytes_max)) {
    bytes.remove_prefix(am::kPlainAckBytes);
    end_run();
    if (stage_ != Stage::open) return false;
    door_.counters().packets_received.add();
    on_ack(ack->type, ack->packet_id, Reason::success);
    return true;
  }
  PublishRun& run = door_.run();
  const auto publish = am::decode_plain_publish(bytes, run.topic, version_, bytes_max);
  if (!publish) return false;
  bytes.remove_prefix(publish->consumed);
  const bool same_topic = publish->topic == run.topic;
  // The usual case of a busy publisher: another message like the one before.
  const bool goes_on = publish->qos == Guarantee::at_most_once && same_topic && !run.payloads.empty() && run.bytes < kRunBytesMax;
  if (!goes_on) end_run();
  if (stage_ != Stage::open) return false;
  door_.counters().packets_received.add();
  on_plain_publish(*publish, same_topic);
  return true;
}

void Connection::keep_rest(std::string_view rest) {
  if (!rest.empty()) this->rest().bytes.insert(0, rest);
  if (!has_rest()) take_rest();
}

am::DecodeResult Connection::decode_next(std::string_view bytes) const {
  am::DecodeLimits limits;
  limits.user_properties_max = options_->user_properties_max;
  limits.user_property_bytes_max = options_->user_property_bytes_max;
  limits.filters_max = options_->filters_per_subscribe_max;
  if (stage_ == Stage::fresh) {
    limits.packet_bytes_max = options_->connect_bytes_max;
    return am::decode_connect(bytes, limits);
  }
  limits.packet_bytes_max = options_->packet_bytes_max;
  return am::decode(bytes, version_, am::Role::server, limits);
}

// One packet off the front. False: none is complete, or the connection is done.
bool Connection::step(std::string_view& bytes) {
  if (bytes.empty()) return false;
  const am::DecodeResult result = decode_next(bytes);
  if (const auto* more = std::get_if<am::NeedMore>(&result)) {
    rest().wanted = more->bytes_min;
    return false;
  }
  end_run();
  if (stage_ == Stage::closing) return false;
  if (const auto* malformed = std::get_if<am::Malformed>(&result)) {
    on_malformed(*malformed, bytes);
    return false;
  }
  const auto& decoded = std::get<am::Decoded>(result);
  door_.counters().packets_received.add();
  const std::size_t consumed = decoded.consumed;
  if (stage_ == Stage::fresh) {
    // The handshake may take the bytes behind the CONNECT along to another core.
    const auto* connect = std::get_if<am::Connect>(&decoded.packet);
    if (bytes.size() > consumed) rest().bytes.assign(bytes.substr(consumed));
    bytes = {};
    on_connect(*connect);
    if (stage_ == Stage::open && has_rest()) {
      const std::string pipelined = take_rest();
      consuming_ = false;
      consume(pipelined);
      consuming_ = true;
    }
    return false;
  }
  dispatch(decoded.packet);
  bytes.remove_prefix(consumed);
  return true;
}

void Connection::on_malformed(const am::Malformed& malformed, std::string_view bytes) {
  door_.counters().malformed.add();
  log::debug("mqtt", "refused a packet", {{"peer", stream_->peer().ip()}, {"reason", malformed.text}});
  if (stage_ == Stage::open) {
    fail(malformed.reason, malformed.text);
    return;
  }
  version_ = malformed.version;
  const bool is_connect = !bytes.empty() && (static_cast<uint8_t>(bytes[0]) >> 4) == 1;
  if (is_connect) {
    refuse(malformed.reason, malformed.text);
  } else {
    shut_down(broker::DetachKind::abrupt, std::nullopt);  // not even a CONNECT: nothing is owed
  }
}

void Connection::dispatch(const am::Packet& packet) {
  if (const auto* publish = std::get_if<am::Publish>(&packet)) {
    on_publish(*publish);
  } else if (const auto* ack = std::get_if<am::Ack>(&packet)) {
    on_ack(ack->type, ack->packet_id, ack->reason);
  } else if (std::holds_alternative<am::Pingreq>(packet)) {
    send(am::Pingresp{});
  } else if (const auto* subscribe = std::get_if<am::Subscribe>(&packet)) {
    on_subscribe(*subscribe);
  } else if (const auto* unsubscribe = std::get_if<am::Unsubscribe>(&packet)) {
    on_unsubscribe(*unsubscribe);
  } else if (const auto* disconnect = std::get_if<am::Disconnect>(&packet)) {
    on_disconnect(*disconnect);
  } else if (std::holds_alternative<am::Connect>(packet)) {
    fail(Reason::protocol_error, "a second CONNECT");  // [MQTT-3.1.0-2]
  } else {
    fail(Reason::protocol_error, "AUTH without an authentication method");  // [MQTT-4.12.0-7]
  }
}

// A publisher is slowed: while too many receipts are awaited, or another core has not handled what was posted to it.
// What it sends meanwhile waits in rest(), then in its socket.
void Connection::throttle() {
  const bool must_wait = acks_.size() >= options_->acks_pending_max || door_.shard().congested();
  if (must_wait == throttled_) return;
  throttled_ = must_wait;
  if (must_wait) {
    door_.counters().throttled.add();
    if (has_rest()) rest().looked_at = 0;
    look_ahead();
    std::unique_ptr<runtime::Timer>& timer = rare().throttle_timer;
    if (!timer) timer = std::make_unique<runtime::Timer>(&Connection::on_throttle_timer, this);
    door_.loop().arm(*timer, kThrottleCheckMs);
  } else {
    last_heard_ms_ = static_cast<uint32_t>(door_.loop().now_ms());  // what was not read was no silence of the client's
    stream_->resume_reading();
    const std::string waited = take_rest();
    consume(waited);
  }
}

// While publishes wait, what does not depend on them goes past: acknowledgements, without which this client's own
// deliveries would stand still, and pings. Whatever else comes waits with them, in order; more than a little is not read.
void Connection::look_ahead() {
  while (stage_ == Stage::open && has_rest()) {
    const std::string_view rest = std::string_view(this->rest().bytes).substr(this->rest().looked_at);
    const am::DecodeResult result = rest.empty() ? am::DecodeResult(am::NeedMore{}) : decode_next(rest);
    const auto* decoded = std::get_if<am::Decoded>(&result);
    if (decoded == nullptr) break;  // what is malformed is refused in its turn
    if (std::holds_alternative<am::Publish>(decoded->packet)) {
      this->rest().looked_at += decoded->consumed;
      continue;
    }
    if (!std::holds_alternative<am::Ack>(decoded->packet) && !std::holds_alternative<am::Pingreq>(decoded->packet)) break;
    door_.counters().packets_received.add();
    const std::size_t consumed = decoded->consumed;
    dispatch(decoded->packet);
    if (stage_ == Stage::open) this->rest().bytes.erase(this->rest().looked_at, consumed);
  }
  if (stage_ == Stage::open && has_rest() && rest().bytes.size() >= kWaitingBytesMax) stream_->pause_reading();
}

void Connection::on_throttle_timer(void* self) {
  Connection& connection = *static_cast<Connection*>(self);
  if (connection.stage_ != Stage::open) return;
  connection.throttle();
  if (connection.throttled_) connection.door_.loop().arm(*connection.rare().throttle_timer, kThrottleCheckMs);
}

void Connection::on_writable() {
  if (session_ != nullptr && stage_ == Stage::open) session_->resume();
}

// ---- bytes out ----

bool Connection::send(const am::Packet& packet) {
  const std::size_t before = stream_->output_bytes();
  if (!am::encode_limited(stream_->output(), packet, version_, peer_packet_bytes_max_)) return false;
  door_.counters().packets_sent.add();
  door_.counters().bytes_sent.add(stream_->output_bytes() - before);
  stream_->mark_dirty();
  return true;
}

void Connection::send_ack(am::PacketType type, uint16_t packet_id, Reason reason) {
  if (reason == Reason::success && am::kPlainAckBytes <= peer_packet_bytes_max_) {
    am::append_plain_ack(stream_->output(), type, packet_id);
    door_.counters().packets_sent.add();
    door_.counters().bytes_sent.add(am::kPlainAckBytes);
    stream_->mark_dirty();
    return;
  }
  am::Ack ack;
  ack.type = type;
  ack.packet_id = packet_id;
  ack.reason = reason;
  send(ack);
}

// ---- the end ----

void Connection::fail(Reason reason, std::string_view text) {
  say_goodbye(reason, text);
  shut_down(broker::DetachKind::abrupt, std::nullopt);
}

// Only MQTT 5 has a server's DISCONNECT, and only after a CONNACK [MQTT-3.14.0-1].
void Connection::say_goodbye(Reason reason, std::string_view text) {
  if (stage_ != Stage::open || version_ != Version::v5) return;
  am::Disconnect packet;
  packet.reason = am::may_send(am::Role::server, static_cast<uint8_t>(reason), am::PacketType::disconnect)
                      ? reason
                      : Reason::unspecified_error;
  if (!text.empty()) packet.properties.reason_string = text;
  send(packet);
}

void Connection::shut_down(broker::DetachKind kind, std::optional<uint32_t> expiry_s) {
  if (stage_ == Stage::closing) return;
  stage_ = Stage::closing;
  break_silence();
  seat_.leave_half_open();
  timer_.disarm();
  if (rare_ && rare_->throttle_timer) rare_->throttle_timer->disarm();
  if (has_rest()) rest().bytes.clear();
  if (session_ != nullptr) std::exchange(session_, nullptr)->detach(kind, expiry_s);
  stream_->close();
}

void Connection::close_unless_open() {
  if (stage_ != Stage::open) shut_down(broker::DetachKind::abrupt, std::nullopt);
}

void Connection::give_way() {
  stage_ = Stage::closing;
  timer_.disarm();
  break_silence();
  seat_ = {};
  stream_->abort();
  door_.bury(*this);
}

void Connection::on_closed(net::CloseReason) {
  stage_ = Stage::closing;
  timer_.disarm();
  if (rare_ && rare_->throttle_timer) rare_->throttle_timer->disarm();
  if (session_ != nullptr) std::exchange(session_, nullptr)->detach(broker::DetachKind::abrupt, std::nullopt);
  door_.bury(*this);
}

broker::Contact Connection::contact() const {
  const net::PeerAddress& peer = stream_->peer();
  const std::string ip = peer.ip();
  const bool v6 = ip.find(':') != std::string::npos;
  const std::string address = (v6 ? "[" : "") + ip + (v6 ? "]:" : ":") + std::to_string(peer.port());
  switch (version_) {
    case Version::v3_1: return {"MQTT 3.1", address};
    case Version::v3_1_1: return {"MQTT 3.1.1", address};
    case Version::v5: break;
  }
  return {"MQTT 5", address};
}

void Connection::closed(broker::EndReason reason) {
  session_ = nullptr;
  switch (reason) {
    case broker::EndReason::taken_over:
      say_goodbye(Reason::session_taken_over, "the same client id connected again");  // [MQTT-3.1.4-3]
      break;
    case broker::EndReason::kicked:
      say_goodbye(Reason::administrative_action, "disconnected by an operator");
      break;
    case broker::EndReason::shutting_down:
      say_goodbye(Reason::server_shutting_down, "the server is shutting down");
      break;
    case broker::EndReason::queue_full:
      say_goodbye(Reason::quota_exceeded, "too slow: the limit of queued bytes is reached");
      break;
    case broker::EndReason::store_failed:
      say_goodbye(Reason::implementation_specific_error, "the store failed");
      break;
  }
  shut_down(broker::DetachKind::abrupt, std::nullopt);
}

void Connection::on_disconnect(const am::Disconnect& packet) {
  std::optional<uint32_t> expiry_s = packet.properties.session_expiry_interval_s;
  if (expiry_s && *expiry_s != 0 && asked_no_expiry_) {
    fail(Reason::protocol_error, "DISCONNECT may not give an expiry to a session that had none");
    return;
  }
  // Only a normal disconnection takes the will away [MQTT-3.14.4-3].
  const bool clean = packet.reason == Reason::success;
  shut_down(clean ? broker::DetachKind::clean : broker::DetachKind::clean_with_will, expiry_s);
}

}  // namespace arena::gateway::mqtt
