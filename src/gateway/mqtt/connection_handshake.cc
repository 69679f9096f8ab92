// From accept to CONNACK: who is it, may they, which session, on which core.
#include <algorithm>
#include <array>
#include <utility>

#include "base/log.h"
#include "gateway/mqtt/connection.h"
#include "gateway/mqtt/own_properties.h"

namespace arena::gateway::mqtt {
namespace am = arena::mqtt;

void Connection::on_timer(void* self) {
  Connection& connection = *static_cast<Connection*>(self);
  if (connection.stage_ == Stage::fresh || connection.stage_ == Stage::deciding) {
    connection.door_.counters().refuse(Refused::connect_timeout);
    connection.shut_down(broker::DetachKind::abrupt, std::nullopt);
    return;
  }
  if (connection.stage_ != Stage::open) return;
  const int64_t allowed_ms = int64_t{connection.keep_alive_s_} * 1500;  // 1.5 times [MQTT-3.1.2-22]
  const int64_t silent_ms =
      connection.throttled_ ? 0 : static_cast<uint32_t>(connection.door_.loop().now_ms()) - connection.last_heard_ms_;
  if (silent_ms < allowed_ms) {
    connection.door_.loop().arm(connection.timer_, allowed_ms - silent_ms);
    return;
  }
  connection.door_.counters().keepalive_timeouts.add();
  connection.fail(Reason::keep_alive_timeout, "nothing heard for 1.5 times the keep-alive");
}

std::optional<Connection::Reason> Connection::refuse_connect(const am::Connect& packet) const {
  if (packet.properties.authentication_method) return Reason::bad_authentication_method;  // [MQTT-4.12.0-1]
  if (packet.client_id.size() > options_->client_id_bytes_max) return Reason::client_identifier_not_valid;
  if (packet.will) {
    if (packet.will->qos > options_->guarantee_max) return Reason::qos_not_supported;        // [MQTT-3.2.2-12]
    if (packet.will->retain && !options_->retain_available) return Reason::retain_not_supported;  // [MQTT-3.2.2-13]
    if (has_own(packet.will->properties.user_properties)) return Reason::implementation_specific_error;
    if (check_topic(packet.will->topic, options_->topics)) return Reason::topic_name_invalid;
  }
  return std::nullopt;
}

std::optional<broker::Will> Connection::take_will(const am::Connect& packet) const {
  if (!packet.will) return std::nullopt;
  const am::Will& will = *packet.will;
  auto message = std::make_unique<Message>();
  message->topic = will.topic;
  message->payload = will.payload;
  message->guarantee = will.qos;
  message->retain = will.retain;
  const am::WillProperties& properties = will.properties;
  if (!(properties == am::WillProperties{})) {
    auto extras = std::make_unique<Extras>();
    extras->has_content_type = properties.content_type.has_value();
    extras->content_type = properties.content_type.value_or("");
    extras->response_topic = properties.response_topic.value_or("");
    extras->has_correlation = properties.correlation_data.has_value();
    extras->correlation = properties.correlation_data.value_or("");
    extras->has_payload_kind = properties.payload_is_text.has_value();
    extras->payload_is_text = properties.payload_is_text.value_or(false);
    for (const am::UserProperty& property : properties.user_properties) {
      extras->headers.emplace_back(property.name, property.value);  // in their order [MQTT-3.1.3-10]
    }
    message->extras = std::move(extras);
  }
  broker::Will out;
  out.message = MessageRef(message.release());
  out.delay_s = properties.will_delay_interval_s.value_or(0);
  out.lifetime_s = properties.message_expiry_interval_s.value_or(0);
  return out;
}

std::unique_ptr<PendingConnect> Connection::take_connect(const am::Connect& packet) const {
  auto pending = std::make_unique<PendingConnect>();
  const am::ConnectProperties& properties = packet.properties;
  pending->version = packet.version;
  pending->open.client_id = packet.client_id;
  pending->open.clean_start = packet.clean_start;
  pending->open.will = take_will(packet);
  pending->keep_alive_s = packet.keep_alive_s;
  if (packet.user_name) pending->user = std::string(*packet.user_name);
  if (packet.password) pending->password = std::string(*packet.password);
  if (packet.version == Version::v5) {
    pending->expiry_asked_s = properties.session_expiry_interval_s;
    pending->open.expiry_s = properties.session_expiry_interval_s.value_or(0);
    pending->open.inflight_max = properties.receive_maximum.value_or(65535);
    pending->packet_bytes_max = properties.maximum_packet_size.value_or(am::kPacketBytesMax);
    pending->topic_alias_max = properties.topic_alias_maximum.value_or(0);
    pending->wants_response_information = properties.request_response_information.value_or(false);
    pending->wants_problem_information = properties.request_problem_information.value_or(true);
  } else {
    // A 3.x session is kept for good or not at all.
    pending->open.expiry_s = packet.clean_start ? 0 : broker::kNever;
  }
  return pending;
}

void Connection::on_connect(const am::Connect& packet) {
  break_silence();
  version_ = packet.version;
  peer_packet_bytes_max_ = packet.properties.maximum_packet_size.value_or(am::kPacketBytesMax);
  problem_information_ = packet.properties.request_problem_information.value_or(true);
  if (const auto reason = refuse_connect(packet)) {
    refuse(*reason, am::to_string(*reason));
    return;
  }
  rare().pending = take_connect(packet);
  stage_ = Stage::deciding;
  stream_->pause_reading();
  access::Credentials credentials{asked().user, asked().password, stream_->peer().loopback(), seat_.address()};
  asked().password.reset();
  door_.authenticator().authenticate(std::move(credentials), [door = &door_, id = id_](Result<Principal, access::AuthRefusal> result) {
    if (Connection* connection = door->find(id)) connection->on_authenticated(result);
  });
}

void Connection::on_authenticated(const Result<Principal, access::AuthRefusal>& result) {
  if (stage_ != Stage::deciding) return;
  if (result) {
    identify(result.value());
    return;
  }
  switch (result.error()) {
    case access::AuthRefusal::busy:
      door_.counters().refuse(Refused::password_queue);
      refuse(Reason::server_busy, "too many logins at once: try again later");
      break;
    case access::AuthRefusal::bad_credentials:
      refuse(Reason::bad_user_name_or_password, "user name or password is wrong");
      break;
    case access::AuthRefusal::anonymous_refused:
      refuse(Reason::not_authorized, "a user name and password are needed");
      break;
  }
}

// Now the session's name is known, and with it the core where it lives.
void Connection::identify(Principal principal) {
  asked().open.principal = std::move(principal);
  if (asked().open.client_id.empty()) {
    static constexpr char kHex[] = "0123456789abcdef";
    std::string assigned = "arena-";
    for (int half = 0; half < 2; ++half) {
      uint64_t bits = door_.loop().random();
      for (int i = 0; i < 12; ++i, bits >>= 4) assigned.push_back(kHex[bits & 15]);
    }
    asked().open.client_id = std::move(assigned);  // [MQTT-3.1.3-6]
    asked().client_id_assigned = true;
  }
  const unsigned home =
      door_.shard().home_core(broker::session_key(asked().open.principal, asked().open.client_id));
  if (home == door_.shard().core()) {
    open_session();
    return;
  }
  stage_ = Stage::closing;
  timer_.disarm();
  std::unique_ptr<net::DetachedStream> detached = stream_->detach();
  if (detached != nullptr) {
    asked().seat = std::move(seat_);
    door_.hand_over(home, std::move(detached), std::move(rare_->pending), take_rest());
  }
  door_.bury(*this);
}

void Connection::resume_handshake(std::unique_ptr<PendingConnect> pending, std::string rest) {
  rare().pending = std::move(pending);
  if (!rest.empty()) this->rest().bytes = std::move(rest);
  break_silence();
  version_ = asked().version;
  peer_packet_bytes_max_ = asked().packet_bytes_max;
  problem_information_ = asked().wants_problem_information;
  stage_ = Stage::deciding;
  stream_->pause_reading();
  open_session();
  if (stage_ == Stage::open && has_rest()) {
    const std::string pipelined = take_rest();
    consume(pipelined);
  }
}

void Connection::open_session() {
  const broker::OpenRequest request = asked().open;
  broker::Session* session = door_.shard().open(request, *this);
  // Opened, refused, or under way: only then is the handle ours already.
  if (stage_ == Stage::deciding) session_ = session;
}

void Connection::open_refused(broker::Outcome reason) {
  session_ = nullptr;
  switch (reason) {
    case broker::Outcome::denied:
      refuse(Reason::not_authorized, "the will may not be published");
      break;
    case broker::Outcome::quota:
      refuse(Reason::quota_exceeded, "the store is full");
      break;
    default:
      refuse(Reason::server_unavailable, "the session could not be stored");
  }
}

void Connection::opened(broker::Session& session, bool present) {
  if (stage_ != Stage::deciding) return;
  session_ = &session;
  stage_ = Stage::open;
  seat_.leave_half_open();
  door_.counters().connects_accepted.add();
  asked_no_expiry_ = asked().open.expiry_s == 0;
  topic_alias_out_max_ = std::min(asked().topic_alias_max, options_->topic_alias_out_max);
  keep_alive_s_ = asked().keep_alive_s;
  const bool over = options_->keepalive_max_s != 0 && (keep_alive_s_ == 0 || keep_alive_s_ > options_->keepalive_max_s);
  if (version_ == Version::v5 && over) keep_alive_s_ = options_->keepalive_max_s;
  const bool answered = send_connack(present);
  rare_->pending.reset();
  tidy();
  if (!answered) {  // it would wait for a CONNACK for ever
    shut_down(broker::DetachKind::clean, std::nullopt);
    return;
  }
  start_keep_alive();
  stream_->resume_reading();
  session.start();
  if (consuming_ || !has_rest() || stage_ != Stage::open) return;
  // Opened in a later turn: what the client sent behind its CONNECT has waited.
  const std::string pipelined = take_rest();
  consume(pipelined);
}

void Connection::start_keep_alive() {
  timer_.disarm();
  last_heard_ms_ = static_cast<uint32_t>(door_.loop().now_ms());
  if (keep_alive_s_ != 0) door_.loop().arm(timer_, int64_t{keep_alive_s_} * 1500);
}

bool Connection::send_connack(bool present) {
  am::Connack packet;
  packet.session_present = present;
  if (version_ == Version::v5) {
    am::ConnackProperties& out = packet.properties;
    if (session_->expiry_s() != asked().expiry_asked_s.value_or(0)) out.session_expiry_interval_s = session_->expiry_s();
    out.receive_maximum = options_->receive_max;
    if (options_->guarantee_max != Guarantee::exactly_once) out.maximum_qos = static_cast<uint8_t>(options_->guarantee_max);
    if (!options_->retain_available) out.retain_available = false;
    if (!options_->wildcard_available) out.wildcard_subscription_available = false;
    if (!options_->shared_available) out.shared_subscription_available = false;
    out.maximum_packet_size = options_->packet_bytes_max;
    if (asked().client_id_assigned) out.assigned_client_identifier = asked().open.client_id;  // [MQTT-3.1.3-7]
    if (options_->topic_alias_max != 0) out.topic_alias_maximum = options_->topic_alias_max;
    if (keep_alive_s_ != asked().keep_alive_s) out.server_keep_alive_s = keep_alive_s_;
    if (asked().wants_response_information && !options_->response_information.empty()) {
      out.response_information = options_->response_information;  // [MQTT-3.1.2-28]
    }
  }
  return send(packet);
}

// A CONNACK that says no, then the end [MQTT-3.2.2-7].
void Connection::refuse(Reason reason, std::string_view text) {
  door_.counters().connects_refused.add();
  am::Connack packet;
  packet.reason = reason;
  if (version_ == Version::v5) {
    if (!am::is_listed(static_cast<uint8_t>(reason), am::PacketType::connack)) packet.reason = Reason::unspecified_error;
    if (!text.empty()) packet.properties.reason_string = text;
    send(packet);
  } else if (am::connack_return_code(reason)) {
    send(packet);
  }
  log::info("mqtt", "refused a connection",
            {{"peer", stream_->peer().ip()}, {"reason", am::to_string(packet.reason)}, {"detail", text}});
  shut_down(broker::DetachKind::abrupt, std::nullopt);
}

}  // namespace arena::gateway::mqtt
