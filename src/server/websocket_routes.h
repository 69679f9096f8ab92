// What HTTP listeners take over WebSocket, on each core.
#pragma once

#include <string>

#include "gateway/http/door.h"
#include "gateway/http/echo.h"
#include "gateway/mqtt/door.h"
#include "net/websocket/core.h"

namespace arena::server {

// All of it outlives the routes.
struct WebSocketWorld {
  gateway::http::Door& http;
  gateway::mqtt::Door& mqtt;
  net::WebSocketCore& core;
  const net::WebSocketLimitsRef& limits;  // those in force when a client comes
};

// Empty: none.
void add_websocket_routes(const WebSocketWorld& world, const std::string& mqtt_path);

// For suites that test protocols.
void add_debug_routes(gateway::http::Router& router, gateway::http::Echoes& echoes);

}  // namespace arena::server
