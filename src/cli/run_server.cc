#include "cli/run_server.h"

#include <signal.h>

#include <cstdio>
#include <utility>

#include "base/log.h"
#include "runtime/main_thread.h"

namespace arena::cli {
namespace {
constexpr int64_t kDrainMs = 4000;  // of the 5 s that a supervisor is promised
}  // namespace

void block_server_signals() {
  signal(SIGPIPE, SIG_IGN);
  runtime::block_signals({SIGTERM, SIGINT, SIGHUP});
}

void say_what_is_kept(const server::Settings& settings) {
  if (settings.store_path.empty()) {
    log::warn("server", "nothing is kept on disk: an acknowledgement says that this process has the message, and all ends with it");
  } else {
    log::info("server", "an acknowledgement of what is to be kept says that it is synced to disk", {{"data", settings.store_path}});
  }
}

int run_server(server::Settings settings, const std::function<void(const server::Server&)>& ready,
               const std::function<std::unique_ptr<server::LiveSettings>()>& reload) {
  runtime::raise_file_limit();
  server::Server server(std::move(settings));
  if (Status status = server.start(); !status) {
    log::flush();
    std::fprintf(stderr, "arena: cannot start: %s\n", status.error().reason.c_str());
    return 1;
  }
  ready(server);
  while (!server.failed()) {
    const int signal = runtime::wait_signal_or_input({SIGTERM, SIGINT, SIGHUP}, server.admin_descriptor(), 500);
    server.serve_admin();
    if (signal == 0) continue;
    if (signal != SIGHUP) {
      log::info("server", "stopping", {{"signal", signal}});
      server.drain(kDrainMs);
      log::flush();
      return 0;
    }
    if (const auto live = reload()) server.reload(*live);
  }
  log::error("server", "the store failed: ending, so that a supervisor can decide");
  log::flush();
  return 1;
}

}  // namespace arena::cli
