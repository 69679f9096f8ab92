// What -h says: a name or an address, or the URL of MQTT over WebSocket.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace arena::cli {

struct ServerAddress {
  std::string host;
  uint16_t port = 0;           // 0: it says none
  bool tls = false;            // it says so
  std::string websocket_path;  // empty: MQTT by itself
};

// "arena.example", "10.0.0.1", "ws://arena.example:8080/mqtt", "wss://[::1]". A URL without a path means /mqtt, without a port
// 80 or 443.
Result<ServerAddress> server_address_of(std::string_view text);

}  // namespace arena::cli
