// `arena dev`: a broker on loopback without any configuration.
#include <CLI/CLI.hpp>

#include <cerrno>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "base/log.h"
#include "cli/commands.h"
#include "cli/dev_tls.h"
#include "cli/run_server.h"
#include "net/tls/context.h"
#include "runtime/clock.h"
#include "server/wiring.h"

namespace arena::cli {
namespace {

constexpr uint16_t kHttpPort = 8080;

struct DevOptions {
  uint16_t mqtt_port = 1883;
  std::optional<uint16_t> http_port;
  std::string data_dir;
  bool tls = false;
  uint16_t mqtts_port = 8883;
  unsigned threads = 0;
  bool verbose = false;
};

server::Settings dev_settings(const DevOptions& options) {
  server::Settings settings;
  settings.threads = options.threads;
  settings.mqtt_endpoints = {server::Endpoint{"127.0.0.1", options.mqtt_port}};
  // A second broker on this machine takes another port rather than none.
  settings.http_endpoints = {server::Endpoint{"127.0.0.1", options.http_port.value_or(kHttpPort), false, !options.http_port}};
  server::set_store(settings, options.data_dir);
  access::Policy::Options policy;
  policy.default_allow = true;
  settings.live.policy = access::Policy::make({}, policy).value();
  settings.live.auth = std::make_shared<const access::AuthSettings>();
  settings.live.mqtt = std::make_shared<const gateway::mqtt::Options>();
  return settings;
}

// The endpoint and what it shows. The path of the authority that clients are to trust.
Result<std::string> add_tls(const DevOptions& options, server::Settings& settings) {
  const auto files = dev_certificates(dev_tls_folder(options.data_dir), runtime::unix_ms() / 1000);
  if (!files) return fail(files.error());
  net::TlsServerOptions tls;
  tls.identities = {{files->certificate_file, files->key_file}};
  tls.session_s = settings.tls_session_s;
  auto context = net::TlsServerContext::load(tls);
  if (!context) return fail_with(context.error().reason);
  settings.live.tls = std::move(*context);
  settings.mqtt_endpoints.push_back({"127.0.0.1", options.mqtts_port, true});
  return files->ca_file;
}

void print_tls(const server::Server& server, const char* arena, const std::string& ca_file) {
  const unsigned port = server.endpoints().back().port;
  std::printf("\nWith TLS: mqtts://localhost:%u; its authority, for clients to trust, is %s\n", port, ca_file.c_str());
  std::printf("  subscribe:  %s sub -h localhost -p %u --cafile '%s' 'demo/#'\n", arena, port, ca_file.c_str());
  std::printf("  elsewhere:  mosquitto_sub -h localhost -p %u --cafile '%s' -t 'demo/#' -v\n", port, ca_file.c_str());
}

void print_ready(const server::Server& server, const std::string& data, const std::string& ca_file) {
  const unsigned port = server.endpoints().front().port;
  // As it was called, so that the lines can be pasted; by its bare name it is found on the PATH.
  const char* arena = program_invocation_name;
  log::flush();
  const std::string kept = data.empty() ? "kept in memory" : "kept in " + data;
  std::printf("Arena is ready: mqtt://127.0.0.1:%u (loopback only, anonymous, %s)\n\n", port, kept.c_str());
  std::printf("  subscribe:  %s sub -p %u 'demo/#'\n", arena, port);
  std::printf("  publish:    %s pub -p %u demo/hi '{\"hello\":\"world\"}'\n", arena, port);
  std::printf("  or so:      curl -d '{\"hello\":\"world\"}' http://127.0.0.1:%u/v1/topics/demo/hi\n\n", unsigned{server.http_endpoints().front().port});
  std::printf("Or with any MQTT client:  mosquitto_sub -p %u -t 'demo/#' -v\n", port);
  if (!ca_file.empty()) print_tls(server, arena, ca_file);
  std::fflush(stdout);
}

int run_dev(const DevOptions& options) {
  block_server_signals();
  log::configure(options.verbose ? log::Level::debug : log::Level::info, log::Format::automatic);
  log::warn("server", "anonymous clients are let in: there is no user, and only loopback is listened on");
  server::Settings settings = dev_settings(options);
  std::string ca_file;
  if (options.tls) {
    auto added = add_tls(options, settings);
    if (!added) return complain(kFailed, added.error().reason);
    ca_file = std::move(*added);
  }
  say_what_is_kept(settings);
  return run_server(std::move(settings), [&](const server::Server& server) { print_ready(server, options.data_dir, ca_file); },
                    [] { return nullptr; });
}

}  // namespace

void add_dev_command(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<DevOptions>();
  CLI::App* command = app.add_subcommand("dev", "Run a broker on loopback without any configuration");
  command->add_option("--mqtt", options->mqtt_port, "MQTT port; 0: a free one")->capture_default_str();
  command->add_flag("--tls", options->tls, "Listen with TLS, too, with a certificate of its own authority, made when it is missing");
  command->add_option("--mqtts", options->mqtts_port, "MQTT port with TLS; 0: a free one")->capture_default_str();
  command->add_option("--http", options->http_port, "HTTP port; 0: a free one. Without it 8080, or a free one when that is taken");
  command->add_option("--data", options->data_dir, "Folder for what must survive; without it all is in memory")
      ->type_name("FOLDER")
      ->check([](const std::string& folder) { return folder.empty() ? std::string("the folder has no name") : std::string(); });
  command->add_option("--threads", options->threads, "Worker threads; 0: one per core")
      ->check(CLI::Range(0, 64))
      ->capture_default_str();
  command->add_flag("--verbose", options->verbose, "Log what is refused, and why");
  command->callback([options, &exit_code] { exit_code = run_dev(*options); });
}

}  // namespace arena::cli
