// A request to a server over HTTP or HTTPS, and its answer. Blocks.
#pragma once

#include <optional>
#include <string>

#include "base/result.h"
#include "cli/tls_flags.h"
#include "server/admin_socket.h"

namespace arena::cli {

struct HttpTarget {
  std::string url;  // "http://host:port", "https://host"
  std::optional<std::string> user;
  std::string password;
  TlsFlags tls;
};

// "http://host:port" taken apart. The reason when it is none.
struct UrlParts {
  bool tls = false;
  std::string host;  // an IPv6 address without its brackets
  std::string port;
};
Result<UrlParts> parse_url(const std::string& url);

Result<server::ApiResponse, server::Unanswered> ask_http(const HttpTarget& target, const server::ApiRequest& request);

}  // namespace arena::cli
