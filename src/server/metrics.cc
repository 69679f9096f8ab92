#include "server/metrics.h"

#include <fmt/format.h>

#include <iterator>
#include <string_view>

#include "server/version.h"

namespace arena::server {
namespace {

using broker::Counters;
using HttpCounters = gateway::http::Counters;
using MqttCounters = gateway::mqtt::Counters;

class Page {
 public:
  explicit Page(const MetricsOf& of) : of_(of) {}

  void family(std::string_view name, std::string_view type, std::string_view help) {
    name_ = name;
    fmt::format_to(std::back_inserter(text_), "# HELP {} {}\n# TYPE {} {}\n", name, help, name, type);
  }
  void value(std::string_view labels, uint64_t number) {
    fmt::format_to(std::back_inserter(text_), "{}{}{}{} {}\n", name_, labels.empty() ? "" : "{", labels, labels.empty() ? "" : "}", number);
  }
  // One without labels.
  void one(std::string_view name, std::string_view type, std::string_view help, uint64_t number) {
    family(name, type, help);
    value({}, number);
  }

  uint64_t sum(broker::Counter Counters::*counter) const {
    uint64_t total = 0;
    for (const CoreView& core : of_.cores) total += (core.broker->*counter).get();
    return total;
  }
  uint64_t sum(broker::Counter MqttCounters::*counter) const {
    uint64_t total = 0;
    for (const CoreView& core : of_.cores) total += (core.mqtt->*counter).get();
    return total;
  }
  uint64_t sum(broker::Counter HttpCounters::*counter) const {
    uint64_t total = 0;
    for (const CoreView& core : of_.cores) total += (core.http->*counter).get();
    return total;
  }
  template <typename Get>
  uint64_t sum_of(Get get) const {
    uint64_t total = 0;
    for (const CoreView& core : of_.cores) total += get(core).get();
    return total;
  }

  std::string take() { return std::move(text_); }

