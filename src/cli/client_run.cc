#include "cli/client_run.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include <charconv>
#include <cstdio>
#include <utility>

#include "cli/commands.h"
#include "cli/server_address.h"
#include "net/tcp.h"
#include "net/tls/connect.h"
#include "net/websocket/connect.h"
#include "server/seed.h"

namespace arena::cli {

namespace {
constexpr int64_t kTurnMs = 1000;
}  // namespace

void add_target_flags(CLI::App& command, Target& target) {
  command.set_help_flag("--help", "Print this help and exit");
  command.add_option("-h,--host", target.host, "The server's name or address, or ws://HOST:PORT/PATH or wss:// for MQTT over WebSocket")->capture_default_str();
  command.add_option("-p,--port", target.port, "Its MQTT port (default: 1883, with TLS 8883)");
  command.add_option("-u,--user", target.user, "User name");
  command.add_option("-P,--password", target.password, "Password; others on this machine cannot see the variable's")
      ->envname("ARENA_PASSWORD");
  command.add_option("-i,--id", target.client_id, "Client id (default: the server gives one)");
  add_version_flag(command, target.version);
  add_tls_flags(command, target.tls);
  command.add_option("--keep-alive", target.keep_alive_s, "Seconds between signs of life; 0: none")
      ->capture_default_str();
}

void add_version_flag(CLI::App& command, std::string& version) {
  command.add_option("--mqtt-version", version, "3.1.1 (or 4, its protocol level) or 5")
      ->check(CLI::IsMember({"3.1.1", "4", "5"}).description(""))
      ->type_name("3.1.1|4|5")
      ->capture_default_str();
}

mqtt::Version version_of(std::string_view version) {
  return version == "5" ? mqtt::Version::v5 : mqtt::Version::v3_1_1;
}

client::ClientOptions client_options(const Target& target) {
  client::ClientOptions options;
  options.version = version_of(target.version);
  options.client_id = target.client_id;
  options.user_name = target.user;
  options.password = target.password;
  options.keep_alive_s = target.keep_alive_s;
  // A password alone is for MQTT 5.
  if (options.password && !options.user_name && options.version != mqtt::Version::v5) options.user_name = "";
  return options;
}

Result<int64_t> parse_duration_ms(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
  const double factor = unit == "ms"                 ? 1
                        : unit.empty() || unit == "s" ? 1000
                        : unit == "m"                ? 60'000
                        : unit == "h"                ? 3'600'000
                                                     : 0;
  if (error != std::errc() || factor == 0 || !(value >= 0) || value * factor > 1e15) {
    return fail_with(fmt::format("\"{}\" is not a duration such as 500ms, 5s, 2m or 1h", text));
  }
  return static_cast<int64_t>(value * factor);
}

ClientRun::ClientRun(const Target& target, client::ClientOptions options)
    : target_(target),
      runtime_(1, server::process_seed(), {.lag_threshold_ms = 0}),
      tls_(loop(), net::TicketSeed{}),
      websocket_(loop()),
      client_(loop(), std::move(options), session_, *this),
      timeout_(&ClientRun::on_timeout, this) {}

ClientRun::~ClientRun() = default;

int ClientRun::run(int64_t timeout_ms) {
  if (timeout_ms > 0) loop().arm(timeout_, timeout_ms);
  connect();
  while (!closed_) {
    loop().turn(kTurnMs);
    std::fflush(stdout);  // what has come is seen at once, and survives an interrupt
  }
  return exit_code_.value_or(kFailed);
}

void ClientRun::connect() {
  const auto address = server_address_of(target_.host);
  if (!address) return finish(complain(kUsage, address.error().reason, "-h takes a name, an address, or ws://HOST:PORT/PATH"));
  target_.host = address->host;
  target_.tls.tls = target_.tls.tls || address->tls;
  if (target_.port == 0) target_.port = address->port;
  target_.port = mqtt_port(target_.port, target_.tls);
  const bool over_websocket = !address->websocket_path.empty();
  auto context = load_tls_client(target_.tls, over_websocket ? "http/1.1" : "mqtt");
  if (!context) return finish(complain(kUsage, context.error().reason, "docs/tls.md tells what the flags take"));
  const auto done = [this, path = address->websocket_path](auto stream) {
    if (!path.empty()) return upgrade(std::move(stream), path);
    on_connected(std::move(stream));
  };
  if (*context == nullptr) return net::connect_tcp(loop(), target_.host, target_.port, done);
  net::connect_tls(loop(), tls_, std::move(*context), target_.tls.server_name, target_.host, target_.port, {}, done);
}

void ClientRun::upgrade(Result<std::unique_ptr<net::Stream>> stream, const std::string& path) {
  if (!stream) return on_connected(std::move(stream));
  net::WebSocketRequest request{.host = fmt::format("{}:{}", target_.host, target_.port), .path = path, .subprotocol = "mqtt"};
  net::connect_websocket(loop(), websocket_, std::move(*stream), std::move(request), [this](auto upgraded) { on_connected(std::move(upgraded)); });
}

std::string ClientRun::hint() const {
  if (target_.tls.wanted()) return "is that a TLS port? The authority of a server of your own: --cafile FILE";
  if (target_.host == "127.0.0.1" && target_.port == 1883) return "start a server with: arena dev";
  return fmt::format("is an MQTT server there? For one here: arena dev --mqtt {}", target_.port);
}

void ClientRun::on_connected(Result<std::unique_ptr<net::Stream>> stream) {
  if (closed_) return;
  if (stream) return client_.start(std::move(*stream));
  finish(complain(kFailed, stream.error().reason, hint()));
}

void ClientRun::finish(int exit_code) {
  if (!exit_code_) exit_code_ = exit_code;
  if (client_.open()) {
    client_.disconnect();
  } else {
    closed_ = true;
  }
}

void ClientRun::on_connack(const mqtt::Connack& connack) {
  if (!is_error(connack.reason)) on_ready();
}

void ClientRun::on_closed(const client::Ending& ending) {
  closed_ = true;
  if (exit_code_) return;
  using Kind = client::Ending::Kind;
  if (ending.kind == Kind::refused) {
    exit_code_ = complain_of_refusal(ending);
  } else if (ending.kind == Kind::told) {
    exit_code_ = complain(exit_code_of(ending.reason), fmt::format("the server ended the connection: {}", ending.text));
  } else if (ending.kind == Kind::protocol_error) {
    exit_code_ = complain(kFailed, fmt::format("the server broke the protocol: {}", ending.text),
                          fmt::format("is {}:{} an MQTT port?", target_.host, target_.port));
  } else {
    exit_code_ = complain(kFailed, ending.text);
  }
}

int ClientRun::complain_of_refusal(const client::Ending& ending) {
  const int exit_code = exit_code_of(ending.reason);
  std::string next;
  if (exit_code == kRefused) {
    next = target_.user ? "check the user name and password" : "give a user: -u NAME and ARENA_PASSWORD in the environment";
  } else if (ending.reason == mqtt::Reason::unsupported_protocol_version) {
    next = target_.version == "5" ? "try --mqtt-version 3.1.1" : "try --mqtt-version 5";
  }
  return complain(exit_code, fmt::format("the server refused the connection: {}", ending.text), next);
}

int exit_code_of(mqtt::Reason reason) {
  using mqtt::Reason;
  switch (reason) {
    case Reason::bad_user_name_or_password:
    case Reason::not_authorized:
    case Reason::banned:
    case Reason::bad_authentication_method:
      return kRefused;
    default:
      return kFailed;
  }
}

void ClientRun::on_timeout(void* self) {
  auto& run = *static_cast<ClientRun*>(self);
  if (!run.finished()) complain(kTimedOut, "timed out");
  run.finish(kTimedOut);
  run.closed_ = true;
}

}  // namespace arena::cli
