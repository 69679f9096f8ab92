#include "server/api/api.h"

#include <fmt/format.h>

#include <charconv>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "server/api/stream_routes.h"

namespace arena::server {
namespace {

using Handler = void (*)(broker::Shard&, ApiCall);

struct Route {
  std::string_view method;
  std::string_view path;  // "{name}" is any one level
  Handler handler;        // null: the checkpoint, which is the Api's own
};

constexpr Route kRoutes[] = {
    {"GET", "/v1/streams", list_streams},
    {"POST", "/v1/streams", create_stream},
    {"GET", "/v1/streams/{name}", show_stream},
    {"PATCH", "/v1/streams/{name}", edit_stream},
    {"DELETE", "/v1/streams/{name}", remove_stream},
    {"POST", "/v1/streams/{name}/purge", purge_stream},
    {"GET", "/v1/streams/{name}/messages", list_messages},
    {"POST", "/v1/store/checkpoints", nullptr},
};

std::string_view title_of(int status) {
  switch (status) {
    case 400: return "Bad request";
    case 404: return "Not found";
    case 405: return "Method not allowed";
    case 409: return "Conflict";
    case 422: return "Not acceptable as it is";
    case 503: return "Not now";
    case 504: return "No answer in time";
    default: return "Error";
  }
}

// nullopt: a '%' that two hexadecimal digits do not follow.
std::optional<std::string> decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out.push_back(text[i]);
      continue;
    }
    unsigned byte = 0;
    const std::string_view digits = text.substr(i + 1, 2);
    const auto [end, fault] = std::from_chars(digits.data(), digits.data() + digits.size(), byte, 16);
    if (digits.size() != 2 || fault != std::errc{} || end != digits.data() + 2) return std::nullopt;
    out.push_back(static_cast<char>(byte));
    i += 2;
  }
  return out;
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
    if (wanted == "{name}") {
      auto text = decoded(level);
      if (!text) return false;
      name = std::move(*text);
    } else if (level != wanted) {
      return false;
    }
  }
  return path.empty() && pattern.empty();
}

bool read_query(std::string_view text, std::vector<std::pair<std::string, std::string>>& out) {
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('&'), text.size());
    const std::string_view one = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    const std::size_t equals = std::min(one.find('='), one.size());
    auto name = decoded(one.substr(0, equals));
    auto value = decoded(one.substr(std::min(equals + 1, one.size())));
    if (!name || !value) return false;
    out.emplace_back(std::move(*name), std::move(*value));
  }
  return true;
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

void Api::handle(ApiRequest request, ApiDone done) {
  ApiCall call;
  bool path_is_known = false;
  for (const Route& route : kRoutes) {
    if (!leads_to(request.path, route.path, call.name)) continue;
    path_is_known = true;
    if (route.method != request.method) continue;
    if (!read_query(request.query, call.query)) return done(problem(400, "bad_query", "the query has a % that no two hexadecimal digits follow"));
    call.body = std::move(request.body);
    call.may_read = std::move(request.may_read);
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
