// Who acts, as authenticated.
#pragma once

#include <string>
#include <string_view>

namespace arena {

// `name` is empty exactly for anonymous. `internal` is the broker itself ($SYS): never from the wire.
struct Principal {
  std::string space = "default";  // the namespace (tenant)
  std::string name;
  bool internal = false;

  bool anonymous() const { return name.empty() && !internal; }
};

// The same, referring to somebody else's texts.
struct PrincipalView {
  PrincipalView(std::string_view of_space, std::string_view of_name) : space(of_space), name(of_name) {}
  PrincipalView(const Principal& whole) : space(whole.space), name(whole.name), internal(whole.internal) {}

  std::string_view space;
  std::string_view name;
  bool internal = false;

  bool anonymous() const { return name.empty() && !internal; }
};

}  // namespace arena
