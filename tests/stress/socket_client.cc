#include "stress/socket_client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <utility>
#include <variant>

#include "codec/mqtt/decoder.h"
#include "codec/mqtt/encoder.h"

namespace arena::stress {

bool SocketClient::connect_silently(uint16_t port) {
  close();
  forget_connection();
  fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd_ < 0) return false;
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 && errno != EINPROGRESS) {
    close();
    return false;
  }
  state_ = State::connecting;
  return true;
}

bool SocketClient::connect(uint16_t port, const mqtt::Connect& packet) {
  if (!connect_silently(port)) return false;
  version_ = packet.version;
  send(packet);
  return true;
}

void SocketClient::forget_connection() {
  input_.clear();
  output_.clear();
  connack_.reset();
  goodbye_.reset();
  session_present_ = false;
  open_publishes_.clear();
  subscribes_open_ = 0;
  frozen = false;
}

void SocketClient::close() {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  state_ = State::idle;
}

void SocketClient::reset() {
  if (fd_ < 0) return;
  const linger hard{1, 0};
  setsockopt(fd_, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
  close();
}

void SocketClient::half_close() {
  if (fd_ < 0) return;
  write_some();
  if (fd_ < 0) return;
  ::shutdown(fd_, SHUT_WR);
  output_.clear();
  state_ = State::half_closed;
}

void SocketClient::send(const mqtt::Packet& packet) { mqtt::encode(output_, packet, version_); }

uint16_t SocketClient::next_packet_id() {
  do {
    packet_id_ = packet_id_ >= 500 ? uint16_t{1} : static_cast<uint16_t>(packet_id_ + 1);
  } while (open_publishes_.contains(packet_id_));
  return packet_id_;
}

void SocketClient::publish(std::string_view topic, std::string_view payload, Guarantee qos, bool retain) {
  mqtt::Publish packet;
  packet.topic = topic;
  packet.payload = payload;
  packet.qos = qos;
  packet.retain = retain;
  if (qos != Guarantee::at_most_once) {
    packet.packet_id = next_packet_id();
    open_publishes_.insert(packet.packet_id);
  }
  send(packet);
}

void SocketClient::subscribe(std::string_view filter, Guarantee qos) {
  mqtt::Subscribe packet;
  packet.packet_id = next_packet_id();
  packet.subscriptions.push_back({filter, qos});
  ++subscribes_open_;
  send(packet);
}

void SocketClient::unsubscribe(std::string_view filter) {
  mqtt::Unsubscribe packet;
  packet.packet_id = next_packet_id();
  packet.filters.push_back(filter);
  ++subscribes_open_;
  send(packet);
}

short SocketClient::wanted_events() const {
  if (fd_ < 0 || frozen) return 0;
  const bool writes = state_ == State::connecting || (!output_.empty() && state_ == State::open);
  return static_cast<short>(POLLIN | (writes ? POLLOUT : 0));
}

void SocketClient::serve() {
  if (fd_ < 0 || frozen) return;
  if (state_ == State::connecting) {
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(fd_, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) return close();
    state_ = State::open;
  }
  read_some();
  if (fd_ >= 0 && state_ == State::open) write_some();
}

void SocketClient::read_some() {
  char buffer[16384];
  bool ended = false;
  for (int rounds = 0; rounds < 16; ++rounds) {
    const ssize_t n = ::recv(fd_, buffer, sizeof buffer, 0);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) break;
    ended = n <= 0;
    if (ended) break;
    input_.append(buffer, static_cast<std::size_t>(n));
  }
  take_packets();
  if (ended) close();
}

void SocketClient::write_some() {
  while (!output_.empty()) {
    const ssize_t n = ::send(fd_, output_.data(), output_.size(), MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && (errno == EAGAIN || errno == ENOTCONN)) return;
    if (n < 0) {
      // The server has closed; its goodbye may still be there to be read.
      output_.clear();
      return;
    }
    output_.erase(0, static_cast<std::size_t>(n));
  }
}

