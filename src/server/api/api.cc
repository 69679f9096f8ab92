#include "server/api/api.h"

#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "codec/http/message.h"
#include "server/api/client_routes.h"
#include "server/api/retained_routes.h"
#include "server/api/stream_routes.h"

namespace arena::server {
namespace {

using Handler = void (*)(broker::Shard&, ApiCall);

// What one must be allowed to ask. By the one function that permits, as everything: the topics that stand for it below
// $arena are granted by no wildcard.
enum class Right : uint8_t {
  none,            // what is shown depends on the topics that one may read
  see_streams,
  change_streams,
  see_clients,
  change_clients,
  local,           // the operator of this machine alone
};

struct Route {
  std::string_view method;
  std::string_view path;  // "{name}" or "{id}" is any one level
  Right right;
  Handler handler;        // null: the checkpoint, which is the Api's own
};

// The first that fits: longer ones before those that they contain.
constexpr Route kRoutes[] = {
    {"GET", "/v1/streams", Right::see_streams, list_streams},
    {"POST", "/v1/streams", Right::change_streams, create_stream},
    {"POST", "/v1/streams/{name}/purge", Right::change_streams, purge_stream},
    {"GET", "/v1/streams/{name}/messages", Right::none, list_messages},
    {"GET", "/v1/streams/{name}", Right::see_streams, show_stream},
    {"PATCH", "/v1/streams/{name}", Right::change_streams, edit_stream},
    {"DELETE", "/v1/streams/{name}", Right::change_streams, remove_stream},
    {"GET", "/v1/retained", Right::none, list_retained},
    {"GET", "/v1/clients", Right::see_clients, list_clients},
    {"GET", "/v1/clients/{id}", Right::see_clients, show_client},
    {"DELETE", "/v1/clients/{id}", Right::change_clients, kick_client},
    {"GET", "/v1/sessions", Right::see_clients, list_sessions},
    {"GET", "/v1/sessions/{id}", Right::see_clients, show_session},
    {"DELETE", "/v1/sessions/{id}", Right::change_clients, end_session},
    {"GET", "/v1/subscriptions", Right::see_clients, list_subscriptions},
    {"POST", "/v1/store/checkpoints", Right::local, nullptr},
};

struct Grant {
  access::Action action;
  std::string_view topic;
  std::string_view refusal;
};

// Null: nothing is needed.
const Grant* grant_for(Right right) {
  static constexpr Grant kSeeStreams{access::Action::subscribe, "$SYS/broker/streams/count", "to see streams one may subscribe to $SYS/broker/streams/count"};
  static constexpr Grant kChangeStreams{access::Action::publish, "$arena/streams", "to change streams one may publish to $arena/streams"};
  static constexpr Grant kSeeClients{access::Action::subscribe, "$arena/clients", "to see clients one may subscribe to $arena/clients"};
  static constexpr Grant kChangeClients{access::Action::publish, "$arena/clients", "to disconnect clients one may publish to $arena/clients"};
  switch (right) {
    case Right::see_clients: return &kSeeClients;
    case Right::change_clients: return &kChangeClients;
    case Right::see_streams: return &kSeeStreams;
    case Right::change_streams: return &kChangeStreams;
    case Right::none:
    case Right::local: break;
  }
  return nullptr;
}

std::optional<ApiResponse> refusal(const access::Policy& policy, const std::optional<Principal>& asker, Right right) {
  if (!asker) return std::nullopt;
  if (right == Right::local) return problem(403, "denied", "only commands on the broker's own machine may ask for this");
  const Grant* grant = grant_for(right);
  if (grant == nullptr || policy.decide({*asker, {}}, grant->action, grant->topic)) return std::nullopt;
  return problem(403, "denied", grant->refusal);
}

std::string_view title_of(int status) {
  switch (status) {
    case 400: return "Bad request";
    case 403: return "Forbidden";
    case 404: return "Not found";
    case 405: return "Method not allowed";
    case 409: return "Conflict";
    case 422: return "Not acceptable as it is";
    case 503: return "Not now";
    case 504: return "No answer in time";
    default: return "Error";
  }
}

std::string_view next_level(std::string_view& path) {
  const std::size_t slash = std::min(path.find('/'), path.size());
  const std::string_view level = path.substr(0, slash);
  path.remove_prefix(std::min(slash + 1, path.size()));
  return level;
}

bool leads_to(std::string_view path, std::string_view pattern, std::string& name) {
  while (!path.empty() && !pattern.empty()) {
    const std::string_view level = next_level(path), wanted = next_level(pattern);
    if (wanted.starts_with('{')) {
      if (!http::percent_decode(level, name)) return false;
    } else if (level != wanted) {
      return false;
    }
  }
  return path.empty() && pattern.empty();
}

}  // namespace

ApiResponse problem(int status, std::string_view code, std::string_view detail, std::string_view pointer) {
  nlohmann::ordered_json body = {{"title", title_of(status)}, {"status", status}, {"detail", detail}, {"code", code}};
  if (pointer.starts_with('?')) {
    body["parameter"] = pointer.substr(1);
  } else if (!pointer.empty()) {
    body["pointer"] = pointer;
  }
  // Whatever was asked may be quoted in it.
  return {status, body.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace)};
}

std::vector<ApiPath> Api::paths() {
  std::vector<ApiPath> out;
  for (const Route& route : kRoutes) out.push_back({route.method, route.path, route.right == Right::local});
  return out;
}

void Api::handle(ApiRequest request, ApiDone done) {
  ApiCall call;
  bool path_is_known = false;
  for (const Route& route : kRoutes) {
    if (!leads_to(request.path, route.path, call.name)) continue;
    path_is_known = true;
    if (route.method != request.method) continue;
    if (auto refused = refusal(shard_.policy(), request.asker, route.right)) return done(std::move(*refused));
    if (!http::read_query(request.query, call.query)) return done(problem(400, "bad_query", "the query has a % that no two hexadecimal digits follow"));
    if (const std::string* twice = http::find_repeated(call.query)) return done(problem(400, "bad_parameter", "\"" + *twice + "\" is said twice", "?" + *twice));
    call.body = std::move(request.body);
    call.asker = std::move(request.asker);
    call.done = std::move(done);
    return route.handler == nullptr ? make_checkpoint(std::move(call)) : route.handler(shard_, std::move(call));
  }
  if (path_is_known) return done(problem(405, "method_not_allowed", fmt::format("{} cannot be asked with {}", request.path, request.method)));
  done(problem(404, "no_such_path", fmt::format("there is nothing at {}", request.path)));
}

void Api::make_checkpoint(ApiCall call) {
  if (!checkpoint_) return call.done(problem(409, "no_store", "everything is in memory: there is no store to copy"));
  const auto made = std::make_shared<std::optional<Result<std::string>>>();
  const auto waiting = std::make_shared<ApiDone>(std::move(call.done));
  const bool taken = shard_.loop().run_blocking(
      runtime::Lane::general, [made, checkpoint = checkpoint_] { made->emplace(checkpoint()); },
      [made, waiting] {
        if (!made->value()) return (*waiting)(problem(503, "no_checkpoint", made->value().error().reason));
        (*waiting)({201, nlohmann::json({{"name", made->value().value()}}).dump()});
      });
  if (!taken) (*waiting)(problem(503, "busy", "too much else is waiting for the disk"));
}

}  // namespace arena::server
