// What the HTTP gateway accepts, and what it counts; server/ fills the options from the configuration.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "access/admission.h"
#include "broker/counters.h"
#include "message/topic.h"

namespace arena::gateway::http {

// What a message may have that is published.
struct MessageLimits : TopicLimits {
  std::size_t headers_max = 64;
  std::size_t header_bytes_max = 8192;       // names and values together
};

struct Options : access::AdmissionLimits {
  std::size_t head_bytes_max = 16 << 10;  // a request's line and fields
  std::size_t fields_max = 100;
  std::size_t body_bytes_max = 1 << 20;
  int64_t request_timeout_ms = 10'000;    // from the first byte of a request to its last
  int64_t idle_timeout_ms = 60'000;       // between requests
  std::size_t pipelined_max = 16;         // requests of one connection being worked on; further ones wait
  std::size_t uploads_bytes_max = 256 << 20;  // bodies that are not complete, or whose password is being verified; on all cores
  std::size_t streams_max = 100;          // HTTP/2: requests of one connection; further ones are refused
  std::size_t bodies_bytes_max = 1 << 20; // HTTP/2: of one connection; then its oldest request alone gets more window
  std::size_t continuations_max = 8;      // HTTP/2: frames that go on with a head
  uint32_t resets_per_s = 20;             // HTTP/2: requests of one connection reset by either side
  uint32_t control_frames_per_s = 100;    // HTTP/2: frames of one connection that carry nothing of a request
  std::size_t stream_output_bytes_max = 64 << 10;  // HTTP/2: waits for one request's client; of a connection 16 times that
  int64_t stall_timeout_ms = 30'000;      // HTTP/2: so long a client may take nothing of an answer
  std::size_t batch_max = 1000;           // messages in one request
  std::size_t event_streams_max = 10'000;        // followers at the same time, event streams and waiting polls, on all cores
  std::size_t event_streams_per_user_max = 1000;
  std::vector<std::string> origins;       // web pages that may use this besides our own: "https://app.example"
  MessageLimits messages;
};

// Why a connection or a request was refused, in so far as it is a limit or no HTTP.
enum class Refused : uint8_t {
  shut,
  connections,
  connections_per_address,
  connect_rate,
  half_open,         // the oldest without a request gave way
  request_timeout,
  malformed,
  head_too_large,
  too_many_fields,
  body_too_large,
  batch_too_large,
  password_queue,    // too many passwords waited to be verified
  streams,           // HTTP/2, each as its limit
  resets,
  control_frames,
  continuations,
  event_streams,
  event_streams_per_user,
  uploads,           // bodies under way, of all connections together
};
inline constexpr std::size_t kRefused = 19;
inline constexpr const char* kRefusedNames[kRefused] = {
    "shut",      "connections",    "connections_per_address", "connect_rate",   "half_open",     "request_timeout",
    "malformed", "head_too_large", "too_many_fields",         "body_too_large", "batch_too_large", "password_queue",
    "streams",   "resets",         "control_frames",          "continuations",  "event_streams", "event_streams_per_user",
    "uploads"};

// What one core's gateway counts.
struct Counters {
  broker::Counter accepted;        // connections, in all
  broker::Counter connections;     // open now
  broker::Counter http2_connections;  // of the open ones
  broker::Counter requests;
  broker::Counter bytes_received;
  broker::Counter bytes_sent;
  broker::Counter idle_closed;     // connections, for silence between requests
  broker::Counter stuck_closed;    // answers and event streams whose client took nothing for long
  broker::Counter held_back;       // times a connection was not read, as too many of its requests were being worked on, or a body got no window
  broker::Counter event_streams;   // open now, and polls that wait
  broker::Counter publishes;       // messages that were asked to be published
  broker::Counter answers[6];      // by the first digit of their status; 0 is not used
  broker::Counter refused[kRefused];

  void refuse(Refused reason) { refused[static_cast<std::size_t>(reason)].add(); }
};

}  // namespace arena::gateway::http
