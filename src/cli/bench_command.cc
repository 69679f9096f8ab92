// arena bench SCENARIO
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "cli/bench_report.h"
#include "cli/client_run.h"
#include "cli/server_address.h"
#include "cli/commands.h"
#include "client/load/load.h"
#include "runtime/clock.h"
#include "runtime/runtime.h"
#include "server/seed.h"

namespace arena::cli {

namespace {

constexpr std::string_view kHelp = "arena bench --help";

using client::LoadOptions;
using client::LoadReport;
using client::Scenario;

struct BenchArguments {
  LoadOptions load;
  TlsFlags tls;
  uint16_t port = 0;
  std::string version = "3.1.1";
  std::string duration = "5s";
  int qos = 0;
  std::string output = "text";
  bool json = false;
  bool no_progress = false;
};

// The line on the terminal while it runs; wiped at the end.
class ProgressLine {
 public:
  ~ProgressLine() {
    if (shown_) fmt::print(stderr, "\r\x1b[K");
  }
  void show(const client::LoadProgress& progress) {
    shown_ = true;
    fmt::print(stderr, "\r{}\x1b[K", progress_text(progress));
    std::fflush(stderr);
  }

 private:
  bool shown_ = false;
};

// Complains when there is none.
std::optional<LoadReport> run_load(const BenchArguments& arguments, int& exit_code) {
  runtime::Runtime runtime(1, server::process_seed(), {.lag_threshold_ms = 0});
  client::Load load(runtime.loop(0), arguments.load);
  ProgressLine line;
  if (!arguments.no_progress && ::isatty(STDERR_FILENO) == 1) {
    load.watch([&line](const client::LoadProgress& progress) { line.show(progress); });
  }
  Result<LoadReport> report = load.run();
  if (report) return std::move(*report);
  // MQTT 3.1.1 gives no reason for a refused subscription; permissions are by far the usual one.
  const bool unsaid = arguments.load.version != mqtt::Version::v5 && load.refusal() == mqtt::Reason::unspecified_error;
  if (unsaid && arguments.load.scenario == Scenario::replay) {
    exit_code = complain(kFailed, report.error().reason, "does a stream keep this? arena stream create load --filter 'load/#'");
    return std::nullopt;
  }
  exit_code = unsaid ? kRefused : exit_code_of(load.refusal());
  complain(exit_code, report.error().reason,
           exit_code == kRefused ? "may this user do that? -u NAME and ARENA_PASSWORD in the environment" : "is the server up? arena dev");
  return std::nullopt;
}

int run_bench(BenchArguments arguments) {
  LoadOptions& load = arguments.load;
  const auto duration_ms = parse_duration_ms(arguments.duration);
  if (!duration_ms) return complain(kUsage, duration_ms.error().reason, kHelp);
  load.duration_ms = std::max<int64_t>(*duration_ms, 1);
  load.warm_up_ms = std::min<int64_t>(load.duration_ms / 4, 1000);
  load.qos = static_cast<Guarantee>(arguments.qos);
  load.version = version_of(arguments.version);
  const auto address = server_address_of(load.host);
  if (!address) return complain(kUsage, address.error().reason, kHelp);
  load.host = address->host;
  load.websocket_path = address->websocket_path;
  arguments.tls.tls = arguments.tls.tls || address->tls;
  load.port = mqtt_port(arguments.port != 0 ? arguments.port : address->port, arguments.tls);
  auto tls = load_tls_client(arguments.tls, load.websocket_path.empty() ? "mqtt" : "http/1.1");
  if (!tls) return complain(kUsage, tls.error().reason, kHelp);
  load.tls = std::move(*tls);
  load.server_name = arguments.tls.server_name;
  if (load.server_pid != 0 && !runtime::process_cpu_ns(load.server_pid)) {
    return complain(kUsage, fmt::format("there is no process {}", load.server_pid), kHelp);
  }
  // The bound keeps what a publisher may have buffered, and packet identifiers, within limits.
  if (load.window == 0 || load.window > 60'000) return complain(kUsage, "--window is 1 to 60000", kHelp);
  int exit_code = kOk;
  const auto report = run_load(arguments, exit_code);
  if (!report) return exit_code;
  print(arguments.json || arguments.output == "json" ? bench_json(load, *report) : bench_text(load, *report));
  return report->clean() ? kOk : complain(kFailed, "messages were lost, repeated, out of order or not ours");
}

// Of those that publish first, at QoS 1, and read later.
void add_reading_options(CLI::App& command, LoadOptions& load) {
  const auto clients = CLI::Range(1, 1'000'000);
  load.window = 16;
  command.add_option("--publishers", load.publishers, "How many, each with a topic of its own")->check(clients)->capture_default_str();
  if (load.scenario == Scenario::replay) {
    load.payload_bytes = 100;
    command.add_option("--readers", load.readers, "So many read all of it, one after the other")->check(CLI::Range(0, 1'000'000))->capture_default_str();
    command.add_option("--pause", load.pause_ms, "Milliseconds between one reader and the next")->check(CLI::Range(0, 60'000))->capture_default_str();
    return;
  }
  load.subscribers = 1;
  command.add_option("--sessions", load.subscribers, "Persistent sessions, offline, that want every message")->check(clients)->capture_default_str();
  command.add_option("--readers", load.readers, "So many of them come back for what they missed")
      ->check(CLI::Range(0, 1'000'000))
      ->capture_default_str();
  command.add_flag("--keep", load.keep, "Leave the sessions at the server");
}

void add_scenario(CLI::App& group, Scenario scenario, const char* help, int& exit_code) {
  const auto a = std::make_shared<BenchArguments>();
  a->load.scenario = scenario;
  CLI::App* command = group.add_subcommand(std::string(name_of(scenario)), help);
  command->set_help_flag("--help", "Print this help and exit");
  LoadOptions& load = a->load;
  command->add_option("-h,--host", load.host, "The server's name or address, or ws://HOST:PORT/PATH or wss:// for MQTT over WebSocket")->capture_default_str();
  command->add_option("-p,--port", a->port, "Its MQTT port (default: 1883, with TLS 8883)");
  command->add_option("-u,--user", load.user_name, "User name");
  command->add_option("-P,--password", load.password, "Password")->envname("ARENA_PASSWORD");
  add_version_flag(*command, a->version);
  add_tls_flags(*command, a->tls);
  command->add_option("--topics", load.topics, "What all topics begin with")->capture_default_str();
  command->add_option("--server-pid", load.server_pid, "The server's process: tell what a delivery or a connection costs it");
  command->add_option("--output", a->output, "text, or json: one object")
      ->check(CLI::IsMember({"text", "json"}).description(""))
      ->type_name("text|json")
      ->capture_default_str();
  command->add_flag("--json", a->json, "The same as --output json");
  command->add_flag("--no-progress", a->no_progress, "No line of progress, which a terminal gets");
  const auto clients = CLI::Range(1, 1'000'000);
  if (scenario == Scenario::connections) {
    load.subscribers = 10'000;
    command->add_option("-n,--clients", load.subscribers, "How many")->check(clients)->capture_default_str();
    command->add_flag("--persistent", load.persistent, "Leave once subscribed; the sessions stay at the server");
    command->callback([a, &exit_code] { exit_code = run_bench(*a); });
    return;
  }
  if (scenario == Scenario::offline || scenario == Scenario::replay) {
    add_reading_options(*command, load);
  } else if (scenario == Scenario::pairs) {
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
  if (scenario != Scenario::offline) {
    command->add_option("-q,--qos", a->qos, scenario == Scenario::replay ? "Of the reader; what is published has 1" : "Of publications and subscriptions")
        ->check(CLI::Range(0, 2).description(""))
        ->type_name("0|1|2")
        ->capture_default_str();
  }
  command->add_option("--window", load.window, client::reads_later(scenario) ? "Messages of a publisher not acknowledged" : "Messages of a publisher not yet delivered to all or not acknowledged")
      ->check(check_not_negative)
      ->capture_default_str();
  command->add_option("--rate", load.rate, "Messages a second and publisher, whatever comes back; latency counts from when each was due (default: by window)")
      ->check(check_not_negative);
  command->add_option("--duration", a->duration, "How long is measured, after a warm-up")->capture_default_str();
  command->add_option("--messages", load.messages, "Per publisher, instead of a duration")->check(check_not_negative);
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
  add_scenario(*group, Scenario::offline, "Publishers for sessions that are offline, which come back for it", exit_code);
  add_scenario(*group, Scenario::replay, "A stream that keeps load/#, filled and then read from its beginning", exit_code);
}

}  // namespace arena::cli
