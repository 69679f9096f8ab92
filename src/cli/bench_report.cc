#include "cli/bench_report.h"

#include <fmt/format.h>

#include <optional>

namespace arena::cli {

namespace {

using client::LoadOptions;
using client::LoadProgress;
using client::LoadReport;
using client::Scenario;

std::string number_or_null(const std::optional<double>& value) {
  return value ? fmt::format("{:.3f}", *value) : "null";
}

std::string connections_text(const LoadReport& r) {
  std::string text = fmt::format("{} clients connected and subscribed in {:.2f} s: {:.0f}/s\n", r.clients,
                                 r.seconds, r.per_second);
  if (r.server_cpu_us) text += fmt::format("server CPU   {:.1f} us each\n", *r.server_cpu_us);
  if (r.server_rss_bytes_per_client)
    text += fmt::format("server RSS   {:.0f} B each\n", *r.server_rss_bytes_per_client);
  return text;
}

std::string latency_text(const LoadReport& r, std::string_view since) {
  return fmt::format("latency      p50 {:.0f} us, p90 {:.0f} us, p99 {:.0f} us, p99.9 {:.0f} us, max {:.0f} us ({})\n",
                     r.latency_p50_us, r.latency_p90_us, r.latency_p99_us, r.latency_p999_us, r.latency_max_us, since);
}

std::string faults_text(const LoadReport& r) {
  return fmt::format("lost {}, duplicated {}, reordered {}, foreign {}\n", r.lost, r.duplicated, r.reordered, r.foreign);
}

std::string read_later_text(const LoadOptions& o, const LoadReport& r) {
  std::string text = fmt::format("{} published in {:.2f} s, {:.0f}/s acknowledged\n", r.published, r.seconds, r.per_second);
  if (r.server_cpu_us) text += fmt::format("server CPU   {:.3f} us an acknowledgement\n", *r.server_cpu_us);
  text += latency_text(r, o.rate > 0 ? "until acknowledged, since each was due" : "until acknowledged");
  if (!r.read) return text;
  text += fmt::format("{} read in {:.2f} s: {:.0f}/s\n", r.read->delivered, r.read->seconds, r.read->per_second);
  if (r.read->server_cpu_us) text += fmt::format("server CPU   {:.3f} us a delivery\n", *r.read->server_cpu_us);
  return text + faults_text(r);
}

std::string short_number(double value) {
  if (value >= 1e6) return fmt::format("{:.2f} M", value / 1e6);
  if (value >= 1e4) return fmt::format("{:.0f} k", value / 1e3);
  return fmt::format("{:.0f}", value);
}

}  // namespace

std::string_view name_of(Scenario scenario) {
  switch (scenario) {
    case Scenario::pairs:
      return "pairs";
    case Scenario::fan_out:
      return "fanout";
    case Scenario::fan_in:
      return "fanin";
    case Scenario::connections:
      return "connections";
    case Scenario::offline:
      return "offline";
    case Scenario::replay:
      return "replay";
  }
  return "?";
}

std::string bench_json(const LoadOptions& o, const LoadReport& r) {
  const bool connections = o.scenario == Scenario::connections;
  std::string json = fmt::format(
      "{{\"scenario\":\"{}\",\"publishers\":{},\"subscribers\":{},\"qos\":{},\"payload_bytes\":{},\"window\":"
      "{},"
      "\"rate\":{},\"clients\":{},\"seconds\":{:.3f},\"published\":{},\"delivered\":{},\"per_second\":{:.0f}"
      ",",
      name_of(o.scenario), connections ? 0 : o.publishers,
      o.scenario == Scenario::pairs ? o.publishers : o.subscribers, static_cast<int>(o.qos), o.payload_bytes,
      o.window, o.rate, r.clients, r.seconds, r.published, r.delivered, r.per_second);
  json += fmt::format(
      "\"server_cpu_us\":{},\"server_rss_bytes_per_client\":{},\"client_cpu_us\":{:.3f},\"lost\":{},"
      "\"duplicated\":{},"
      "\"reordered\":{},\"foreign\":{},",
      number_or_null(r.server_cpu_us), number_or_null(r.server_rss_bytes_per_client), r.client_cpu_us, r.lost,
      r.duplicated, r.reordered, r.foreign);
  if (r.read) {
    json += fmt::format("\"read\":{{\"delivered\":{},\"seconds\":{:.3f},\"per_second\":{:.0f},\"server_cpu_us\":{}}},", r.read->delivered,
                        r.read->seconds, r.read->per_second, number_or_null(r.read->server_cpu_us));
  }
  json += fmt::format(
      "\"latency_p50_us\":{:.1f},\"latency_p90_us\":{:.1f},\"latency_p99_us\":{:.1f},\"latency_p999_us\":{:."
      "1f},"
      "\"latency_max_us\":{:.1f}}}\n",
      r.latency_p50_us, r.latency_p90_us, r.latency_p99_us, r.latency_p999_us, r.latency_max_us);
  return json;
}

std::string bench_text(const LoadOptions& o, const LoadReport& r) {
  if (o.scenario == Scenario::connections) return connections_text(r);
  if (client::reads_later(o.scenario)) return read_later_text(o, r);
  std::string text = fmt::format("{} deliveries in {:.2f} s: {:.0f}/s ({} published)\n", r.delivered,
                                 r.seconds, r.per_second, r.published);
  if (r.server_cpu_us) text += fmt::format("server CPU   {:.3f} us a delivery\n", *r.server_cpu_us);
  text += fmt::format("bench's CPU  {:.3f} us a delivery\n", r.client_cpu_us);
  text += latency_text(r, o.rate > 0 ? "since each was due" : "of a full window");
  text += faults_text(r);
  return text;
}

std::string progress_text(const LoadProgress& p) {
  using Phase = LoadProgress::Phase;
  if (p.phase == Phase::connecting) return fmt::format("connecting: {} of {} clients", p.ready, p.clients);
  std::string text = p.phase == Phase::warming_up  ? "warming up"
                     : p.phase == Phase::measuring ? "measuring"
                     : p.phase == Phase::reading   ? "reading"
                                                   : "waiting for the last";
  text += p.total_s > 0 ? fmt::format(" {:.1f} of {:.1f} s", p.elapsed_s, p.total_s)
                        : fmt::format(" {:.1f} s", p.elapsed_s);
  text += fmt::format(": {}/s", short_number(p.per_second));
  if (p.latency_p99_us > 0)
    text += fmt::format(", p50 {:.0f} us, p99 {:.0f} us", p.latency_p50_us, p.latency_p99_us);
  return text;
}

}  // namespace arena::cli
