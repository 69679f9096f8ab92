#include "server/wiring.h"

#include <algorithm>
#include <utility>

namespace arena::server {
namespace {

std::shared_ptr<const gateway::mqtt::Options> mqtt_options_of(const Config& config) {
  auto out = std::make_shared<gateway::mqtt::Options>();
  const Config::Mqtt& mqtt = config.mqtt;
  const Config::Limits& limits = config.limits;
  out->packet_bytes_max = static_cast<uint32_t>(mqtt.packet_bytes_max);
  out->connect_bytes_max = static_cast<uint32_t>(mqtt.connect_bytes_max);
  out->connect_timeout_ms = static_cast<int64_t>(mqtt.connect_timeout_ms);
  out->keepalive_max_s = static_cast<uint16_t>(mqtt.keepalive_max_s);
  out->receive_max = static_cast<uint16_t>(mqtt.receive_max);
  out->topic_alias_max = static_cast<uint16_t>(mqtt.topic_alias_max);
  out->topic_alias_out_max = static_cast<uint16_t>(mqtt.topic_alias_out_max);
  out->user_properties_max = static_cast<uint32_t>(mqtt.user_properties_max);
  out->user_property_bytes_max = static_cast<uint32_t>(mqtt.user_property_bytes_max);
  out->filters_per_subscribe_max = static_cast<uint32_t>(mqtt.filters_per_subscribe_max);
  out->retain_available = mqtt.retain_available;
  out->wildcard_available = mqtt.wildcard_available;
  out->shared_available = mqtt.shared_available;
  out->guarantee_max = static_cast<Guarantee>(mqtt.qos_max);
  out->response_information = mqtt.response_information;
  out->client_id_bytes_max = mqtt.client_id_bytes_max;
  out->acks_pending_max = mqtt.acks_pending_max;
  out->topics.length_max = limits.topic_length_max;
  out->topics.depth_max = limits.topic_depth_max;
  out->connections_max = limits.connections_max;
  out->connections_per_address_max = limits.connections_per_address_max;
  out->connects_per_address_per_s = static_cast<uint32_t>(limits.connects_per_address_per_s);
  out->half_open_max = limits.half_open_max;
  return out;
}

// "a, b" taken apart.
std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> out;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find_first_of(", "), text.size());
    if (end != 0) out.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out;
}

std::shared_ptr<const gateway::http::Options> http_options_of(const Config& config) {
  auto out = std::make_shared<gateway::http::Options>();
  const Config::Http& http = config.http;
  const Config::Limits& limits = config.limits;
  out->head_bytes_max = http.head_bytes_max;
  out->fields_max = http.fields_max;
  out->body_bytes_max = http.body_bytes_max;
  out->request_timeout_ms = static_cast<int64_t>(http.request_timeout_ms);
  out->idle_timeout_ms = static_cast<int64_t>(http.idle_timeout_ms);
  out->pipelined_max = http.pipelined_max;
  out->batch_max = http.batch_max;
  out->uploads_bytes_max = http.uploads_bytes_max;
  out->streams_max = http.streams_max;
  out->bodies_bytes_max = http.bodies_bytes_max;
  out->continuations_max = http.continuations_max;
  out->resets_per_s = static_cast<uint32_t>(http.resets_per_s);
  out->control_frames_per_s = static_cast<uint32_t>(http.control_frames_per_s);
  out->stream_output_bytes_max = http.stream_output_bytes_max;
  out->stall_timeout_ms = static_cast<int64_t>(http.stall_timeout_ms);
  out->event_streams_max = http.event_streams_max;
  out->event_streams_per_user_max = http.event_streams_per_user_max;
  out->origins = words_of(http.allowed_origins);
  out->messages.length_max = limits.topic_length_max;
  out->messages.depth_max = limits.topic_depth_max;
  out->messages.headers_max = config.mqtt.user_properties_max;
  out->messages.header_bytes_max = config.mqtt.user_property_bytes_max;
  out->connections_max = limits.connections_max;
  out->connections_per_address_max = limits.connections_per_address_max;
  out->connects_per_address_per_s = static_cast<uint32_t>(limits.connects_per_address_per_s);
  out->half_open_max = limits.half_open_max;
  return out;
}

net::WebSocketLimitsRef websocket_limits_of(const Config& config) {
  net::WebSocketLimits out;
  out.decode.frame_bytes_max = config.websocket.frame_bytes_max;
  out.decode.message_bytes_max = config.websocket.message_bytes_max;
  out.idle_frames_per_s = static_cast<uint32_t>(config.websocket.idle_frames_per_s);
  return net::share_limits(out);
}

