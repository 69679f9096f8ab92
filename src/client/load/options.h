// What load to make, and what came of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "codec/mqtt/version.h"
#include "message/message.h"

namespace arena::client {

enum class Scenario : uint8_t {
  pairs,        // each publisher has a topic and a subscriber of its own
  fan_out,      // every subscriber gets everything, of one topic
  fan_in,       // the same with many publishers
  connections,  // clients that subscribe to a topic of their own and then do nothing
};

// The payload carries publisher, sequence and time.
inline constexpr std::size_t kLoadPayloadMin = 20;

struct LoadOptions {
  Scenario scenario = Scenario::pairs;
  std::string host = "127.0.0.1";
  uint16_t port = 1883;
  mqtt::Version version = mqtt::Version::v3_1_1;
  std::optional<std::string> user_name;
  std::optional<std::string> password;
  unsigned publishers = 50;   // pairs: as many subscribers
  unsigned subscribers = 50;  // connections: all of them
  std::size_t payload_bytes = 64;
  Guarantee qos = Guarantee::at_most_once;
  unsigned window = 100;  // per publisher: messages that are not delivered to all, or not acknowledged
  double rate = 0;  // messages a second and publisher, whatever comes back; 0: as the window permits
  int64_t duration_ms = 5000;
  int64_t warm_up_ms = 500;
  uint64_t messages = 0;    // per publisher; 0: for the duration
  unsigned server_pid = 0;  // its processor time and memory are read from /proc; 0: they are not
};

struct LoadReport {
  unsigned clients = 0;
  double seconds = 0;
  uint64_t published = 0;  // while measured
  uint64_t delivered = 0;
  double per_second = 0;  // deliveries; of `connections`: connections
  // Over the whole run, warm-up included. All must be zero.
  uint64_t lost = 0;
  uint64_t duplicated = 0;
  uint64_t reordered = 0;
  uint64_t foreign = 0;  // not of this run, or not intact
  std::optional<double> server_cpu_us;  // per delivery; of `connections`: per connection
  std::optional<double> server_rss_bytes_per_client;  // of `connections`
  double client_cpu_us = 0;  // this program's own, per delivery
  // At a fixed rate from the moment a message was due, else from the moment it was sent.
  double latency_p50_us = 0;
  double latency_p90_us = 0;
  double latency_p99_us = 0;
  double latency_p999_us = 0;
  double latency_max_us = 0;

  bool clean() const { return lost + duplicated + reordered + foreign == 0; }
};

// How it stands, told a few times a second.
struct LoadProgress {
  enum class Phase : uint8_t { connecting, warming_up, measuring, settling };
  Phase phase = Phase::connecting;
  unsigned ready = 0;
  unsigned clients = 0;
  double elapsed_s = 0;  // of this phase
  double total_s = 0;    // 0: open
  double per_second = 0;  // deliveries since the last time
  double latency_p50_us = 0;
  double latency_p99_us = 0;
};

}  // namespace arena::client
