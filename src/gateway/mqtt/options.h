// What the MQTT gateway accepts and announces; server/ fills it from the configuration.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "access/admission.h"
#include "base/ref.h"
#include "broker/counters.h"
#include "message/message.h"
#include "message/topic.h"

namespace arena::gateway::mqtt {

using access::Admission;
using access::Seat;

struct Options : access::AdmissionLimits {
  uint32_t packet_bytes_max = 1 << 20;
  uint32_t connect_bytes_max = 16 << 10;     // of the CONNECT itself
  int64_t connect_timeout_ms = 10'000;       // from accept to a complete CONNECT
  uint16_t keepalive_max_s = 0;              // ceiling told to MQTT 5 clients; 0: none
  uint16_t receive_max = 100;                // QoS 1 and 2 publishes a client may have open
  uint16_t topic_alias_max = 32;             // that a client may set
  uint16_t topic_alias_out_max = 16;         // that we set for a client that allows it
  uint32_t user_properties_max = 64;
  uint32_t user_property_bytes_max = 8192;
  uint32_t filters_per_subscribe_max = 128;  // of an UNSUBSCRIBE, too
  bool retain_available = true;
  bool wildcard_available = true;
  bool shared_available = true;
  Guarantee guarantee_max = Guarantee::exactly_once;
  std::string response_information;          // told to clients that ask; empty: none
  TopicLimits topics;
  std::size_t acks_pending_max = 1024;       // publishes awaiting receipts before the socket is not read
  std::size_t client_id_bytes_max = 256;
};

// Why a connection was closed before it was let in.
enum class Refused : uint8_t {
  shut,
  connections,
  connections_per_address,
  connect_rate,             // of its address
  half_open,                // the oldest gave way
  connect_timeout,
  password_queue,           // too many passwords waited to be verified
};
inline constexpr std::size_t kRefused = 7;
inline constexpr const char* kRefusedNames[kRefused] = {
    "shut", "connections", "connections_per_address", "connect_rate", "half_open", "connect_timeout", "password_queue"};

constexpr Refused refused_for(access::NoSeat why) {
  switch (why) {
    case access::NoSeat::connections: return Refused::connections;
    case access::NoSeat::connections_per_address: return Refused::connections_per_address;
    case access::NoSeat::connect_rate: return Refused::connect_rate;
    case access::NoSeat::half_open: break;
  }
  return Refused::half_open;
}

// Options as connections keep them: those of when they came.
struct SharedOptions : RefCounted<SharedOptions>, Options {
  explicit SharedOptions(const Options& options) : Options(options) {}
};
using OptionsRef = Ref<const SharedOptions>;

// What one core's gateway counts.
struct Counters {
  broker::Counter packets_received;
  broker::Counter packets_sent;
  broker::Counter bytes_received;
  broker::Counter bytes_sent;
  broker::Counter accepted;             // connections, in all
  broker::Counter connections;          // open now
  broker::Counter connects_accepted;
  broker::Counter connects_refused;
  broker::Counter malformed;
  broker::Counter keepalive_timeouts;
  broker::Counter refused[kRefused];    // before they were let in, by reason
  broker::Counter publishes_received;
  broker::Counter publishes_refused;  // for properties that are ours
  broker::Counter throttled;            // times a publisher's socket was not read for a while
  broker::Counter stray_receipts;       // answers to publishes that await none: a fault of ours, so always zero

  void refuse(Refused reason) { refused[static_cast<std::size_t>(reason)].add(); }
};

}  // namespace arena::gateway::mqtt
