// One MQTT client on a non-blocking socket. It answers what the protocol makes it answer, and counts; its owner decides
// everything else. Used from one thread.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "codec/mqtt/packet.h"

namespace arena::stress {

class SocketClient {
 public:
  enum class State : uint8_t { idle, connecting, open, half_closed };
  struct Incoming {
    std::string topic;
    std::string payload;
    Guarantee qos = Guarantee::at_most_once;
  };

  SocketClient() = default;
  ~SocketClient() { close(); }
  SocketClient(const SocketClient&) = delete;
  SocketClient& operator=(const SocketClient&) = delete;

  // Connects and queues `packet`. False: the system has no socket for us.
  bool connect(uint16_t port, const mqtt::Connect& packet);
  // A TCP connection that says nothing.
  bool connect_silently(uint16_t port);
  void send(const mqtt::Packet& packet);
  void send_bytes(std::string_view bytes) { output_.append(bytes); }
  // QoS 1 and 2 take the next packet id.
  void publish(std::string_view topic, std::string_view payload, Guarantee qos, bool retain = false);
  void subscribe(std::string_view filter, Guarantee qos);
  void unsubscribe(std::string_view filter);

  void close();       // what is unread makes it a reset
  void reset();       // a reset for certain
  void half_close();  // writes no more, still reads

  // What poll() should watch; 0: nothing.
  short wanted_events() const;
  int fd() const { return fd_; }
  // Reads and answers, writes. What the server sends has to be well-formed: see fault().
  void serve();

  State state() const { return state_; }
  bool connected() const { return state_ == State::open && connack_.has_value(); }
  const std::optional<mqtt::Reason>& connack() const { return connack_; }
  bool session_present() const { return session_present_; }
  const std::optional<mqtt::Reason>& goodbye() const { return goodbye_; }
  std::size_t open_publishes() const { return open_publishes_.size(); }
  bool awaits(uint16_t packet_id) const { return open_publishes_.contains(packet_id); }
  std::size_t subscribes_open() const { return subscribes_open_; }
  uint64_t pongs() const { return pongs_; }
  uint64_t received() const { return received_; }
  // What the server sent, by kind; kept over connections.
  const std::map<std::string, uint64_t>& heard() const { return heard_; }
  // Empty unless the server broke the protocol. Kept over connections.
  const std::string& fault() const { return fault_; }

  bool frozen = false;          // neither reads nor writes, as if its machine stood still
  bool keeps_messages = false;  // in `inbox`
  std::deque<Incoming> inbox;

 private:
  void forget_connection();
  void read_some();
  void write_some();
  void take_packets();
  void take(const mqtt::Packet& packet);
  void take_publish(const mqtt::Publish& packet);
  void take_ack(const mqtt::Ack& packet);
  uint16_t next_packet_id();

  int fd_ = -1;
  State state_ = State::idle;
  mqtt::Version version_ = mqtt::Version::v5;
  std::string input_;
  std::string output_;
  std::optional<mqtt::Reason> connack_;
  std::optional<mqtt::Reason> goodbye_;
  bool session_present_ = false;
  uint16_t packet_id_ = 0;
  std::set<uint16_t> open_publishes_;
  std::size_t subscribes_open_ = 0;
  uint64_t pongs_ = 0;
  uint64_t received_ = 0;
  std::map<std::string, uint64_t> heard_;
  std::string fault_;
};

}  // namespace arena::stress
