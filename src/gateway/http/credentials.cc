#include "gateway/http/credentials.h"

#include <algorithm>

#include "base/base64.h"

namespace arena::gateway::http {
namespace {

char to_lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }

}  // namespace

Result<access::Credentials> credentials_in(const std::string* authorization) {
  access::Credentials credentials;
  if (authorization == nullptr) return credentials;
  const std::string_view text = *authorization;
  const std::size_t space = std::min(text.find(' '), text.size());
  std::string scheme(text.substr(0, space));
  std::transform(scheme.begin(), scheme.end(), scheme.begin(), to_lower);
  if (scheme != "basic" && scheme != "bearer") return fail("Authorization is \"Basic\" or \"Bearer\", then base64 of user:password");
  std::string_view encoded = text.substr(space);
  encoded.remove_prefix(std::min(encoded.find_first_not_of(' '), encoded.size()));
  const auto decoded = base64_decode(encoded);
  const std::size_t colon = decoded ? decoded->find(':') : std::string::npos;
  if (colon == std::string::npos) return fail("what follows Basic or Bearer is base64 of user:password");
  credentials.user = decoded->substr(0, colon);
  credentials.password = decoded->substr(colon + 1);
  return credentials;
}

bool is_local_host(std::string_view host) {
  const std::size_t end = host.starts_with('[') ? std::min(host.find(']'), host.size() - 1) + 1 : std::min(host.find(':'), host.size());
  std::string name(host.substr(0, end));
  std::transform(name.begin(), name.end(), name.begin(), to_lower);
  const bool numbers = std::all_of(name.begin(), name.end(), [](char c) { return c == '.' || (c >= '0' && c <= '9'); });
  return name == "localhost" || name == "[::1]" || (numbers && name.starts_with("127."));
}

bool is_same_origin(std::string_view origin, std::string_view host, bool encrypted) {
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (origin.starts_with(scheme)) return origin.substr(scheme.size()) == host && (!encrypted || scheme == "https://");
  }
  return false;
}

}  // namespace arena::gateway::http