 private:
  const MetricsOf& of_;
  std::string text_;
  std::string name_;
};

void add_connections(Page& page) {
  page.family("arena_connections", "gauge", "Open connections.");
  page.value("protocol=\"mqtt\"", page.sum(&MqttCounters::connections));
  page.value("protocol=\"http\"", page.sum(&HttpCounters::connections));
  page.family("arena_websocket_connections", "gauge", "Of them WebSockets.");
  page.value({}, page.sum_of([](const CoreView& core) -> auto& { return core.websocket->connections; }));
  page.family("arena_accepted_total", "counter", "Connections that were accepted.");
  page.value("protocol=\"mqtt\"", page.sum(&MqttCounters::accepted));
  page.value("protocol=\"http\"", page.sum(&HttpCounters::accepted));
  page.family("arena_connects_total", "counter", "MQTT handshakes by their result.");
  page.value("result=\"accepted\"", page.sum(&MqttCounters::connects_accepted));
  page.value("result=\"refused\"", page.sum(&MqttCounters::connects_refused));
  page.family("arena_refused_total", "counter", "Connections and requests that a limit or no sense refused.");
  for (std::size_t reason = 0; reason < gateway::mqtt::kRefused; ++reason) {
    page.value(fmt::format("protocol=\"mqtt\",reason=\"{}\"", gateway::mqtt::kRefusedNames[reason]),
               page.sum_of([reason](const CoreView& core) -> auto& { return core.mqtt->refused[reason]; }));
  }
  for (std::size_t reason = 0; reason < gateway::http::kRefused; ++reason) {
    page.value(fmt::format("protocol=\"http\",reason=\"{}\"", gateway::http::kRefusedNames[reason]),
               page.sum_of([reason](const CoreView& core) -> auto& { return core.http->refused[reason]; }));
  }
  page.family("arena_websocket_failed_total", "counter", "WebSockets that were ended for what the client sent.");
  for (std::size_t why = 0; why < net::kWebSocketFailures; ++why) {
    page.value(fmt::format("reason=\"{}\"", net::kWebSocketFailureNames[why]),
               page.sum_of([why](const CoreView& core) -> auto& { return core.websocket->failed[why]; }));
  }
  page.family("arena_received_bytes_total", "counter", "Bytes from clients.");
  page.value("protocol=\"mqtt\"", page.sum(&MqttCounters::bytes_received));
  page.value("protocol=\"http\"", page.sum(&HttpCounters::bytes_received));
  page.family("arena_sent_bytes_total", "counter", "Bytes to clients.");
  page.value("protocol=\"mqtt\"", page.sum(&MqttCounters::bytes_sent));
  page.value("protocol=\"http\"", page.sum(&HttpCounters::bytes_sent));
}

void add_http(Page& page) {
  page.one("arena_http2_connections", "gauge", "Open connections of HTTP/2.", page.sum(&HttpCounters::http2_connections));
  page.one("arena_http_idle_closed_total", "counter", "Connections closed for silence between requests.", page.sum(&HttpCounters::idle_closed));
  page.one("arena_http_stuck_closed_total", "counter", "Answers and event streams whose client took nothing for long.", page.sum(&HttpCounters::stuck_closed));
  page.one("arena_http_held_back_total", "counter", "Times a connection was not read or a body got no window.", page.sum(&HttpCounters::held_back));
  page.one("arena_http_requests_total", "counter", "Requests.", page.sum(&HttpCounters::requests));
  page.one("arena_http_event_streams", "gauge", "Open server-sent event streams and waiting polls.", page.sum(&HttpCounters::event_streams));
  page.one("arena_http_publishes_total", "counter", "Messages that requests asked to publish.", page.sum(&HttpCounters::publishes));
  page.family("arena_http_responses_total", "counter", "Responses by the first digit of their status.");
  for (std::size_t digit = 1; digit < 6; ++digit) {
    page.value(fmt::format("status=\"{}xx\"", digit), page.sum_of([digit](const CoreView& core) -> auto& { return core.http->answers[digit]; }));
  }
}

void add_messages(Page& page) {
  page.one("arena_messages_received_total", "counter", "Messages accepted from publishers.", page.sum(&Counters::published));
  page.one("arena_messages_received_bytes_total", "counter", "Their payloads.", page.sum(&Counters::published_bytes));
  page.one("arena_messages_delivered_total", "counter", "Messages handed to subscribers.", page.sum(&Counters::delivered));
  page.one("arena_messages_delivered_bytes_total", "counter", "Their payloads.", page.sum(&Counters::delivered_bytes));
  page.one("arena_messages_redelivered_total", "counter", "Deliveries that were repeated.", page.sum(&Counters::redelivered));
  page.one("arena_messages_stored_total", "counter", "Messages written to a log.", page.sum(&Counters::stored));
  page.one("arena_messages_duplicate_total", "counter", "Publishes that had been taken before.", page.sum(&Counters::duplicates));
  page.family("arena_messages_dropped_total", "counter", "Messages that did not reach a subscriber, or publishes that were refused.");
  for (std::size_t reason = 0; reason < broker::kDrops; ++reason) {
    page.value(fmt::format("reason=\"{}\"", broker::kDropNames[reason]),
               page.sum_of([reason](const CoreView& core) -> auto& { return core.broker->drops[reason]; }));
  }
}

void add_state(Page& page, const MetricsOf& of) {
  page.one("arena_sessions", "gauge", "Sessions, with or without a connection.", page.sum(&Counters::sessions));
  page.one("arena_sessions_connected", "gauge", "Sessions with a connection.", page.sum(&Counters::sessions_connected));
  page.one("arena_takeovers_total", "counter", "Connections that took the place of another of their session.", page.sum(&Counters::takeovers));
  page.one("arena_slow_consumers_total", "counter", "Sessions disconnected because they could not keep up.", page.sum(&Counters::slow_disconnected));
  page.one("arena_subscriptions", "gauge", "Subscriptions.", page.sum(&Counters::subscriptions));
  page.one("arena_shared_subscriptions", "gauge", "Of them shared.", page.sum(&Counters::shared_subscriptions));
  page.one("arena_queued_bytes", "gauge", "Messages waiting in memory for sessions.", page.sum(&Counters::queued_bytes));
  page.one("arena_retained_messages", "gauge", "Last values.", page.sum(&Counters::retained));
  page.one("arena_retained_bytes", "gauge", "Their size.", page.sum(&Counters::retained_bytes));
  page.one("arena_inbox_bytes", "gauge", "Messages kept for sessions that are away.", page.sum(&Counters::inbox_bytes));
  page.one("arena_streams", "gauge", "Named streams.", of.streams);
  page.one("arena_stream_bytes", "gauge", "What they hold.", page.sum(&Counters::stream_bytes));
  page.one("arena_output_bytes", "gauge", "Output that the system has not taken yet.", of.output.used.load());
  page.one("arena_wills_sent_total", "counter", "Wills that were published.", page.sum(&Counters::wills_sent));
  page.one("arena_uptime_seconds", "gauge", "Since the start.", static_cast<uint64_t>(of.uptime_ms) / 1000);
}

}  // namespace

std::string metrics_text(const MetricsOf& of) {
  Page page(of);
  page.family("arena_build_info", "gauge", "The version that runs.");
  page.value(fmt::format("version=\"{}\"", kVersion), 1);
  add_connections(page);
  add_http(page);
  add_messages(page);
  add_state(page, of);
  return page.take();
}

}  // namespace arena::server
