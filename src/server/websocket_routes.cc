#include "server/websocket_routes.h"

#include <array>
#include <memory>
#include <utility>

#include "gateway/http/upgrade.h"
#include "net/websocket/stream.h"

namespace arena::server {

using gateway::http::Access;
using gateway::http::ExchangeRef;
using gateway::http::Upgraded;
using gateway::http::WebSocketAgreement;

namespace {

constexpr std::array<std::string_view, 2> kMqttSubprotocols = {"mqtt", "mqttv3.1"};

void take_mqtt(const WebSocketWorld& world, Upgraded upgraded, const WebSocketAgreement& agreed) {
  net::WebSocketStream::Handshake handshake;
  handshake.early = std::move(upgraded.early);
  handshake.trust_loopback = agreed.trust_loopback;
  world.mqtt.accept(std::make_unique<net::WebSocketStream>(world.core, world.limits, std::move(upgraded.stream), std::move(handshake)),
                    std::move(upgraded.seat));
}

}  // namespace

// Who it is, its CONNECT says: HTTP asks nobody, and compresses nothing for who is not known.
void add_websocket_routes(const WebSocketWorld& world, const std::string& mqtt_path) {
  if (mqtt_path.empty()) return;
  world.http.router().add({"GET", mqtt_path, Access::page, [world](const ExchangeRef& exchange) {
                             gateway::http::answer_upgrade(exchange, {.subprotocols = kMqttSubprotocols},
                                                           [world](Upgraded upgraded, const WebSocketAgreement& agreed) { take_mqtt(world, std::move(upgraded), agreed); });
                           }});
}

void add_debug_routes(gateway::http::Router& router, gateway::http::Echoes& echoes) {
  router.add({"GET", "/debug/echo", Access::identified, [&echoes](const ExchangeRef& exchange) { echoes.answer(exchange); }});
  for (const char* method : {"GET", "POST"}) {
    router.add({method, "/debug/ok", Access::open, [](const ExchangeRef& exchange) {
                  exchange->answer(gateway::http::text_response(200, "This is an answer with a body, and whatever was sent with the request is forgotten.\n"));
                }});
  }
}

}  // namespace arena::server
