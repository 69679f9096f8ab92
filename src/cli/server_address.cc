#include "cli/server_address.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace arena::cli {

Result<ServerAddress> server_address_of(std::string_view text) {
  ServerAddress out;
  const bool plain = text.starts_with("ws://");
  out.tls = text.starts_with("wss://");
  if (!plain && !out.tls) {
    out.host = text;
    return out;
  }
  std::string_view rest = text.substr(out.tls ? 6 : 5);
  const std::size_t slash = std::min(rest.find('/'), rest.size());
  out.websocket_path = slash == rest.size() ? "/mqtt" : std::string(rest.substr(slash));
  rest = rest.substr(0, slash);
  const std::size_t name_end = rest.starts_with('[') ? std::min(rest.find(']'), rest.size()) : 0;
  const std::size_t colon = std::min(rest.find(':', name_end), rest.size());
  out.host = rest.substr(0, colon);
  if (out.host.starts_with('[') && out.host.ends_with(']')) out.host = out.host.substr(1, out.host.size() - 2);
  out.port = out.tls ? 443 : 80;
  const std::string_view port = rest.substr(std::min(colon + 1, rest.size()));
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), out.port);
  const bool good_port = colon == rest.size() || (error == std::errc() && end == port.data() + port.size() && out.port != 0);
  const bool printable = std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 0x7f; });
  if (out.host.empty() || !good_port || !printable) return fail_with(fmt::format("\"{}\" is no URL such as ws://arena.example:8080/mqtt", text));
  return out;
}

}  // namespace arena::cli
