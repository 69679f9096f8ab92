// Running a server until it is told to stop: signals, reload, drain.
#pragma once

#include <functional>

#include "server/server.h"

namespace arena::cli {

// Signals must have been blocked with block_server_signals() before any thread was started.
void block_server_signals();

// Logs what an acknowledgement means with these settings.
void say_what_is_kept(const server::Settings& settings);

// Starts the server, calls `ready`, and waits. SIGHUP calls `reload`, which gives new settings or null when the old
// ones stay. SIGTERM and SIGINT drain; 0. An exit code for main().
int run_server(server::Settings settings, const std::function<void(const server::Server&)>& ready,
               const std::function<std::unique_ptr<server::LiveSettings>()>& reload);

}  // namespace arena::cli
