// The configuration: a plain struct with its defaults, filled from a TOML file and the environment. What each setting
// is called, may be and means stands in settings.cc, once; to add one: a field here and a row there.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "access/policy.h"
#include "base/result.h"
#include "server/declared_stream.h"

namespace arena::server {

// Session expiry without end: "never" in the file.
inline constexpr uint64_t kNeverExpires = UINT32_MAX;

struct Listener {
  std::string address = "127.0.0.1";  // numeric
  uint16_t port = 1883;               // 0: a free one
  bool tls = false;
  friend bool operator==(const Listener&, const Listener&) = default;
};

// [[tls.certificates]]: shown to who asks for one of its names.
struct TlsCertificate {
  std::string certificate_file;
  std::string key_file;
  std::string source;  // "arena.toml:7"
};

// Numbers are checked against their range when read, so that they fit the narrower types they are copied to.
struct Config {
  struct Server {
    uint64_t threads = 0;  // 0: one per core of the machine
    std::string log_level = "info";
    std::string log_format = "automatic";
  } server;

  struct Mqtt {
    std::vector<Listener> listeners{Listener{}};
    uint64_t packet_bytes_max = 1 << 20;
    uint64_t connect_bytes_max = 16 << 10;
    uint64_t connect_timeout_ms = 10'000;
    uint64_t keepalive_max_s = 0;
    uint64_t receive_max = 100;
    uint64_t topic_alias_max = 32;
    uint64_t topic_alias_out_max = 16;
    uint64_t session_expiry_max_s = 7 * 24 * 3600;
    uint64_t user_properties_max = 64;
    uint64_t user_property_bytes_max = 8192;
    uint64_t filters_per_subscribe_max = 128;
    uint64_t client_id_bytes_max = 256;
    uint64_t acks_pending_max = 1024;
    uint64_t qos_max = 2;
    bool retain_available = true;
    bool wildcard_available = true;
    bool shared_available = true;
    std::string response_information;
    std::string websocket_path = "/mqtt";  // empty: none
  } mqtt;

  struct Tls {
    std::string certificate_file;  // empty: no listener may have TLS
    std::string key_file;
    std::string client_ca_file;    // empty: clients are asked for no certificate
    std::string client_certificates = "optional";
    std::string version_min = "1.2";
    uint64_t session_s = 8 * 3600;
    std::vector<TlsCertificate> certificates;  // beside the first
  } tls;
  struct Http {
    std::vector<Listener> listeners;  // none: HTTP is not spoken
    uint64_t head_bytes_max = 16 << 10;
    uint64_t fields_max = 100;
    uint64_t body_bytes_max = 1 << 20;
    uint64_t request_timeout_ms = 10'000;
    uint64_t idle_timeout_ms = 60'000;
    uint64_t pipelined_max = 16;
    uint64_t batch_max = 1000;
    uint64_t uploads_bytes_max = 256 << 20;
    uint64_t streams_max = 100;
    uint64_t bodies_bytes_max = 1 << 20;
    uint64_t continuations_max = 8;
    uint64_t resets_per_s = 20;
    uint64_t control_frames_per_s = 100;
    uint64_t stream_output_bytes_max = 64 << 10;
    uint64_t stall_timeout_ms = 30'000;
    uint64_t event_streams_max = 10'000;
    uint64_t event_streams_per_user_max = 1000;
    std::string allowed_origins;
  } http;
  struct WebSocket {
    uint64_t frame_bytes_max = 16 << 20;
    uint64_t message_bytes_max = 64 << 20;
    uint64_t idle_frames_per_s = 100;
  } websocket;
  struct Debug {
    bool enabled = false;
    uint64_t echo_bytes_max = 16 << 20;
    uint64_t inflate_ratio_max = 1000;
  } debug;

  struct Limits {
    uint64_t connections_max = 100'000;
    uint64_t connections_per_address_max = 0;
    uint64_t connects_per_address_per_s = 1000;
    uint64_t half_open_max = 5'000;
    uint64_t password_queue_max = 1024;
    uint64_t topic_length_max = 65'535;
    uint64_t topic_depth_max = 128;
    uint64_t subscriptions_per_session_max = 1024;
    uint64_t inflight_per_session_max = 1024;
    uint64_t queued_bytes_per_session_max = 8 << 20;
    std::string slow_policy = "drop_oldest";
    uint64_t output_bytes_per_connection_max = 1 << 20;
    uint64_t output_bytes_max = 256 << 20;
    uint64_t queued_bytes_max = uint64_t{1} << 30;
    uint64_t cross_core_bytes_max = 16 << 20;
    uint64_t retained_messages_max = 1'000'000;
    uint64_t retained_bytes_max = uint64_t{1} << 30;
    uint64_t inbox_bytes_max = uint64_t{1} << 30;
    uint64_t streams_max = 64;
    uint64_t stream_bytes_max = uint64_t{8} << 30;
    uint64_t published_bytes_max = 64 << 20;
    uint64_t published_horizon_s = 3600;
  } limits;

  struct Store {
    std::string data;  // empty: in memory
    uint64_t reserve_bytes = 256 << 20;
  } store;

  struct Auth {
    std::optional<bool> allow_anonymous;  // unset: from loopback without a users file
    std::string users_file;               // empty: no users
    std::vector<access::Rule> rules;      // [[auth.rules]], one per topic
  } auth;

  std::vector<DeclaredStream> streams;  // [[streams]]
};

struct ConfigError {
  std::string where;  // "arena.toml:3", or the environment variable
  std::string key;    // "mqtt.listeners"; may be empty
  std::string reason;
  std::string text() const;  // "where: key: reason"
};

// NAME, value.
using Environment = std::vector<std::pair<std::string, std::string>>;

struct LoadedConfig {
  Config config;
  // Where each setting's value comes from, in the order of settings(): "default", "arena.toml:3", "ARENA_...".
  std::vector<std::string> sources;
};
using ConfigResult = Result<LoadedConfig, std::vector<ConfigError>>;

// All errors, not the first alone. Environment wins over file, file over default: ARENA_MQTT__PACKET_BYTES_MAX sets
// mqtt.packet_bytes_max. `path` names the text in errors; relative paths in the file are relative to its folder.
// Rules are checked too; the users file is not opened. Blocks for files only.
ConfigResult parse_config(std::string_view toml, const std::string& path, const Environment& environment);
// nullopt: defaults and environment alone.
ConfigResult load_config(const std::optional<std::string>& path, const Environment& environment);
// The variables of this process that begin with ARENA_.
Environment process_environment();

struct Difference {
  std::string key;
  std::string before;
  std::string after;
  bool needs_restart = false;
};
// What a reload changes, in words for the log. Rules are one entry, and so are streams.
std::vector<Difference> differences(const Config& before, const Config& after);

// A complete configuration file with every default and what it means.
std::string default_config_text();
// What is in force and where it comes from, as TOML: every setting, or those alone that are not by default.
enum class Shown : uint8_t { all, changed };
std::string effective_config_text(const LoadedConfig& loaded, Shown shown);
// The reference of all settings, as Markdown.
std::string config_reference_text();

}  // namespace arena::server
