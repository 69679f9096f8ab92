#include "server/web.h"

#include <fmt/format.h>

#include <utility>

#include "server/metrics.h"
#include "server/version.h"

namespace arena::server {
namespace {

using gateway::http::Access;
using gateway::http::ExchangeRef;
using gateway::http::Router;

constexpr const char* kWelcome =
    "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">"
    "<title>Arena</title><h1>Arena {} is running</h1>"
    "<p>A real-time messaging broker. This port speaks HTTP/1.1 and HTTP/2; devices speak MQTT to the other one.</p>"
    "<ul><li><a href=\"/readyz\">/readyz</a>: is it ready?</li><li><code>POST /v1/topics/{{topic}}</code> publishes its body</li><li><a href=\"/metrics\">/metrics</a>: its counters, for Prometheus</li></ul></html>\n";

void add_health(Router& router, const WebWorld& world) {
  const auto yes = [](const ExchangeRef& exchange) { exchange->answer(gateway::http::text_response(200, "ok\n")); };
  const auto unless_failed = [failed = &world.failed](const ExchangeRef& exchange) {
    if (failed->load()) return exchange->answer(gateway::http::text_response(503, "the store has failed\n"));
    exchange->answer(gateway::http::text_response(200, "ok\n"));
  };
  // That this is answered says that the loop turns; nobody can ask before all is recovered.
  router.add({"GET", "/livez", Access::open, yes});
  router.add({"GET", "/startupz", Access::open, yes});
  router.add({"GET", "/readyz", Access::open, unless_failed});
}

bool is_look(const gateway::http::Request& request) { return request.method == "GET" || request.method == "HEAD"; }

void ask_api(const WebWorld& world, const ExchangeRef& exchange) {
  ApiRequest request;
  request.method = is_look(exchange->request) ? "GET" : exchange->request.method;
  request.path = exchange->request.path;
  request.query = exchange->request.query;
  request.body = exchange->request.body;
  request.asker = exchange->principal;
  world.api.handle(std::move(request), [exchange](ApiResponse response) {
    const bool good = response.status < 400;
    if (!good && response.body.ends_with('}')) response.body.insert(response.body.size() - 1, ",\"request_id\":\"" + exchange->id + "\"");
    exchange->answer({response.status, {{"content-type", good ? "application/json" : "application/problem+json"}}, response.body + "\n"});
  });
}

}  // namespace

void add_web_routes(Router& router, const WebWorld& world) {
  for (const char* path : {"/v1/streams", "/v1/streams/*", "/v1/retained", "/v1/clients", "/v1/clients/*", "/v1/sessions", "/v1/sessions/*", "/v1/subscriptions"}) {
    router.add({"*", path, Access::identified, [world](const ExchangeRef& exchange) { ask_api(world, exchange); }});
  }
  add_health(router, world);
  router.add({"GET", "/", Access::open, [](const ExchangeRef& exchange) {
                exchange->answer({200, {{"content-type", "text/html; charset=utf-8"}}, fmt::format(kWelcome, kVersion)});
              }});
  // What it tells is what $SYS tells, to those who may read that.
  router.add({"GET", "/metrics", Access::identified, [world, started_ms = world.loop.now_ms()](const ExchangeRef& exchange) {
                const access::Coverage coverage = world.shard.policy().covers({exchange->principal, {}}, "$SYS/broker/#");
                if (coverage != access::Coverage::all) {
                  return exchange->answer(problem(*exchange, 403, "denied", "the metrics are for those who may subscribe to $SYS/broker/#"));
                }
                exchange->answer({200, {{"content-type", kMetricsType}},
                                  metrics_text({world.cores, world.output, world.shard.streams().all().size(), world.loop.now_ms() - started_ms})});
              }});
}

}  // namespace arena::server
