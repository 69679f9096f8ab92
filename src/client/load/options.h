// What load to make, and what came of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "codec/mqtt/version.h"
#include "message/message.h"
#include "net/tls/context.h"

namespace arena::client {

enum class Scenario : uint8_t {
  pairs,        // each publisher has a topic and a subscriber of its own
  fan_out,      // every subscriber gets everything, of one topic
  fan_in,       // the same with many publishers
  connections,  // clients that subscribe to a topic of their own and then do nothing
  offline,      // persistent sessions subscribe to everything and leave; once it is published, some come back for it
  replay,       // a stream that the server keeps is filled, then read from its beginning
};

// The payload carries publisher, sequence and time.
inline constexpr std::size_t kLoadPayloadMin = 20;

struct LoadOptions {
  Scenario scenario = Scenario::pairs;
  std::string host = "127.0.0.1";
  uint16_t port = 1883;
  std::string websocket_path;                        // empty: MQTT by itself
  std::shared_ptr<const net::TlsClientContext> tls;  // null: in the clear
  std::string server_name;                           // whom the server's certificate must name; empty: the host
  mqtt::Version version = mqtt::Version::v3_1_1;
  std::optional<std::string> user_name;
  std::optional<std::string> password;
  unsigned publishers = 50;   // pairs: as many subscribers
  unsigned subscribers = 50;  // connections: all of them; offline: sessions
  bool persistent = false;    // connections: they leave once they have subscribed, and their sessions stay
  unsigned readers = 1;       // offline: sessions that come back; replay: readers, one after the other
  int64_t pause_ms = 0;       // replay: between one reader and the next
  std::string topics = "load";  // what all topics begin with
  bool keep = false;          // offline: leave the sessions at the server
  std::size_t payload_bytes = 64;
  Guarantee qos = Guarantee::at_most_once;
  unsigned window = 100;  // per publisher: messages that are not delivered to all, or not acknowledged
  double rate = 0;  // messages a second and publisher, whatever comes back; 0: as the window permits
  int64_t duration_ms = 5000;
  int64_t warm_up_ms = 500;
  uint64_t messages = 0;    // per publisher; 0: for the duration
  unsigned server_pid = 0;  // its processor time and memory are read from /proc; 0: they are not
};

// Whether what is published is counted by its acknowledgements, and read later.
constexpr bool reads_later(Scenario scenario) { return scenario == Scenario::offline || scenario == Scenario::replay; }

// What was read after all was published.
struct ReadReport {
  uint64_t delivered = 0;
  double seconds = 0;  // from connecting to the last message
  double per_second = 0;
  std::optional<double> server_cpu_us;  // per delivery
};

struct LoadReport {
  unsigned clients = 0;
  double seconds = 0;
  uint64_t published = 0;  // while measured
  uint64_t delivered = 0;
  double per_second = 0;  // deliveries; of `connections`: connections; of those that read later: acknowledgements
  // Over the whole run, warm-up included. All must be zero.
  uint64_t lost = 0;
  uint64_t duplicated = 0;
  uint64_t reordered = 0;
  uint64_t foreign = 0;  // not of this run, or not intact
  std::optional<double> server_cpu_us;  // per what per_second counts
  std::optional<double> server_rss_bytes_per_client;  // of `connections`
  double client_cpu_us = 0;  // this program's own, per delivery
  std::optional<ReadReport> read;
  // At a fixed rate from the moment a message was due, else from the moment it was sent; to its delivery, or, of those
  // that read later, its acknowledgement.
  double latency_p50_us = 0;
  double latency_p90_us = 0;
  double latency_p99_us = 0;
  double latency_p999_us = 0;
  double latency_max_us = 0;

  bool clean() const { return lost + duplicated + reordered + foreign == 0; }
};

// How it stands, told a few times a second.
struct LoadProgress {
  enum class Phase : uint8_t { connecting, warming_up, measuring, settling, reading };
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