std::optional<websocket::MessageLimits> echo_limits_of(const Config& config) {
  if (!config.debug.enabled) return std::nullopt;
  websocket::MessageLimits out;
  out.decode.frame_bytes_max = config.debug.echo_bytes_max;
  out.decode.message_bytes_max = config.debug.echo_bytes_max;
  out.inflate.bytes_max = config.debug.echo_bytes_max;
  out.inflate.ratio_max = static_cast<uint32_t>(config.debug.inflate_ratio_max);
  return out;
}

broker::Options broker_options_of(const Config& config) {
  broker::Options out;
  const Config::Limits& limits = config.limits;
  out.subscriptions_per_session_max = limits.subscriptions_per_session_max;
  out.inflight_per_session_max = limits.inflight_per_session_max;
  out.queued_bytes_per_session_max = limits.queued_bytes_per_session_max;
  out.queued_bytes_max = limits.queued_bytes_max;
  out.slow_policy = slow_policy_of(limits.slow_policy).value_or(SlowPolicy::drop_oldest);
  out.retained_messages_max = limits.retained_messages_max;
  out.retained_bytes_max = limits.retained_bytes_max;
  out.inbox_bytes_max = limits.inbox_bytes_max;
  out.streams_max = limits.streams_max;
  out.stream_bytes_max = limits.stream_bytes_max;
  out.published_bytes_max = limits.published_bytes_max;
  out.published_horizon_ms = static_cast<int64_t>(limits.published_horizon_s) * 1000;
  out.cross_core_bytes_max = limits.cross_core_bytes_max;
  out.session_expiry_max_s = static_cast<uint32_t>(config.mqtt.session_expiry_max_s);
  return out;
}

}  // namespace

Result<LiveSettings> live_settings_of(const Config& config, uint32_t epoch) {
  auto auth = std::make_shared<access::AuthSettings>();
  auth->allow_anonymous = config.auth.allow_anonymous;
  if (!config.auth.users_file.empty()) {
    auto users = access::UserTable::load(config.auth.users_file);
    if (!users) return fail_with("auth.users_file: " + users.error().reason);
    auth->users = std::move(users.value());
    // Who names a file means to know who comes: one that has become empty must not open the broker.
    if (auth->users.empty() && !auth->allow_anonymous) auth->allow_anonymous = false;
  }
  access::Policy::Options options;
  options.epoch = epoch;
  options.default_allow = config.auth.users_file.empty();  // default deny once anybody can be known
  auto policy = access::Policy::make(config.auth.rules, options);
  if (!policy) return fail_with(policy.error().reason);
  LiveSettings live;
  live.policy = std::move(policy.value());
  live.auth = std::move(auth);
  live.mqtt = mqtt_options_of(config);
  live.http = http_options_of(config);
  live.websocket = websocket_limits_of(config);
  return live;
}

void set_store(Settings& settings, std::string path) {
  settings.broker.level = path.empty() ? broker::Level::memory : broker::Level::disk;
  settings.store_path = std::move(path);
}

Result<Settings> settings_of(const Config& config) {
  auto live = live_settings_of(config, 1);
  if (!live) return fail_with(live.error().reason);
  Settings out;
  out.threads = static_cast<unsigned>(config.server.threads);
  out.mqtt_endpoints.clear();
  for (const Listener& listener : config.mqtt.listeners) out.mqtt_endpoints.push_back({listener.address, listener.port, listener.tls});
  out.tls_session_s = static_cast<int64_t>(config.tls.session_s);
  for (const Listener& listener : config.http.listeners) out.http_endpoints.push_back({listener.address, listener.port, listener.tls});
  out.echo = echo_limits_of(config);
  out.mqtt_websocket_path = config.mqtt.websocket_path;
  out.output_bytes_per_connection_max = config.limits.output_bytes_per_connection_max;
  out.password_queue_max = config.limits.password_queue_max;
  out.output_bytes_max = config.limits.output_bytes_max;
  out.broker = broker_options_of(config);
  set_store(out, config.store.data);
  out.store_reserve_bytes = config.store.reserve_bytes;
  out.streams = config.streams;
  out.live = std::move(live.value());
  return out;
}

log::Level log_level_of(const Config& config) {
  const std::string& level = config.server.log_level;
  if (level == "debug") return log::Level::debug;
  if (level == "warn") return log::Level::warn;
  if (level == "error") return log::Level::error;
  return log::Level::info;
}

log::Format log_format_of(const Config& config) {
  const std::string& format = config.server.log_format;
  if (format == "text") return log::Format::text;
  if (format == "json") return log::Format::json;
  return log::Format::automatic;
}

}  // namespace arena::server
