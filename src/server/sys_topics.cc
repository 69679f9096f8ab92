#include "server/sys_topics.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <memory>
#include <utility>

#include "server/version.h"

namespace arena::server {

using broker::Counters;
using HttpCounters = gateway::http::Counters;
using MqttCounters = gateway::mqtt::Counters;

SysTopics::SysTopics(runtime::Loop& loop, broker::Shard& shard, std::vector<CoreView> cores,
                     const net::OutputBudget& output, int64_t interval_ms)
    : loop_(loop),
      shard_(shard),
      cores_(std::move(cores)),
      output_(output),
      interval_ms_(interval_ms),
      started_ms_(loop.now_ms()),
      loads_({{"messages/received", [](const SysTopics& sys) { return sys.sum(&MqttCounters::packets_received); }},
              {"messages/sent", [](const SysTopics& sys) { return sys.sum(&MqttCounters::packets_sent); }},
              {"publish/received", [](const SysTopics& sys) { return sys.sum(&Counters::published); }},
              {"publish/sent", [](const SysTopics& sys) { return sys.sum(&Counters::delivered); }},
              {"publish/dropped", [](const SysTopics& sys) { return sys.dropped(); }},
              {"bytes/received", [](const SysTopics& sys) { return sys.sum(&MqttCounters::bytes_received); }},
              {"bytes/sent", [](const SysTopics& sys) { return sys.sum(&MqttCounters::bytes_sent); }},
              {"connections", [](const SysTopics& sys) { return sys.sum(&MqttCounters::connects_accepted); }},
              {"sockets", [](const SysTopics& sys) { return sys.sum(&MqttCounters::accepted); }}}),
      timer_(&SysTopics::on_timer, this) {
  publish_all();
  loop_.arm(timer_, interval_ms_);
}

void SysTopics::on_timer(void* self) {
  SysTopics& sys = *static_cast<SysTopics*>(self);
  sys.publish_all();
  sys.loop_.arm(sys.timer_, sys.interval_ms_);
}

uint64_t SysTopics::sum(broker::Counter Counters::*counter) const {
  uint64_t total = 0;
  for (const CoreView& core : cores_) total += (core.broker->*counter).get();
  return total;
}

uint64_t SysTopics::sum(broker::Counter MqttCounters::*counter) const {
  uint64_t total = 0;
  for (const CoreView& core : cores_) total += (core.mqtt->*counter).get();
  return total;
}

uint64_t SysTopics::sum(net::TlsCount net::TlsCounters::*counter) const {
  uint64_t total = 0;
  for (const CoreView& core : cores_) total += (core.tls->*counter).get();
  return total;
}

uint64_t SysTopics::sum(broker::Counter HttpCounters::*counter) const {
  uint64_t total = 0;
  for (const CoreView& core : cores_) total += (core.http->*counter).get();
  return total;
}

uint64_t SysTopics::sum(net::Count net::WebSocketCounters::*counter) const {
  uint64_t total = 0;
  for (const CoreView& core : cores_) total += (core.websocket->*counter).get();
  return total;
}

uint64_t SysTopics::dropped() const {
  uint64_t total = 0;
  for (const CoreView& core : cores_) {
    for (const broker::Counter& drop : core.broker->drops) total += drop.get();
  }
  return total;
}

void SysTopics::publish_all() {
  const uint64_t connected = sum(&Counters::sessions_connected);
  const uint64_t total = sum(&Counters::sessions);
  clients_maximum_ = std::max(clients_maximum_, connected);
  publish("version", "arena version " + std::string(kVersion));
  publish("uptime", std::to_string((loop_.now_ms() - started_ms_) / 1000) + " seconds");
  const std::pair<const char*, uint64_t> numbers[] = {
      {"clients/connected", connected},
      {"clients/disconnected", total - std::min(total, connected)},
      {"clients/expired", sum(&Counters::sessions_expired)},
      {"clients/maximum", clients_maximum_},
      {"clients/keepalive_timeouts", sum(&MqttCounters::keepalive_timeouts)},
      {"clients/malformed", sum(&MqttCounters::malformed)},
      {"clients/connects_refused", sum(&MqttCounters::connects_refused)},
      {"clients/throttled", sum(&MqttCounters::throttled)},
      {"publish/stray_receipts", sum(&MqttCounters::stray_receipts)},
      {"publish/refused", sum(&MqttCounters::publishes_refused)},
      {"publish/duplicates", sum(&Counters::duplicates)},
      {"publish/keys/bytes", sum(&Counters::published_keys_bytes)},
      {"publish/keys/cut", sum(&Counters::published_keys_cut)},
      {"clients/slow_disconnected", sum(&Counters::slow_disconnected)},
      {"clients/total", total},
      {"tls/handshakes", sum(&net::TlsCounters::handshakes)},
      {"tls/resumed", sum(&net::TlsCounters::resumed)},
      {"tls/waited", sum(&net::TlsCounters::waited)},
      {"messages/received", sum(&MqttCounters::packets_received)},
      {"messages/sent", sum(&MqttCounters::packets_sent)},
      {"messages/stored", sum(&Counters::retained)},
      {"publish/messages/received", sum(&Counters::published)},
      {"publish/messages/sent", sum(&Counters::delivered)},
      {"publish/messages/dropped", dropped()},
      {"publish/bytes/received", sum(&Counters::published_bytes)},
      {"publish/bytes/sent", sum(&Counters::delivered_bytes)},
      {"bytes/received", sum(&MqttCounters::bytes_received)},
      {"bytes/sent", sum(&MqttCounters::bytes_sent)},
      {"output/bytes", output_.used.load()},
      {"output/times_full", output_.times_full.load()},
      {"http/connections", sum(&HttpCounters::connections)},
      {"http/http2_connections", sum(&HttpCounters::http2_connections)},
      {"http/event_streams", sum(&HttpCounters::event_streams)},
      {"http/publishes", sum(&HttpCounters::publishes)},
      {"http/requests", sum(&HttpCounters::requests)},
      {"http/idle_closed", sum(&HttpCounters::idle_closed)},
      {"http/stuck_closed", sum(&HttpCounters::stuck_closed)},
      {"http/held_back", sum(&HttpCounters::held_back)},
      {"websocket/accepted", sum(&net::WebSocketCounters::accepted)},
      {"websocket/connections", sum(&net::WebSocketCounters::connections)},
      {"websocket/pongs_left_out", sum(&net::WebSocketCounters::pongs_left_out)},
      {"queued/bytes", sum(&Counters::queued_bytes)},
      {"retained messages/count", sum(&Counters::retained)},
      {"subscriptions/count", sum(&Counters::subscriptions)},
      {"subscriptions/refused", sum(&Counters::subscriptions_refused)},
      {"shared_subscriptions/count", sum(&Counters::shared_subscriptions)},
      {"streams/count", shard_.streams().all().size()},
      {"streams/bytes", sum(&Counters::stream_bytes)},
      {"streams/replay_gaps", sum(&Counters::replay_gaps)},
      {"store/messages/count", sum(&Counters::retained)},
      {"store/messages/bytes", sum(&Counters::retained_bytes) + sum(&Counters::inbox_bytes)},
  };
  for (const auto& [name, value] : numbers) publish(name, std::to_string(value));
  publish_loads();
  for (std::size_t reason = 0; reason < gateway::mqtt::kRefused; ++reason) {
    uint64_t refused = 0;
    for (const CoreView& core : cores_) refused += core.mqtt->refused[reason].get();
    publish(std::string("clients/refused/") + gateway::mqtt::kRefusedNames[reason], std::to_string(refused));
  }
  for (std::size_t why = 0; why < net::kTlsFailures; ++why) {
    uint64_t failed = 0;
    for (const CoreView& core : cores_) failed += core.tls->failed[why].get();
    publish(std::string("tls/failed/") + net::kTlsFailureNames[why], std::to_string(failed));
  }
  for (std::size_t why = 0; why < net::kWebSocketFailures; ++why) {
    uint64_t failed = 0;
    for (const CoreView& core : cores_) failed += core.websocket->failed[why].get();
    publish(std::string("websocket/failed/") + net::kWebSocketFailureNames[why], std::to_string(failed));
  }
  for (std::size_t reason = 0; reason < gateway::http::kRefused; ++reason) {
    uint64_t refused = 0;
    for (const CoreView& core : cores_) refused += core.http->refused[reason].get();
    publish(std::string("http/refused/") + gateway::http::kRefusedNames[reason], std::to_string(refused));
  }
  for (std::size_t reason = 0; reason < broker::kDrops; ++reason) {
    uint64_t dropped_for = 0;
    for (const CoreView& core : cores_) dropped_for += core.broker->drops[reason].get();
    publish(std::string("publish/messages/dropped/") + broker::kDropNames[reason], std::to_string(dropped_for));
  }
}

void SysTopics::publish_loads() {
  static constexpr int kMinutes[3] = {1, 5, 15};
  const double interval_min = static_cast<double>(interval_ms_) / 60'000;
  for (Load& load : loads_) {
    const uint64_t total = load.total(*this);
    const double per_minute = static_cast<double>(total - load.last) / interval_min;
    load.last = total;
    for (int i = 0; i < 3; ++i) {
      const double keep = std::exp(-interval_min / kMinutes[i]);
      load.averages[i] = keep * load.averages[i] + (1 - keep) * per_minute;
      char text[32];
      std::snprintf(text, sizeof text, "%.2f", load.averages[i]);
      publish(std::string("load/") + load.name + "/" + std::to_string(kMinutes[i]) + "min", text);
    }
  }
}

void SysTopics::publish(const std::string& topic, std::string value) {
  std::string& last = last_[topic];
  if (last == value) return;
  last = value;
  auto message = std::make_unique<Message>();
  message->topic = "$SYS/broker/" + topic;
  message->payload = std::move(value);
  message->retain = true;
  shard_.publish_internal(std::move(message));
}

}  // namespace arena::server
