// The client's way in: a connection, TLS where that is wanted, then the handshake of WebSocket.
#pragma once

#include <cstdint>
#include <string>

#include "net/tcp.h"
#include "net/websocket/core.h"

namespace arena::net {

struct WebSocketRequest {
  std::string host;         // as the server is called: "arena.example:8080"
  std::string path;
  std::string subprotocol;  // which the server has to take
  int64_t timeout_ms = 10'000;
  WebSocketLimitsRef limits = share_limits(WebSocketLimits{});
};

// Makes what connect_tcp or connect_tls gives a WebSocket: to be called by their `done` with the stream. This `done` is told
// once, and never from inside the call, unless the loop closes first.
void connect_websocket(runtime::EpollLoop& loop, WebSocketCore& core, std::unique_ptr<Stream> stream, WebSocketRequest request, OnConnected done);

}  // namespace arena::net
