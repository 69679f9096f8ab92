// `arena server --config F`: a broker as configured.
#include <CLI/CLI.hpp>
#include <memory>
#include <string>

#include "base/log.h"
#include "cli/commands.h"
#include "cli/run_server.h"
#include "server/tls_files.h"
#include "server/wiring.h"

namespace arena::cli {
namespace {

// Reads the configuration again at SIGHUP: all of it is good, or nothing changes.
class Reloader {
 public:
  Reloader(std::optional<std::string> path, server::Config config) : path_(std::move(path)), config_(std::move(config)) {}

  std::unique_ptr<server::LiveSettings> operator()() {
    auto loaded = server::load_config(path_, server::process_environment());
    if (!loaded) {
      for (const server::ConfigError& error : loaded.error()) log::error("config", "reload refused", {{"reason", error.text()}});
      return nullptr;
    }
    auto live = server::live_settings_of(loaded->config, ++epoch_);
    if (!live) {
      log::error("config", "reload refused", {{"reason", live.error().reason}});
      return nullptr;
    }
    auto tls = server::load_tls(*loaded);
    if (!tls) {
      log::error("config", "reload refused", {{"reason", tls.error().text()}});
      return nullptr;
    }
    live->tls = std::move(tls.value());
    report(loaded->config);
    config_ = std::move(loaded->config);
    return std::make_unique<server::LiveSettings>(std::move(live.value()));
  }

 private:
  void report(const server::Config& config) const {
    for (const server::Difference& change : server::differences(config_, config)) {
      log::info("config", change.needs_restart ? "changed, needs a restart" : "changed",
                {{"key", change.key}, {"before", change.before}, {"after", change.after}});
    }
    log::info("config", "reloaded");
  }

  std::optional<std::string> path_;
  server::Config config_;
  uint32_t epoch_ = 1;
};

void announce(const server::Server& server) {
  const auto tell = [](const server::Endpoint& endpoint, const char* protocol) {
    log::info("server", "listening", {{"protocol", protocol}, {"address", endpoint.address}, {"port", unsigned{endpoint.port}}});
  };
  for (const server::Endpoint& endpoint : server.endpoints()) tell(endpoint, endpoint.tls ? "mqtts" : "mqtt");
  for (const server::Endpoint& endpoint : server.http_endpoints()) tell(endpoint, endpoint.tls ? "https" : "http");
  log::info("server", "ready");
}

void warn_about_anonymous(const server::Settings& settings) {
  if (settings.live.auth->allow_anonymous.value_or(false)) {
    log::warn("server", "anonymous clients are let in from anywhere: auth.allow_anonymous is true");
  } else if (settings.live.auth->users.empty() && settings.live.auth->allow_anonymous) {
    log::warn("server", "nobody is let in: the users file has no user, and auth.allow_anonymous is not true");
  } else if (settings.live.auth->users.empty()) {
    log::warn("server", "anonymous clients are let in from loopback: there is no users file");
  }
}

int run_configured(const std::optional<std::string>& path) {
  auto loaded = server::load_config(path, server::process_environment());
  if (!loaded) {
    for (const server::ConfigError& error : loaded.error()) say(error.text());
    return complain(kUsage, "the configuration is wrong", "arena config check");
  }
  auto settings = server::settings_of(loaded->config);
  if (!settings) return complain(kUsage, settings.error().reason, "arena config check");
  auto tls = server::load_tls(*loaded);
  if (!tls) return complain(kUsage, tls.error().text(), "arena config check");
  settings->live.tls = std::move(tls.value());
  block_server_signals();
  log::configure(server::log_level_of(loaded->config), server::log_format_of(loaded->config));
  warn_about_anonymous(settings.value());
  say_what_is_kept(settings.value());
  auto reloader = std::make_shared<Reloader>(path, loaded->config);
  return run_server(std::move(settings.value()), announce, [reloader] { return (*reloader)(); });
}

}  // namespace

void add_server_command(CLI::App& app, int& exit_code) {
  auto path = std::make_shared<std::string>();
  CLI::App* command = app.add_subcommand("server", "Run a broker as configured");
  command->add_option("-c,--config", *path, "Configuration file; without it, defaults and the environment")
      ->type_name("FILE");
  command->callback([path, &exit_code] {
    exit_code = run_configured(path->empty() ? std::nullopt : std::optional<std::string>(*path));
  });
}

}  // namespace arena::cli
