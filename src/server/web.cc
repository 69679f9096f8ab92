#include "server/web.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>

#include "gateway/http/door.h"
#include "gateway/http/latest.h"
#include "gateway/http/publish.h"
#include "gateway/http/tickets.h"
#include "server/api/operations.h"
#include "server/metrics.h"
#include "server/pages.h"
#include "server/version.h"

namespace arena::server {
namespace {

using gateway::http::Access;
using gateway::http::ExchangeRef;
using gateway::http::Router;

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

// The same request with `next`, "after=…", in the place of what it said itself.
std::string next_link(const gateway::http::Request& request, const std::string& next) {
  const std::string name = next.substr(0, next.find('=') + 1);
  std::string query;
  for (std::string_view rest = request.query; !rest.empty();) {
    const std::size_t end = std::min(rest.find('&'), rest.size());
    const std::string_view one = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (!one.starts_with(name)) query += std::string(one) + "&";
  }
  std::string target = request.path + "?" + query + next;
  for (std::size_t at; (at = target.find_first_of("<>\"")) != std::string::npos;) target.replace(at, 1, target[at] == '<' ? "%3C" : target[at] == '>' ? "%3E" : "%22");
  return "<" + target + ">; rel=\"next\"";
}

void ask_api_now(const WebWorld& world, const ExchangeRef& exchange) {
  ApiRequest request;
  request.method = is_look(exchange->request) ? "GET" : exchange->request.method;
  request.path = exchange->request.path;
  request.query = exchange->request.query;
  request.body = exchange->request.body;
  request.asker = exchange->principal;
  world.api.handle(std::move(request), [exchange](ApiResponse response) {
    const bool good = response.status < 400;
    if (!good && response.body.ends_with('}')) response.body.insert(response.body.size() - 1, ",\"request_id\":\"" + exchange->id + "\"");
    gateway::http::Response out{response.status, {{"content-type", good ? "application/json" : "application/problem+json"}}, response.body + "\n"};
    if (!response.next.empty()) out.fields.emplace_back("link", next_link(exchange->request, response.next));
    exchange->answer(std::move(out));
  });
}

// Pages are long; what changes something is done at once.
void ask_api(const WebWorld& world, const ExchangeRef& exchange) {
  if (!is_look(exchange->request)) return ask_api_now(world, exchange);
  gateway::http::Exchange::when_room(exchange, [world, exchange] { ask_api_now(world, exchange); });
}

// What is only ever asked by the operator of this machine has no path here.
void add_api(Router& router, const WebWorld& world) {
  for (const ApiPath& one : Api::paths()) {
    if (one.local) continue;
    router.add({std::string(one.method), std::string(one.path), Access::identified, [world](const ExchangeRef& exchange) { ask_api(world, exchange); }});
  }
}

void answer_page(const ExchangeRef& exchange, std::string type, std::string text) {
  exchange->answer({200, {{"content-type", std::move(type)}, {"content-security-policy", "default-src 'none'; style-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"}},
                    std::move(text)});
}

void add_pages(Router& router) {
  router.add({"GET", "/", Access::open, [](const ExchangeRef& exchange) { answer_page(exchange, "text/html; charset=utf-8", welcome_page(kVersion)); }});
  router.add({"GET", "/docs", Access::open, [](const ExchangeRef& exchange) { answer_page(exchange, "text/html; charset=utf-8", docs_page(kVersion)); }});
  router.add({"GET", "/style.css", Access::open, [](const ExchangeRef& exchange) { answer_page(exchange, "text/css; charset=utf-8", std::string(page_style())); }});
  router.add({"GET", "/openapi.json", Access::open, [](const ExchangeRef& exchange) { exchange->answer(gateway::http::json_response(200, openapi_json(kVersion))); }});
}

// What it tells is what $SYS tells, to those who may read that.
void add_metrics(Router& router, const WebWorld& world) {
  router.add({"GET", "/metrics", Access::identified, [world, started_ms = world.loop.now_ms()](const ExchangeRef& exchange) {
                const access::Coverage coverage = world.shard.policy().covers({exchange->principal, {}}, "$SYS/broker/#");
                if (coverage != access::Coverage::all) {
                  return exchange->answer(problem(*exchange, 403, "denied", "the metrics are for those who may subscribe to $SYS/broker/#"));
                }
                exchange->answer({200, {{"content-type", kMetricsType}},
                                  metrics_text({world.cores, world.output, world.shard.streams().all().size(), world.loop.now_ms() - started_ms})});
              }});
}

void add_info(Router& router, const WebWorld& world) {
  router.add({"GET", "/v1/info", Access::identified, [world, started_ms = world.loop.now_ms()](const ExchangeRef& exchange) {
                const bool on_disk = world.shard.options_level() == broker::Level::disk;
                exchange->answer(gateway::http::json_response(
                    200, fmt::format("{{\"version\":\"{}\",\"uptime_s\":{},\"level\":\"{}\",\"threads\":{}}}", kVersion, (world.loop.now_ms() - started_ms) / 1000,
                                     on_disk ? "disk" : "memory", world.shard.cores())));
              }});
}

}  // namespace

void add_web_routes(gateway::http::Door& door, const WebWorld& world) {
  add_latest_routes(door, world.publishers);
  add_topic_routes(door, world.publishers);
  add_event_routes(door, world.events);
  add_request_routes(door, world.requests);
  add_ticket_routes(door, world.shard, world.tickets);
  add_api(door.router(), world);
  add_health(door.router(), world);
  add_info(door.router(), world);
  add_metrics(door.router(), world);
  add_pages(door.router());
}

}  // namespace arena::server
