#include "gateway/http/router.h"

#include <algorithm>

namespace arena::gateway::http {
namespace {

// Does `path` fit `pattern`? `target`: what stands for its braces, decoded.
bool fits(std::string_view path, std::string_view pattern, std::string& target) {
  if (pattern.ends_with('*')) return path.starts_with(pattern.substr(0, pattern.size() - 1));
  const std::size_t open = pattern.find('{');
  if (open == std::string_view::npos) return path == pattern;
  const std::string_view before = pattern.substr(0, open);
  const std::string_view behind = pattern.substr(pattern.find('}') + 1);
  if (path.size() <= before.size() + behind.size() || !path.starts_with(before) || !path.ends_with(behind)) return false;
  return arena::http::percent_decode(path.substr(before.size(), path.size() - before.size() - behind.size()), target);
}

bool takes(const Route& route, std::string_view method) {
  return route.method == "*" || route.method == method || (route.method == "GET" && method == "HEAD");
}

}  // namespace

Router::Found Router::find(const Request& request, std::string& its_target) const {
  Found found;
  std::string target;
  const std::string* pattern = nullptr;
  for (const Route& route : routes_) {
    if (pattern != nullptr && route.pattern != *pattern) continue;
    if (!fits(request.path, route.pattern, target)) continue;
    pattern = &route.pattern;
    if (takes(route, request.method)) {
      its_target = std::move(target);
      found.route = &route;
      return found;
    }
    if (found.allowed.find(route.method) == std::string::npos) found.allowed += (found.allowed.empty() ? "" : ", ") + route.method;
  }
  return found;
}

}  // namespace arena::gateway::http
