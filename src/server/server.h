// The whole broker, wired: cores, store, broker, doors. The only place that names the engine and the gateways.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "access/authenticator.h"
#include "access/policy.h"
#include "base/result.h"
#include "broker/types.h"
#include "codec/websocket/message_reader.h"
#include "gateway/http/options.h"
#include "gateway/mqtt/options.h"
#include "net/tls/context.h"
#include "net/websocket/core.h"
#include "server/declared_stream.h"

namespace arena::server {

struct Endpoint {
  std::string address = "127.0.0.1";
  uint16_t port = 1883;      // 0: a free one
  bool tls = false;
  bool or_any_free = false;  // when that one is taken
};

// What may change while the server runs.
struct LiveSettings {
  std::shared_ptr<const access::Policy> policy;
  std::shared_ptr<const access::AuthSettings> auth;
  std::shared_ptr<const gateway::mqtt::Options> mqtt;
  std::shared_ptr<const net::TlsServerContext> tls;  // null: no endpoint has TLS
  std::shared_ptr<const gateway::http::Options> http = std::make_shared<const gateway::http::Options>();
  net::WebSocketLimitsRef websocket = net::share_limits(net::WebSocketLimits{});
};

struct Settings {
  unsigned threads = 0;  // 0: one per core of the machine
  std::vector<Endpoint> mqtt_endpoints{Endpoint{}};
  std::vector<Endpoint> http_endpoints;
  std::string mqtt_websocket_path = "/mqtt";               // of those; empty: none
  std::optional<websocket::MessageLimits> echo;            // of those: /debug, with an echo of these limits
  std::size_t output_bytes_per_connection_max = 1 << 20;  // above: the session holds back
  std::size_t password_queue_max = 1024;
  std::size_t output_bytes_max = 256 << 20;                // of all connections
  broker::Options broker;
  std::string store_path;                                  // empty: in memory, and gone with the process
  uint64_t store_reserve_bytes = 256 << 20;
  int64_t tls_session_s = 8 * 3600;                        // 0: no session is resumed
  int64_t sys_interval_ms = 10'000;
  std::vector<DeclaredStream> streams;                     // made, or given these limits, before anybody is let in
  LiveSettings live;
};

// Used from the main thread.
class Server {
 public:
  explicit Server(Settings settings);
  ~Server();

  // Recovers what is stored, then listens. On an error nothing runs.
  Status start();
  // Where it listens, in the order of the settings, with real port numbers.
  std::vector<Endpoint> endpoints() const;       // of MQTT
  std::vector<Endpoint> http_endpoints() const;
  // All or nothing has been decided by whoever made `live`; every core has taken it when this returns. Who would not
  // be let in any more is disconnected.
  void reload(LiveSettings live);
  // Says goodbye to every client, stores what is dirty, stops. Takes at most about `within_ms`.
  void drain(int64_t within_ms);
  // Answers commands that ask this process by its store's folder (admin_socket.h). To be called now and then, and when
  // admin_descriptor() (-1: there is none) can be read.
  void serve_admin();
  int admin_descriptor() const;
  // True once the store has failed: the process should end with an error.
  bool failed() const;

 private:
  struct Core;
  struct State;

  Status open_store();
  void make_core(unsigned core);
  void unmake_core(unsigned core);
  Status recover();
  Status declare_streams();
  Status probe_ports();
  Status listen();

  std::unique_ptr<State> state_;
};

}  // namespace arena::server
