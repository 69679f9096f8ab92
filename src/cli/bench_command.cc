// arena bench SCENARIO
#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "cli/client_run.h"
#include "cli/commands.h"
#include "client/load/load.h"
#include "client/load/process.h"
#include "runtime/runtime.h"
#include "server/seed.h"

namespace arena::cli {

namespace {

using client::LoadOptions;
using client::LoadReport;
using client::Scenario;

struct BenchArguments {
  LoadOptions load;
  std::string version = "3.1.1";
  std::string duration = "5s";
  int qos = 0;
  bool json = false;
};

std::string_view name_of(Scenario scenario) {
  switch (scenario) {
    case Scenario::pairs: return "pairs";
    case Scenario::fan_out: return "fanout";
    case Scenario::fan_in: return "fanin";
    case Scenario::connections: return "connections";
  }
  return "?";
}

std::string optional_number(const std::optional<double>& value) { return value ? fmt::format("{:.3f}", *value) : "null"; }

std::string as_json(const LoadOptions& o, const LoadReport& r) {
  const bool connections = o.scenario == Scenario::connections;
  return fmt::format(
      "{{\"scenario\":\"{}\",\"publishers\":{},\"subscribers\":{},\"qos\":{},\"payload_bytes\":{},\"window\":{},"
      "\"rate\":{},\"clients\":{},\"seconds\":{:.3f},\"published\":{},\"delivered\":{},\"per_second\":{:.0f},"
      "\"server_cpu_us\":{},\"server_rss_bytes_per_client\":{},\"client_cpu_us\":{:.3f},\"lost\":{},\"duplicated\":{},"
      "\"reordered\":{},\"foreign\":{},\"latency_p50_us\":{:.1f},\"latency_p99_us\":{:.1f},\"latency_max_us\":{:.1f}}}\n",
      name_of(o.scenario), connections ? 0 : o.publishers, o.scenario == Scenario::pairs ? o.publishers : o.subscribers,
      static_cast<int>(o.qos), o.payload_bytes, o.window, o.rate, r.clients, r.seconds, r.published, r.delivered,
      r.per_second, optional_number(r.server_cpu_us), optional_number(r.server_rss_bytes_per_client), r.client_cpu_us,
      r.lost, r.duplicated, r.reordered, r.foreign, r.latency_p50_us, r.latency_p99_us, r.latency_max_us);
}

std::string as_text(const LoadOptions& o, const LoadReport& r) {
  if (o.scenario == Scenario::connections) {
    std::string text = fmt::format("{} clients connected and subscribed in {:.2f} s: {:.0f}/s\n", r.clients, r.seconds,
                                   r.per_second);
    if (r.server_cpu_us) text += fmt::format("server CPU   {:.1f} us each\n", *r.server_cpu_us);
    if (r.server_rss_bytes_per_client) text += fmt::format("server RSS   {:.0f} B each\n", *r.server_rss_bytes_per_client);
    return text;
  }
  std::string text = fmt::format("{} deliveries in {:.2f} s: {:.0f}/s ({} published)\n", r.delivered, r.seconds,
                                 r.per_second, r.published);
  if (r.server_cpu_us) text += fmt::format("server CPU   {:.3f} us a delivery\n", *r.server_cpu_us);
  text += fmt::format("bench's CPU  {:.3f} us a delivery\n", r.client_cpu_us);
  text += fmt::format("latency      p50 {:.0f} us, p99 {:.0f} us, max {:.0f} us{}\n", r.latency_p50_us, r.latency_p99_us,
                      r.latency_max_us, o.rate > 0 ? "" : " (of a full window)");
  text += fmt::format("lost {}, duplicated {}, reordered {}, foreign {}\n", r.lost, r.duplicated, r.reordered, r.foreign);
  return text;
}

int run_bench(BenchArguments arguments) {
  LoadOptions& load = arguments.load;
  const auto duration_ms = parse_duration_ms(arguments.duration);
  if (!duration_ms) return complain(kUsage, duration_ms.error().reason);
  load.duration_ms = std::max<int64_t>(*duration_ms, 1);
  load.warm_up_ms = std::min<int64_t>(load.duration_ms / 4, 1000);
  load.qos = static_cast<Guarantee>(arguments.qos);
  load.version = version_of(arguments.version);
  if (load.server_pid != 0 && !client::process_cpu_us(load.server_pid)) {
    return complain(kUsage, fmt::format("there is no process {}", load.server_pid));
  }
  // The bound keeps what a publisher may have buffered, and packet identifiers, within limits.
  if (load.window == 0 || load.window > 60'000) return complain(kUsage, "--window is 1 to 60000");
  runtime::Runtime runtime(1, server::process_seed(), {.lag_threshold_ms = 0});
  const auto report = client::Load(runtime.loop(0), load).run();
  if (!report) return complain(kFailed, report.error().reason, "is the server up? arena dev");
  print(arguments.json ? as_json(load, *report) : as_text(load, *report));
  return report->clean() ? kOk : complain(kFailed, "messages were lost, repeated, out of order or not ours");
}

void add_scenario(CLI::App& group, Scenario scenario, const char* help, int& exit_code) {
  const auto a = std::make_shared<BenchArguments>();
  a->load.scenario = scenario;
  CLI::App* command = group.add_subcommand(std::string(name_of(scenario)), help);
  command->set_help_flag("--help", "Print this help and exit");
  LoadOptions& load = a->load;
  command->add_option("-h,--host", load.host, "The server's name or address")->capture_default_str();
  command->add_option("-p,--port", load.port, "Its MQTT port")->capture_default_str();
  command->add_option("-u,--user", load.user_name, "User name");
  command->add_option("-P,--password", load.password, "Password")->envname("ARENA_PASSWORD");
  add_version_flag(*command, a->version);
  command->add_option("--server-pid", load.server_pid, "Tell the server's CPU per delivery, read from /proc");
  command->add_flag("--json", a->json, "One JSON object");
  const auto clients = CLI::Range(1, 1'000'000);
  if (scenario == Scenario::connections) {
    load.subscribers = 10'000;
    command->add_option("-n,--clients", load.subscribers, "How many")->check(clients)->capture_default_str();
    command->callback([a, &exit_code] { exit_code = run_bench(*a); });
    return;
  }
  if (scenario == Scenario::pairs) {
    command->add_option("--pairs", load.publishers, "How many")->check(clients)->capture_default_str();
  } else {
    load.publishers = scenario == Scenario::fan_out ? 1 : 100;
    load.subscribers = scenario == Scenario::fan_out ? 100 : 1;
    if (scenario == Scenario::fan_in) load.window = 8;
    command->add_option("--publishers", load.publishers, "How many")->check(clients)->capture_default_str();
    command->add_option("--subscribers", load.subscribers, "How many")->check(clients)->capture_default_str();
  }
  command->add_option("--size", load.payload_bytes, "Payload bytes")
      ->check(CLI::Range(client::kLoadPayloadMin, std::size_t{16} << 20))
      ->capture_default_str();
  command->add_option("-q,--qos", a->qos, "Of publications and subscriptions")->check(CLI::Range(0, 2))->capture_default_str();
  command->add_option("--window", load.window, "Messages of a publisher not yet delivered to all or not acknowledged")
      ->capture_default_str();
  command->add_option("--rate", load.rate, "Messages a second and publisher, whatever comes back (default: by window)")
      ->check(CLI::NonNegativeNumber);
  command->add_option("--duration", a->duration, "How long is measured, after a warm-up")->capture_default_str();
  command->add_option("--messages", load.messages, "Per publisher, instead of a duration");
  command->callback([a, &exit_code] { exit_code = run_bench(*a); });
}

}  // namespace

void add_bench_command(CLI::App& app, int& exit_code) {
  CLI::App* group = app.add_subcommand("bench", "Load a server with MQTT clients and check what it delivers");
  group->require_subcommand(1);
  add_scenario(*group, Scenario::pairs, "Each publisher has a subscriber of its own", exit_code);
  add_scenario(*group, Scenario::fan_out, "One publisher, many subscribers", exit_code);
  add_scenario(*group, Scenario::fan_in, "Many publishers, one subscriber", exit_code);
  add_scenario(*group, Scenario::connections, "Clients that connect, subscribe and stay", exit_code);
}

}  // namespace arena::cli
