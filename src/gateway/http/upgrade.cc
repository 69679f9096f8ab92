#include "gateway/http/upgrade.h"

#include <optional>
#include <utility>

#include "codec/websocket/handshake.h"
#include "gateway/http/credentials.h"

namespace arena::gateway::http {
namespace ws = arena::websocket;

namespace {

bool has(const Request& request, std::string_view name, std::string_view token) {
  const std::string* field = request.field(name);
  return field != nullptr && ws::has_token(*field, token);
}

std::string_view text_of(const Request& request, std::string_view name) {
  const std::string* field = request.field(name);
  return field == nullptr ? std::string_view() : std::string_view(*field);
}

// The reason against it, as an answer.
std::optional<Response> refusal_of(const Exchange& exchange) {
  const Request& request = exchange.request;
  if (!has(request, "upgrade", "websocket") || !has(request, "connection", "upgrade") || !exchange.can_upgrade()) {
    Response response = problem(exchange, 426, "upgrade_required", "this path is for WebSocket", "upgrade:");
    response.fields.insert(response.fields.end(), {{"upgrade", "websocket"}});
    return response;
  }
  if (text_of(request, "sec-websocket-version") != ws::kVersion) {
    Response response = problem(exchange, 426, "bad_version", "version 13 of WebSocket is spoken here", "sec-websocket-version:");
    response.fields.insert(response.fields.end(), {{"upgrade", "websocket"}, {"sec-websocket-version", std::string(ws::kVersion)}});
    return response;
  }
  if (!ws::is_key(text_of(request, "sec-websocket-key"))) {
    return problem(exchange, 400, "bad_key", "Sec-WebSocket-Key is 16 bytes in base64", "sec-websocket-key:");
  }
  return std::nullopt;
}

}  // namespace

void answer_upgrade(const ExchangeRef& exchange, const WebSocketOffer& offer, OnWebSocket take) {
  if (std::optional<Response> refusal = refusal_of(*exchange)) return exchange->answer(std::move(*refusal));
  const Request& request = exchange->request;
  WebSocketAgreement agreed;
  std::string extensions;
  // A client may spread its lists over several fields.
  for (const auto& [name, value] : request.fields) {
    if (name == "sec-websocket-protocol" && agreed.subprotocol.empty()) agreed.subprotocol = ws::choose_subprotocol(value, offer.subprotocols);
    if (name == "sec-websocket-extensions" && offer.compress && !agreed.deflate) agreed.deflate = ws::agree_to_deflate(value, extensions);
  }
  if (agreed.subprotocol.empty() && !offer.subprotocols.empty()) {
    return exchange->answer(problem(*exchange, 400, "no_subprotocol",
                                    "Sec-WebSocket-Protocol has to offer \"" + std::string(offer.subprotocols.front()) + "\"", "sec-websocket-protocol:"));
  }
  agreed.trust_loopback = is_local_host(text_of(request, "host"));
  Response head{101, {{"upgrade", "websocket"}, {"connection", "upgrade"}, {"sec-websocket-accept", ws::accept_key(text_of(request, "sec-websocket-key"))}}, {}};
  if (agreed.deflate) head.fields.emplace_back("sec-websocket-extensions", extensions);
  if (!agreed.subprotocol.empty()) head.fields.emplace_back("sec-websocket-protocol", std::string(agreed.subprotocol));
  exchange->upgrade(std::move(head), [agreed, take = std::move(take)](Upgraded upgraded) { take(std::move(upgraded), agreed); });
}

}  // namespace arena::gateway::http
