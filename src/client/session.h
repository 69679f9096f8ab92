// The client's half of a session: what must survive a connection.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include <boost/unordered/unordered_flat_map.hpp>

#include "codec/mqtt/packet.h"

namespace arena::client {

// A message of QoS 1 or 2 on its way out.
struct Outgoing {
  enum class State : uint8_t {
    publish_due,   // PUBLISH is to be sent, for the first time or again
    publish_sent,  // PUBACK or PUBREC is awaited
    release_due,   // PUBREL is to be sent, for the first time or again
    release_sent,  // PUBCOMP is awaited
    done,
  };
  uint16_t id = 0;
  Guarantee qos = Guarantee::at_least_once;
  State state = State::publish_due;
  bool was_sent = false;
  std::string frame;  // the encoded PUBLISH, until it is acknowledged
};

// Used by one conversation at a time, on one core; outlives it. Messages are sent, and sent again, in the order in
// which they were added [MQTT-4.6.0-1]. Identifiers rise and wrap around, so the queue is always sorted by its
// distance from the front, and finding one is a binary search.
class ClientSession {
 public:
  // A message that is due. Null, and nothing is changed, when no identifier is free or the packet cannot be encoded
  // in `bytes_max`.
  const Outgoing* add(mqtt::Publish publish, mqtt::Version version, std::size_t bytes_max);
  Outgoing* find(uint16_t id);
  // The handshake is over. `message` is gone afterwards.
  void finish(Outgoing& message);

  // A new connection: everything unfinished is due again. Requests without an answer are forgotten.
  void rewind();
  // The server has no session: what had been sent is dropped [MQTT-3.2.2-5] and its identifiers are returned; what
  // never was stays due.
  std::vector<uint16_t> forget();
  // The first message that is due, or null; `on_sent` moves to the next.
  Outgoing* next_due();
  void on_sent(Outgoing& message);

  // An identifier for SUBSCRIBE or UNSUBSCRIBE, until its answer comes; 0: none is free.
  uint16_t begin_request();
  bool end_request(uint16_t id);  // false: there was no such request

  // Inbound QoS 2: identifiers that were received and not released.
  bool remember_inbound(uint16_t id) { return inbound_.emplace(id, true).second; }  // false: known already
  bool knows_inbound(uint16_t id) const { return inbound_.contains(id); }
  bool release_inbound(uint16_t id) { return inbound_.erase(id) != 0; }

  std::size_t unfinished() const { return unfinished_; }         // messages
  std::size_t on_the_way() const { return on_the_way_; }         // of those: sent and not finished
  std::size_t requests() const { return requests_.size(); }

 private:
  uint16_t next_id();
  bool in_use(uint16_t id) const;
  uint16_t distance(uint16_t id) const { return static_cast<uint16_t>(id - queue_.front().id); }
  void trim_front();

  std::deque<Outgoing> queue_;  // the done ones inside stay until they reach the front
  std::size_t due_ = 0;         // index of the first that may be due
  std::size_t unfinished_ = 0;
  std::size_t on_the_way_ = 0;
  uint16_t last_id_ = 0;
  std::vector<std::string> spare_frames_;  // their memory is used again
  std::vector<uint16_t> requests_;
  boost::unordered_flat_map<uint16_t, bool> inbound_;
};

}  // namespace arena::client
