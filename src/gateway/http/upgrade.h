// Requests that ask for a WebSocket, and how they get it.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string_view>

#include "codec/websocket/deflate.h"
#include "gateway/http/exchange.h"

namespace arena::gateway::http {

struct WebSocketOffer {
  std::span<const std::string_view> subprotocols = {};  // with some, the client has to offer one of them
  bool compress = false;                                // never for who is not known: what inflates costs more than it came with
};

struct WebSocketAgreement {
  std::string_view subprotocol;  // one of ours; empty: none was asked for
  std::optional<arena::websocket::DeflateAgreement> deflate = {};
  bool trust_loopback = false;   // the client meant this machine, as far as can be told from the name it asked for
};

using OnWebSocket = std::function<void(Upgraded, const WebSocketAgreement&)>;

// Checks the handshake (RFC 6455, section 4.2) and answers it: with the reason against it, or with 101, and then `take` has the
// connection.
void answer_upgrade(const ExchangeRef& exchange, const WebSocketOffer& offer, OnWebSocket take);

}  // namespace arena::gateway::http
