// Which path leads where. server/ fills it, each core has its own.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/http/exchange.h"

namespace arena::gateway::http {

using Handler = std::function<void(const ExchangeRef&)>;

enum class Access : uint8_t {
  open,        // whoever asks: health, the welcome
  page,        // the same, but a web page only if it is allowed to
  identified,  // its principal is known when the handler is called, and a web page may ask only if it is allowed to
  ticketed,    // the same, and ?ticket= may say who it is
};

struct Route {
  std::string method;   // "GET" stands for HEAD, too; "*": any
  std::string pattern;  // "/v1/topics/{topic}/latest": {topic} is all between, slashes included; "/v1/*": all below
  Access access = Access::identified;
  Handler handler;
};

class Router {
 public:
  void add(Route route) { routes_.push_back(std::move(route)); }

  const std::vector<Route>& routes() const { return routes_; }

  struct Found {
    const Route* route = nullptr;  // null: no path, or not with this method
    std::string allowed;           // methods that the path has: empty, no such path
  };
  // The first that fits. Sets the exchange's target.
  Found find(Exchange& exchange) const { return find(exchange.request, exchange.target); }
  Found find(const Request& request, std::string& its_target) const;

 private:
  std::vector<Route> routes_;
};

}  // namespace arena::gateway::http
