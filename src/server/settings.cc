#include "server/settings.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>

#include "base/utf8.h"

namespace arena::server {

namespace {

using namespace std::string_view_literals;

constexpr std::string_view kTlsPrefix = "tls://";
constexpr uint64_t kBytesMax = uint64_t{1} << 50;
constexpr uint64_t kOutputBytesMax = uint64_t{1} << 30;  // what a stream can count, with a packet to spare
constexpr uint64_t kPacketBytesMax = 268'435'460;  // what the protocol can say

#define SLOT(field) [](Config& config) -> Slot { return &config.field; }

const std::vector<Setting>& table() {
  static const std::vector<Setting> rows = {
      // ---- server
      {"server.threads", SLOT(server.threads), "Worker threads; 0: one per core of the machine.", Reload::restart, 0, 64},
      {.key = "server.log_level", .slot = SLOT(server.log_level), .doc = "The least important lines to log.",
       .choices = {"debug", "info", "warn", "error"}},
      {.key = "server.log_format", .slot = SLOT(server.log_format),
       .doc = "automatic: text on a terminal, JSON lines otherwise.", .choices = {"automatic", "text", "json"}},

      // ---- mqtt
      {.key = "mqtt.listeners", .slot = SLOT(mqtt.listeners),
       .doc = "Where to accept MQTT over TCP; numeric addresses, \"::\" is all. With tls = true (in the environment: tls:// before it) over TLS."},
      {"mqtt.packet_bytes_max", SLOT(mqtt.packet_bytes_max), "Largest packet taken from a client; told to MQTT 5 clients.",
       Reload::new_connections, 128, kPacketBytesMax, "bytes"},
      {"mqtt.connect_bytes_max", SLOT(mqtt.connect_bytes_max), "Largest CONNECT, which comes before anybody is known.",
       Reload::new_connections, 128, kPacketBytesMax, "bytes"},
      {"mqtt.connect_timeout_ms", SLOT(mqtt.connect_timeout_ms), "From accept to a complete CONNECT.",
       Reload::new_connections, 100, 600'000, "ms"},
      {"mqtt.keepalive_max_s", SLOT(mqtt.keepalive_max_s), "Ceiling for the keep alive of MQTT 5 clients; 0: none.",
       Reload::new_connections, 0, 65'535, "s"},
      {"mqtt.receive_max", SLOT(mqtt.receive_max), "QoS 1 and 2 publishes that a client may have unacknowledged.",
       Reload::new_connections, 1, 65'535},
      {"mqtt.topic_alias_max", SLOT(mqtt.topic_alias_max), "Topic aliases that a client may set; 0: none.",
       Reload::new_connections, 0, 65'535},
      {"mqtt.topic_alias_out_max", SLOT(mqtt.topic_alias_out_max), "Topic aliases set for a client that allows them.",
       Reload::new_connections, 0, 65'535},
      {.key = "mqtt.session_expiry_max_s", .slot = SLOT(mqtt.session_expiry_max_s),
       .doc = "Ceiling for how long a session outlives its connection; \"never\": no ceiling.", .unit = "s",
       .may_be_never = true},
      {"mqtt.user_properties_max", SLOT(mqtt.user_properties_max), "User properties in one packet.",
       Reload::new_connections, 0, 10'000},
      {"mqtt.user_property_bytes_max", SLOT(mqtt.user_property_bytes_max), "All user properties of one packet together.",
       Reload::new_connections, 0, kPacketBytesMax, "bytes"},
      {"mqtt.filters_per_subscribe_max", SLOT(mqtt.filters_per_subscribe_max),
       "Topic filters in one SUBSCRIBE or UNSUBSCRIBE.", Reload::new_connections, 1, 65'535},
      {"mqtt.client_id_bytes_max", SLOT(mqtt.client_id_bytes_max), "Longest client id.", Reload::new_connections, 23,
       65'535, "bytes"},
      {"mqtt.acks_pending_max", SLOT(mqtt.acks_pending_max),
       "Publishes of one connection waiting for their receipt before its socket is not read.", Reload::new_connections, 1,
       65'535},
      {"mqtt.qos_max", SLOT(mqtt.qos_max), "Highest QoS granted.", Reload::new_connections, 0, 2},
      {"mqtt.retain_available", SLOT(mqtt.retain_available), "Retained messages are taken.", Reload::new_connections},
      {"mqtt.wildcard_available", SLOT(mqtt.wildcard_available), "Filters may have wildcards.", Reload::new_connections},
      {"mqtt.shared_available", SLOT(mqtt.shared_available), "$share/<group>/<filter> is taken.", Reload::new_connections},
      {"mqtt.response_information", SLOT(mqtt.response_information),
       "Response information for MQTT 5 clients that ask; empty: none.", Reload::new_connections},
      {"mqtt.websocket_path", SLOT(mqtt.websocket_path), "Where HTTP listeners take MQTT over WebSocket; empty: nowhere.",
       Reload::restart},

      // ---- tls
      {.key = "tls.certificate_file", .slot = SLOT(tls.certificate_file),
       .doc = "What TLS listeners show: the certificate, then those between it and its authority, as PEM. \"\": none, and no listener may have TLS.",
       .reload = Reload::new_connections, .is_path = true},
      {.key = "tls.key_file", .slot = SLOT(tls.key_file), .doc = "The certificate's key, as PEM without a password.",
       .reload = Reload::new_connections, .is_path = true},
      {.key = "tls.client_ca_file", .slot = SLOT(tls.client_ca_file),
       .doc = "Authorities, as PEM, that vouch for certificates of clients. \"\": clients are asked for none.",
       .reload = Reload::new_connections, .is_path = true},
      {.key = "tls.client_certificates", .slot = SLOT(tls.client_certificates),
       .doc = "With a client_ca_file: whether a client may come without a certificate.", .reload = Reload::new_connections,
       .choices = {"optional", "required"}},
      {.key = "tls.version_min", .slot = SLOT(tls.version_min), .doc = "The oldest TLS that is spoken.",
       .reload = Reload::new_connections, .choices = {"1.2", "1.3"}},
      {"tls.session_s", SLOT(tls.session_s),
       "How long a client may resume its TLS session; keys of tickets change as often. 0: never.", Reload::restart, 0,
       7 * 24 * 3600, "s"},
      // ---- http
      {.key = "http.listeners", .slot = SLOT(http.listeners),
       .doc = "Where to accept HTTP/1.1 and HTTP/2; numeric addresses, \"::\" is all. []: nowhere.", .may_be_empty = true},
      {"http.head_bytes_max", SLOT(http.head_bytes_max), "Largest request line with its fields.", Reload::new_connections, 1024,
       1 << 20, "bytes"},
      {"http.fields_max", SLOT(http.fields_max), "Fields of one request.", Reload::new_connections, 8, 10'000},
      {"http.body_bytes_max", SLOT(http.body_bytes_max), "Largest body of a request.", Reload::new_connections, 1024,
       kPacketBytesMax, "bytes"},
      {"http.request_timeout_ms", SLOT(http.request_timeout_ms),
       "From a request's first byte to its last; of a new connection, from accept to the first request.", Reload::new_connections,
       100, 600'000, "ms"},
      {"http.idle_timeout_ms", SLOT(http.idle_timeout_ms), "How long a connection may be silent between requests.",
       Reload::new_connections, 100, 3'600'000, "ms"},
      {"http.pipelined_max", SLOT(http.pipelined_max), "Requests of one connection being worked on.", Reload::new_connections, 1,
       1000},
      {"http.batch_max", SLOT(http.batch_max), "Messages of one POST /v1/publish.", Reload::at_once, 1, 100'000},
      {"http.uploads_bytes_max", SLOT(http.uploads_bytes_max),
       "Bodies above 16 KiB of all connections that are not complete, or whose password is being verified.", Reload::at_once, 1 << 20,
       kBytesMax, "bytes"},
      {"http.streams_max", SLOT(http.streams_max), "HTTP/2: requests of one connection at once.", Reload::new_connections, 1, 10'000},
      {"http.bodies_bytes_max", SLOT(http.bodies_bytes_max),
       "HTTP/2: bodies of one connection's requests; above, only the oldest of those under way is sent on.", Reload::new_connections, 1024,
       kPacketBytesMax, "bytes"},
      {"http.continuations_max", SLOT(http.continuations_max), "HTTP/2: CONTINUATION frames of one request.", Reload::new_connections, 0, 1000},
      {"http.resets_per_s", SLOT(http.resets_per_s),
       "HTTP/2: requests of one connection that either side resets, averaged over 10 s.", Reload::new_connections, 1, 100'000, "1/s"},
      {"http.control_frames_per_s", SLOT(http.control_frames_per_s),
       "HTTP/2: frames of one connection that carry nothing of a request, averaged over 10 s.", Reload::new_connections, 1, 1'000'000, "1/s"},
      {"http.stream_output_bytes_max", SLOT(http.stream_output_bytes_max),
       "HTTP/2: what waits for the client of one request; 16 times that for all of a connection.", Reload::new_connections, 4096,
       kPacketBytesMax, "bytes"},
      {"http.stall_timeout_ms", SLOT(http.stall_timeout_ms), "HTTP/2: how long a client may take nothing of an answer.",
       Reload::new_connections, 100, 3'600'000, "ms"},
      {"http.event_streams_max", SLOT(http.event_streams_max), "Server-sent event streams and waiting polls, together.", Reload::at_once, 1,
       10'000'000},
      {"http.event_streams_per_user_max", SLOT(http.event_streams_per_user_max), "The same, of one user.", Reload::at_once, 1, 10'000'000},
      {.key = "http.allowed_origins", .slot = SLOT(http.allowed_origins),
       .doc = "Web pages that may use this besides its own: origins such as \"https://app.example\", with ',' between.",
       .reload = Reload::at_once},

      // ---- websocket
      {"websocket.frame_bytes_max", SLOT(websocket.frame_bytes_max), "Largest frame taken from a client.", Reload::new_connections, 1024,
       kBytesMax, "bytes"},
      {"websocket.message_bytes_max", SLOT(websocket.message_bytes_max),
       "Largest message, all its frames together. MQTT's are not kept whole, so that this costs no memory.", Reload::new_connections, 1024,
       kBytesMax, "bytes"},
      {"websocket.idle_frames_per_s", SLOT(websocket.idle_frames_per_s),
       "Control frames, and frames without payload, of one connection, averaged over 10 s.", Reload::new_connections, 1, 1'000'000, "1/s"},

      // ---- debug
      {"debug.enabled", SLOT(debug.enabled),
       "/debug/echo, a WebSocket that says what it is told, and /debug/ok: for suites that test protocols. Only where no HTTP listener can be reached from elsewhere.",
       Reload::restart},
      {"debug.echo_bytes_max", SLOT(debug.echo_bytes_max), "Largest message of /debug/echo, as it is before it is compressed.", Reload::restart, 1024,
       uint64_t{1} << 30, "bytes"},
      {"debug.inflate_ratio_max", SLOT(debug.inflate_ratio_max),
       "How much larger than it came a compressed message of more than 64 KiB may be.", Reload::restart, 1, 2000},

      // ---- limits
      {"limits.connections_max", SLOT(limits.connections_max), "Open connections.", Reload::new_connections, 1, 100'000'000},
      {"limits.connections_per_address_max", SLOT(limits.connections_per_address_max),
       "Open connections from one address (IPv6: from one /64); 0: no limit.", Reload::new_connections, 0, 100'000'000},
      {"limits.connects_per_address_per_s", SLOT(limits.connects_per_address_per_s),
       "New connections from one address, averaged over 20 s; 0: no limit.", Reload::new_connections, 0, 1'000'000, "1/s"},
      {"limits.half_open_max", SLOT(limits.half_open_max),
       "Connections that have not sent an accepted CONNECT yet; with one more the oldest is closed.",
       Reload::new_connections, 1, 100'000'000},
      {"limits.password_queue_max", SLOT(limits.password_queue_max),
       "Passwords waiting to be verified; a CONNECT above it is refused as busy, unhashed.", Reload::restart, 1, 1'000'000},
      {"limits.topic_length_max", SLOT(limits.topic_length_max), "Longest topic or filter.", Reload::new_connections, 1,
       65'535, "bytes"},
      {"limits.topic_depth_max", SLOT(limits.topic_depth_max), "Most levels of a topic or filter.",
       Reload::new_connections, 1, 1024},
      {"limits.subscriptions_per_session_max", SLOT(limits.subscriptions_per_session_max), "Subscriptions of one session.",
       Reload::restart, 1, 1'000'000},
      {"limits.inflight_per_session_max", SLOT(limits.inflight_per_session_max),
       "Deliveries of one session awaiting acknowledgement.", Reload::restart, 1, 65'535},
      {"limits.queued_bytes_per_session_max", SLOT(limits.queued_bytes_per_session_max),
       "Messages waiting in memory for one session.", Reload::restart, 1024, kBytesMax, "bytes"},
      {.key = "limits.slow_policy", .slot = SLOT(limits.slow_policy),
       .doc = "What a subscriber that cannot keep up loses of QoS 0, where neither its subscription nor a rule says so.",
       .choices = {kSlowPolicyNames.begin(), kSlowPolicyNames.end()}},
      {"limits.output_bytes_per_connection_max", SLOT(limits.output_bytes_per_connection_max),
       "Output waiting for one connection before nothing more is put into it.", Reload::restart, 1024, kOutputBytesMax, "bytes"},
      {"limits.output_bytes_max", SLOT(limits.output_bytes_max),
       "Output waiting for all connections; above it each may have 16 KiB waiting before nothing more is put into it.",
       Reload::restart, 1 << 16, kBytesMax, "bytes"},
      {"limits.queued_bytes_max", SLOT(limits.queued_bytes_max),
       "Messages waiting in memory for all sessions; above it each may have 64 KiB waiting.", Reload::restart, 1 << 16,
       kBytesMax, "bytes"},
      {"limits.cross_core_bytes_max", SLOT(limits.cross_core_bytes_max),
       "Messages on their way from one thread to another before publishers are slowed.", Reload::restart, 1 << 16, kBytesMax,
       "bytes"},
      {"limits.retained_messages_max", SLOT(limits.retained_messages_max), "Retained messages.", Reload::restart, 0,
       1'000'000'000},
      {"limits.retained_bytes_max", SLOT(limits.retained_bytes_max), "All retained messages together.", Reload::restart, 0,
       kBytesMax, "bytes"},
      {"limits.inbox_bytes_max", SLOT(limits.inbox_bytes_max), "Messages kept for sessions that are away, all together.",
       Reload::restart, 1 << 16, kBytesMax, "bytes"},
      {"limits.streams_max", SLOT(limits.streams_max), "Named streams.", Reload::restart, 0, 10'000},
      {"limits.stream_bytes_max", SLOT(limits.stream_bytes_max), "All named streams together.", Reload::restart, 1 << 16,
       kBytesMax, "bytes"},
      {"limits.published_bytes_max", SLOT(limits.published_bytes_max),
       "What is remembered of publishes with an arena-id or arena-producer, so that a repetition is taken once.", Reload::restart,
       1 << 16, kBytesMax, "bytes"},
      {"limits.published_horizon_s", SLOT(limits.published_horizon_s), "An arena-id is remembered so long, if there is room.",
       Reload::restart, 1, 10'000'000, "seconds"},

      // ---- store
      {.key = "store.data", .slot = SLOT(store.data),
       .doc = "Folder for what must survive: an acknowledgement of it means that it is synced to disk. \"\": in memory, gone with the process.",
       .is_path = true},
      {"store.reserve_bytes", SLOT(store.reserve_bytes),
       "Free disk space below which no message is stored; reading, acknowledging and deleting go on, the latter alone below half.", Reload::restart, 16 << 20,
       kBytesMax, "bytes"},

      // ---- auth
      {"auth.allow_anonymous", SLOT(auth.allow_anonymous),
       "Clients without credentials. Unset: from loopback, without a users_file. true: from anywhere.", Reload::at_once},
      {.key = "auth.users_file", .slot = SLOT(auth.users_file),
       .doc = "Users and password hashes, made by `arena user add`; a file without any lets nobody in. A relative path goes by the folder of the configuration file (in the environment: by the working folder). \"\": no users.", .reload = Reload::at_once,
       .is_path = true},
  };
  return rows;
}

#undef SLOT

std::optional<uint64_t> number_of(std::string_view text) {
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

std::optional<std::string> assign_number(const Setting& setting, uint64_t& out, const Scalar& value) {
  if (const auto* word = std::get_if<std::string>(&value); word != nullptr && *word == "never" && setting.may_be_never) {
    out = setting.max;
    return std::nullopt;
  }
  const auto* number = std::get_if<int64_t>(&value);
  if (number == nullptr || *number < 0 || static_cast<uint64_t>(*number) < setting.min ||
      static_cast<uint64_t>(*number) > setting.max) {
    return "expected " + type_text(setting);
  }
  out = static_cast<uint64_t>(*number);
  return std::nullopt;
}

std::optional<std::string> assign_string(const Setting& setting, std::string& out, const Scalar& value) {
  const auto* text = std::get_if<std::string>(&value);
  if (text == nullptr) return "expected " + type_text(setting);
  if (!is_utf8_without_nul(*text)) return "is not well-formed UTF-8";
  if (!setting.choices.empty() && std::ranges::find(setting.choices, *text) == setting.choices.end()) {
    return "expected " + type_text(setting);
  }
  out = *text;
  return std::nullopt;
}

template <typename Flag>
std::optional<std::string> assign_flag(const Setting& setting, Flag& out, const Scalar& value) {
  const auto* flag = std::get_if<bool>(&value);
  if (flag == nullptr) return "expected " + type_text(setting);
  out = *flag;
  return std::nullopt;
}

std::optional<std::string> assign_listeners(const Setting& setting, std::vector<Listener>& out, std::string_view text) {
  std::vector<Listener> listeners;
  while (!text.empty()) {
    const std::size_t comma = std::min(text.find(','), text.size());
    std::string_view one = text.substr(0, comma);
    text.remove_prefix(std::min(comma + 1, text.size()));
    while (one.starts_with(' ')) one.remove_prefix(1);
    const bool tls = one.starts_with(kTlsPrefix);
    if (tls) one.remove_prefix(kTlsPrefix.size());
    const std::size_t colon = one.rfind(':');
    std::string_view address = one.substr(0, colon);
    const auto port = colon == std::string_view::npos ? std::nullopt : number_of(one.substr(colon + 1));
    if (!port || *port > 65'535) return "expected \"address:port\" or \"tls://address:port\", several separated by ','";
    if (address.starts_with('[') && address.ends_with(']')) address = address.substr(1, address.size() - 2);
    if (const auto fault = check_listener(address, static_cast<int64_t>(*port))) return fault;
    listeners.push_back({std::string(address), static_cast<uint16_t>(*port), tls});
  }
  if (const auto fault = check_listeners(listeners, setting.may_be_empty)) return fault;
  out = std::move(listeners);
  return std::nullopt;
}

std::string listeners_text(const std::vector<Listener>& listeners) {
  std::string out;
  for (const Listener& listener : listeners) {
    out += fmt::format("{}{{ address = {}, port = {}{} }}", out.empty() ? "" : ", ", toml_quote(listener.address), listener.port,
                       listener.tls ? ", tls = true" : "");
  }
  return "[" + out + "]";
}

// Insertions, deletions, replacements; a swap of neighbours counts one.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before(b.size() + 1), last(b.size() + 1), now(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) last[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    now[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      now[j] = std::min({last[j] + 1, now[j - 1] + 1, replaced});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) now[j] = std::min(now[j], before[j - 2] + 1);
    }
    before.swap(last);
    last.swap(now);
  }
  return last[b.size()];
}

}  // namespace

std::string_view to_string(Reload reload) {
  switch (reload) {
    case Reload::at_once: return "reload";
    case Reload::new_connections: return "reload, for new connections";
    case Reload::restart: return "restart";
  }
  return "restart";
}

std::span<const Setting> settings() { return table(); }

std::optional<std::string> assign(const Setting& setting, Config& config, const Scalar& value) {
  const Slot slot = setting.slot(config);
  if (const auto* number = std::get_if<uint64_t*>(&slot)) return assign_number(setting, **number, value);
  if (const auto* flag = std::get_if<bool*>(&slot)) return assign_flag(setting, **flag, value);
  if (const auto* flag = std::get_if<std::optional<bool>*>(&slot)) return assign_flag(setting, **flag, value);
  if (const auto* text = std::get_if<std::string*>(&slot)) return assign_string(setting, **text, value);
  return "expected " + type_text(setting);
}

std::optional<std::string> assign_text(const Setting& setting, Config& config, std::string_view text) {
  const Slot slot = setting.slot(config);
  if (const auto* listeners = std::get_if<std::vector<Listener>*>(&slot)) return assign_listeners(setting, **listeners, text);
  if (std::holds_alternative<std::string*>(slot)) return assign(setting, config, std::string(text));
  if (const auto number = number_of(text); number && *number <= INT64_MAX) {
    return assign(setting, config, static_cast<int64_t>(*number));
  }
  if (text == "true"sv || text == "false"sv) return assign(setting, config, text == "true"sv);
  return assign(setting, config, std::string(text));
}

std::optional<std::string> check_listener(std::string_view address, int64_t port) {
  in6_addr room{};
  const std::string text(address);
  // inet_pton(3) would read up to a NUL only.
  if (text.find('\0') != std::string::npos) return fmt::format("{} is no numeric address", toml_quote(address));
  if (::inet_pton(AF_INET, text.c_str(), &room) != 1 && ::inet_pton(AF_INET6, text.c_str(), &room) != 1) {
    return fmt::format("{} is no numeric IPv4 or IPv6 address", toml_quote(address));
  }
  if (port < 0 || port > 65'535) return "port: expected an integer from 0 to 65535";
  return std::nullopt;
}

std::optional<std::string> check_listeners(const std::vector<Listener>& listeners, bool may_be_empty) {
  if (listeners.empty() && !may_be_empty) return "expected at least one listener";
  for (auto one = listeners.begin(); one != listeners.end(); ++one) {
    const auto same = [&](const Listener& other) { return other.address == one->address && other.port == one->port; };
    if (one->port != 0 && std::find_if(listeners.begin(), one, same) != one) {
      return fmt::format("{} port {} is listed twice", one->address, one->port);
    }
  }
  return std::nullopt;
}

std::string type_text(const Setting& setting) {
  Config config;
  const Slot slot = setting.slot(config);
  if (std::holds_alternative<uint64_t*>(slot)) {
    return fmt::format("an integer from {} to {}{}{}{}", setting.min, setting.max, setting.unit.empty() ? "" : " ",
                       setting.unit, setting.may_be_never ? ", or \"never\"" : "");
  }
  if (std::holds_alternative<std::string*>(slot)) {
    if (setting.choices.empty()) return setting.is_path ? "a path" : "a text";
    return fmt::format("one of \"{}\"", fmt::join(setting.choices, "\", \""));
  }
  if (std::holds_alternative<std::vector<Listener>*>(slot)) return "a list of { address = \"…\", port = … }";
  return "true or false";
}

std::string value_text(const Setting& setting, const Config& config) {
  // A slot is a way to write; here it is only read.
  const Slot slot = setting.slot(const_cast<Config&>(config));
  if (const auto* number = std::get_if<uint64_t*>(&slot)) {
    return setting.may_be_never && **number == setting.max ? "\"never\"" : std::to_string(**number);
  }
  if (const auto* flag = std::get_if<bool*>(&slot)) return **flag ? "true" : "false";
  if (const auto* flag = std::get_if<std::optional<bool>*>(&slot)) return !**flag ? "" : ***flag ? "true" : "false";
  if (const auto* text = std::get_if<std::string*>(&slot)) return toml_quote(**text);
  return listeners_text(*std::get<std::vector<Listener>*>(slot));
}

std::string toml_quote(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') out.push_back('\\');
    if (byte < 0x20 || byte == 0x7f) {
      out += fmt::format("\\u{:04x}", byte);
    } else {
      out.push_back(c);
    }
  }
  return out + "\"";
}

std::string_view nearest(std::string_view word, std::span<const std::string_view> known) {
  if (word.size() > 64) return {};  // the distance costs the product of the lengths
  std::string_view best;
  std::size_t best_distance = std::max<std::size_t>(2, word.size() / 3) + 1;
  for (const std::string_view candidate : known) {
    const std::size_t distance = edit_distance(word, candidate);
    if (distance < best_distance) {
      best_distance = distance;
      best = candidate;
    }
  }
  return best;
}

}  // namespace arena::server
