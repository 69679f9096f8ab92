// For tests: a WebSocket between the ends of a simulated connection, or with one end that writes its frames by hand.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "net/sim_network.h"
#include "net/websocket/stream.h"

namespace arena::net::test {

struct Listener : StreamHandler {
  void on_data(std::string_view bytes) override {
    ++reads;
    received += bytes;
    if (data) data(bytes);
  }
  void on_writable() override { ++writable; }
  void on_closed(CloseReason reason) override { closed = reason; }
  std::string received;
  int reads = 0;
  int writable = 0;
  std::optional<CloseReason> closed;
  std::function<void(std::string_view)> data;
};

struct WebSocketPair {
  struct Options {
    SimFaults faults{};
    StreamOptions stream{};
    WebSocketLimits limits{};
    bool raw_client = false;
    std::string early = {};  // came with the handshake
  };

  explicit WebSocketPair(uint64_t seed) : WebSocketPair(seed, Options()) {}
  WebSocketPair(uint64_t seed, const Options& options)
      : world(seed), network(world, options.faults), core(world.loop(0)), other_core(world.loop(1)), client_core(world.client_loop()) {
    limits = share_limits(options.limits);
    network.listen(
        0,
        [this, early = options.early](std::unique_ptr<Stream> stream) {
          server = std::make_unique<WebSocketStream>(core, limits, std::move(stream), WebSocketStream::Handshake{.early = early});
          server->set_handler(&at_server);
        },
        options.stream);
    client = network.connect(world.client_loop(), 0, options.stream);
    if (!options.raw_client) {
      client = std::make_unique<WebSocketStream>(client_core, limits, std::move(client),
                                                 WebSocketStream::Handshake{.role = websocket::Role::client});
    }
    client->set_handler(&at_client);
  }
  bool until(const std::function<bool()>& done, int64_t within_ms = 60'000) { return world.run_until(done, within_ms); }
  uint64_t failed(WebSocketFailure why) const { return core.counters().failed[static_cast<std::size_t>(why)].get(); }

  runtime::SimWorld world;
  SimNetwork network;
  WebSocketLimitsRef limits;
  WebSocketCore core;
  WebSocketCore other_core;
  WebSocketCore client_core;
  Listener at_client;
  Listener at_server;
  std::unique_ptr<Stream> client;
  std::unique_ptr<Stream> server;
};

}  // namespace arena::net::test
