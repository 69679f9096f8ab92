#include "client/client.h"

#include <utility>

namespace arena::client {

namespace {

Ending ending_of(net::CloseReason reason) {
  switch (reason) {
    case net::CloseReason::peer_closed:
      return {Ending::Kind::peer_closed, mqtt::Reason::success, "the server closed the connection"};
    case net::CloseReason::reset:
      return {Ending::Kind::reset, mqtt::Reason::success, "the connection broke"};
    case net::CloseReason::output_full:
    case net::CloseReason::timed_out:
      return {Ending::Kind::timed_out, mqtt::Reason::success, "the server does not read"};
    case net::CloseReason::local:
      break;
  }
  return {Ending::Kind::asked, mqtt::Reason::success, "disconnected"};
}

}  // namespace

Client::Client(runtime::Loop& loop, ClientOptions options, ClientSession& session, ClientHandler& handler)
    : loop_(loop),
      options_(std::move(options)),
      session_(session),
      handler_(handler),
      keep_alive_(&Client::on_keep_alive, this) {}

Client::~Client() = default;

void Client::start(std::unique_ptr<net::Stream> stream) {
  abort();
  stream_ = std::move(stream);
  stream_->set_handler(this);
  closing_ = false;
  timeout_.reset();
  conversation_.emplace(options_, session_, handler_, stream_->output());
  conversation_->connect();
  arm_keep_alive();
  after();
}

void Client::on_data(std::string_view bytes) {
  if (closing_) return;
  const bool was_connected = conversation_->connected();
  receiving_ = true;
  conversation_->receive(bytes);
  receiving_ = false;
  if (stream_ == nullptr) return conversation_.reset();  // the handler called abort()
  if (!was_connected && conversation_->connected()) arm_keep_alive();
  after();
}

// After everything that may have written or ended.
void Client::after() {
  if (receiving_ || stream_ == nullptr) return;
  if (!stream_->output().empty()) stream_->mark_dirty();
  if (!conversation_->ending() || closing_) return;
  closing_ = true;
  keep_alive_.disarm();
  stream_->close();
}

std::optional<uint16_t> Client::publish(const mqtt::Publish& publish) {
  if (!conversation_) {
    if (publish.qos == Guarantee::at_most_once) return std::nullopt;
    const Outgoing* message = session_.add(publish, options_.version, mqtt::kPacketBytesMax);
    return message == nullptr ? std::nullopt : std::optional(message->id);
  }
  const auto id = conversation_->publish(publish);
  after();
  return id;
}

std::optional<uint16_t> Client::subscribe(mqtt::Subscribe subscribe) {
  if (!conversation_) return std::nullopt;
  const auto id = conversation_->subscribe(std::move(subscribe));
  after();
  return id;
}

std::optional<uint16_t> Client::unsubscribe(mqtt::Unsubscribe unsubscribe) {
  if (!conversation_) return std::nullopt;
  const auto id = conversation_->unsubscribe(std::move(unsubscribe));
  after();
  return id;
}

void Client::acknowledge(uint16_t packet_id, Guarantee qos, mqtt::Reason reason) {
  if (!conversation_) return;
  conversation_->acknowledge(packet_id, qos, reason);
  after();
}

void Client::ping() {
  if (!conversation_) return;
  conversation_->ping();
  after();
}

void Client::disconnect(mqtt::Reason reason) {
  if (!conversation_) return;
  conversation_->disconnect(reason);
  after();
}

void Client::abort() {
  keep_alive_.disarm();
  if (stream_ == nullptr) return;
  if (conversation_) conversation_->disconnect();  // so that a receive() further up ends; the bytes are dropped
  stream_->abort();
  if (receiving_) {
    // The stream and the conversation are in use further up; nothing is received any more.
    loop_.defer([stale = std::move(stream_)] {});
    return;
  }
  stream_.reset();
  conversation_.reset();
}

void Client::on_closed(net::CloseReason reason) {
  keep_alive_.disarm();
  Ending ending = timeout_ ? *timeout_ : ending_of(reason);
  if (conversation_->ending()) ending = *conversation_->ending();
  stream_.reset();
  conversation_.reset();
  handler_.on_closed(ending);
}

void Client::arm_keep_alive() {
  const int64_t period_s = conversation_->keep_alive_s();
  if (period_s != 0) {
    loop_.arm(keep_alive_, period_s * 1000);
  } else {
    keep_alive_.disarm();
  }
}

// Unanswered for a whole period: the server is gone [MQTT 5, 3.1.2.10: "reasonable amount of time"].
void Client::on_keep_alive(void* self) {
  auto& client = *static_cast<Client*>(self);
  if (client.conversation_->ping_unanswered() || !client.connected()) {
    client.timeout_ = Ending{Ending::Kind::timed_out, mqtt::Reason::keep_alive_timeout, "the server does not answer"};
    client.closing_ = true;
    client.stream_->close();
    return;
  }
  client.ping();
  client.arm_keep_alive();
}

}  // namespace arena::client