void SocketClient::take_packets() {
  std::size_t at = 0;
  while (at < input_.size()) {
    const mqtt::DecodeResult result =
        mqtt::decode(std::string_view(input_).substr(at), version_, mqtt::Role::client, {});
    if (std::holds_alternative<mqtt::NeedMore>(result)) break;
    if (const auto* malformed = std::get_if<mqtt::Malformed>(&result)) {
      if (fault_.empty()) fault_ = "malformed packet from the server: " + std::string(malformed->text);
      close();
      input_.clear();
      return;
    }
    const auto& decoded = std::get<mqtt::Decoded>(result);
    take(decoded.packet);
    at += decoded.consumed;
  }
  input_.erase(0, at);
}

std::string kind_of(const mqtt::Packet& packet) {
  std::string kind(mqtt::to_string(mqtt::packet_type(packet)));
  const mqtt::Reason* reason = nullptr;
  if (const auto* connack = std::get_if<mqtt::Connack>(&packet)) reason = &connack->reason;
  if (const auto* ack = std::get_if<mqtt::Ack>(&packet)) reason = &ack->reason;
  if (const auto* goodbye = std::get_if<mqtt::Disconnect>(&packet)) reason = &goodbye->reason;
  if (const auto* suback = std::get_if<mqtt::Suback>(&packet)) reason = &suback->reasons.front();
  if (reason != nullptr && mqtt::is_error(*reason)) kind.append(": ").append(mqtt::to_string(*reason));
  return kind;
}

void SocketClient::take(const mqtt::Packet& packet) {
  ++heard_[kind_of(packet)];
  const bool first = !connack_.has_value();
  if (const auto* connack = std::get_if<mqtt::Connack>(&packet)) {
    if (!first && fault_.empty()) fault_ = "a second CONNACK";
    connack_ = connack->reason;
    session_present_ = connack->session_present;
    return;
  }
  if (first && fault_.empty()) fault_ = "a packet before CONNACK: " + mqtt::describe(packet);
  if (const auto* publish = std::get_if<mqtt::Publish>(&packet)) {
    take_publish(*publish);
  } else if (const auto* ack = std::get_if<mqtt::Ack>(&packet)) {
    take_ack(*ack);
  } else if (const auto* goodbye = std::get_if<mqtt::Disconnect>(&packet)) {
    goodbye_ = goodbye->reason;
  } else if (std::holds_alternative<mqtt::Pingresp>(packet)) {
    ++pongs_;
  } else if (subscribes_open_ > 0) {
    --subscribes_open_;  // SUBACK or UNSUBACK
  } else if (fault_.empty()) {
    fault_ = "an answer to no question: " + mqtt::describe(packet);
  }
}

void SocketClient::take_publish(const mqtt::Publish& packet) {
  ++received_;
  if (keeps_messages) inbox.push_back({std::string(packet.topic), std::string(packet.payload), packet.qos});
  if (packet.qos == Guarantee::at_most_once) return;
  mqtt::Ack ack;
  ack.type = packet.qos == Guarantee::at_least_once ? mqtt::PacketType::puback : mqtt::PacketType::pubrec;
  ack.packet_id = packet.packet_id;
  send(ack);
}

void SocketClient::take_ack(const mqtt::Ack& packet) {
  mqtt::Ack answer;
  answer.packet_id = packet.packet_id;
  switch (packet.type) {
    case mqtt::PacketType::pubrec:
      if (mqtt::is_error(packet.reason)) {
        open_publishes_.erase(packet.packet_id);
        return;
      }
      answer.type = mqtt::PacketType::pubrel;
      return send(answer);
    case mqtt::PacketType::pubrel:
      answer.type = mqtt::PacketType::pubcomp;
      return send(answer);
    default:  // PUBACK, PUBCOMP
      open_publishes_.erase(packet.packet_id);
  }
}

}  // namespace arena::stress
