// What a client tells its owner.
#pragma once

#include <cstdint>
#include <string>

#include "codec/mqtt/packet.h"

namespace arena::client {

// Why a connection is over.
struct Ending {
  enum class Kind : uint8_t {
    asked,           // disconnect() was called
    refused,         // CONNACK said no; `reason` says why
    told,            // the server sent DISCONNECT; `reason` says why
    peer_closed,     // the server closed without a word
    reset,           // the connection broke
    timed_out,       // no answer to a ping, or the output could not leave
    protocol_error,  // the server said what it must not
  };
  Kind kind = Kind::peer_closed;
  mqtt::Reason reason = mqtt::Reason::success;
  std::string text;  // for people
};

// Called on the client's core. Views hold during the call only. Any method of the client may be called in here, but
// it may be destroyed in on_closed only.
class ClientHandler {
 public:
  virtual ~ClientHandler() = default;
  // Also for refusals; on_closed follows those.
  virtual void on_connack(const mqtt::Connack&) {}
  // The topic is there even when the server sent an alias. Of QoS 2 each message comes once.
  virtual void on_message(const mqtt::Publish&) {}
  virtual void on_suback(const mqtt::Suback&) {}
  virtual void on_unsuback(const mqtt::Unsuback&) {}
  // The server's word on a QoS 1 or 2 message, with its properties: PUBACK or PUBREC. on_published follows, behind a PUBREC
  // later.
  virtual void on_answered(const mqtt::Ack&) {}
  // The handshake of a QoS 1 or 2 message is over: PUBACK, PUBCOMP, or a refusal in PUBREC.
  virtual void on_published(uint16_t /*packet_id*/, mqtt::Reason) {}
  // The server has forgotten the session, so it is unknown whether this message arrived; it is not sent again.
  virtual void on_unknown(uint16_t /*packet_id*/) {}
  virtual void on_pong() {}
  virtual void on_disconnect(const mqtt::Disconnect&) {}  // the server's; on_closed follows
  virtual void on_writable() {}                           // output that was above its bound has left
  // The last call for this connection.
  virtual void on_closed(const Ending&) {}
};

}  // namespace arena::client
