// What `pub` and `sub` have in common: flags about the server, one client on one loop, and how it ends.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "cli/tls_flags.h"
#include "client/client.h"
#include "net/tls/core.h"
#include "net/websocket/core.h"
#include "runtime/runtime.h"

namespace CLI {
class App;
}

namespace arena::cli {

struct Target {
  std::string host = "127.0.0.1";  // or a URL
  uint16_t port = 0;  // by what TLS says
  TlsFlags tls;
  std::optional<std::string> user;
  std::optional<std::string> password;
  std::string client_id;
  std::string version = "5";
  uint16_t keep_alive_s = 60;
};

// Adds -h -p -u -P -i --mqtt-version --keep-alive and those of TLS. `-h` is the host, as in mosquitto's commands; help is --help.
void add_target_flags(CLI::App& command, Target& target);
client::ClientOptions client_options(const Target& target);
// --mqtt-version: "3.1.1" or 4 (its protocol level), or 5. What else is refused by the parser.
void add_version_flag(CLI::App& command, std::string& version);
mqtt::Version version_of(std::string_view version);

// "1500ms", "5s", "2m", "1h"; a bare number is seconds.
Result<int64_t> parse_duration_ms(std::string_view text);

// One client from connecting to closing. Runs on the calling thread.
// What a command ends with when the server gave this reason.
int exit_code_of(mqtt::Reason reason);

class ClientRun : protected client::ClientHandler {
 public:
  ClientRun(const Target& target, client::ClientOptions options);
  ~ClientRun() override;

  // Returns the exit code. `timeout_ms` 0: as long as it takes.
  int run(int64_t timeout_ms);

 protected:
  virtual void on_ready() = 0;  // the server has said yes
  // Ends with this code, after a goodbye; the first code counts.
  void finish(int exit_code);
  bool finished() const { return exit_code_.has_value(); }
  client::Client& client() { return client_; }
  runtime::EpollLoop& loop() { return runtime_.loop(0); }
  // kRefused for reasons that concern credentials or permissions, else kFailed.

 private:
  void on_connack(const mqtt::Connack& connack) final;
  void on_closed(const client::Ending& ending) final;
  void on_connected(Result<std::unique_ptr<net::Stream>> stream);
  void connect();
  void upgrade(Result<std::unique_ptr<net::Stream>> stream, const std::string& path);
  std::string hint() const;
  int complain_of_refusal(const client::Ending& ending);
  static void on_timeout(void* self);

  Target target_;
  runtime::Runtime runtime_;
  net::TlsCore tls_;
  net::WebSocketCore websocket_;
  client::ClientSession session_;
  client::Client client_;
  runtime::Timer timeout_;
  std::optional<int> exit_code_;
  bool closed_ = false;
};

}  // namespace arena::cli
