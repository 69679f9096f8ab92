// The client half of MQTT over one connection: bytes in, calls out, bytes appended. No sockets, clocks or timers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "client/handler.h"
#include "client/options.h"
#include "client/session.h"
#include "codec/mqtt/decoder.h"

namespace arena::client {

// Lives as long as its connection. Options, session, handler and output outlive it. The handler may call everything
// here from inside its calls.
class Conversation {
 public:
  Conversation(const ClientOptions& options, ClientSession& session, ClientHandler& handler, std::string& output);

  void connect();
  void receive(std::string_view bytes);

  // Below: after the CONNACK only, unless said otherwise.
  // The packet identifier, 0 for QoS 0. QoS 1 and 2 are taken at any time and are sent as the server's receive
  // maximum permits; on_published tells the outcome. nullopt: not connected (QoS 0), no identifier free, or too large
  // for the server.
  std::optional<uint16_t> publish(const mqtt::Publish& publish);
  // The identifier that the answer will carry; nullopt: not connected, or no identifier is free.
  std::optional<uint16_t> subscribe(mqtt::Subscribe subscribe);
  std::optional<uint16_t> unsubscribe(mqtt::Unsubscribe unsubscribe);
  // With manual_acks: the answer to a message of QoS 1 or 2.
  void acknowledge(uint16_t packet_id, Guarantee qos, mqtt::Reason reason = mqtt::Reason::success);
  void ping();
  // Says goodbye; the conversation is over.
  void disconnect(mqtt::Reason reason = mqtt::Reason::success);

  bool connected() const { return connected_ && !ending_; }
  bool ping_unanswered() const { return ping_unanswered_; }
  // Why the conversation is over; then the connection is to be closed and nothing more is received.
  const std::optional<Ending>& ending() const { return ending_; }
  uint16_t keep_alive_s() const { return keep_alive_s_; }  // the server's wish counts

 private:
  std::size_t receive_one(std::string_view input, std::size_t& bytes_min);
  void receive_rest(std::string_view& bytes);
  void handle(const mqtt::Packet& packet);
  void on_connack(const mqtt::Connack& connack);
  void on_session_present(bool present);
  void on_publish(const mqtt::Publish& publish);
  bool resolve_alias(mqtt::Publish& publish);
  void deliver(const mqtt::Publish& publish);
  void on_ack(const mqtt::Ack& ack);
  void on_pubrec(const mqtt::Ack& ack);
  void on_pubrel(const mqtt::Ack& ack);
  void finish(Outgoing& message, mqtt::Reason reason);
  void send_due();
  void send_ack(mqtt::PacketType type, uint16_t id, mqtt::Reason reason = mqtt::Reason::success);
  void end_with(Ending ending);
  void fail(mqtt::Reason reason, std::string_view text);

  const ClientOptions& options_;
  ClientSession& session_;
  ClientHandler& handler_;
  std::string& output_;
  mqtt::DecodeLimits limits_;
  std::string partial_;  // an incomplete packet
  std::vector<std::string> aliases_;
  std::optional<Ending> ending_;
  std::size_t server_packet_bytes_max_ = mqtt::kPacketBytesMax;
  uint16_t server_receive_maximum_ = 65535;
  uint16_t keep_alive_s_;
  bool connected_ = false;
  bool ping_unanswered_ = false;
};

}  // namespace arena::client
