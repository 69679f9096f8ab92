// Who acts, as authenticated.
#pragma once

#include <string>

namespace arena {

// `name` is empty exactly for anonymous. `internal` is the broker itself ($SYS): never from the wire.
struct Principal {
  std::string space = "default";  // the namespace (tenant)
  std::string name;
  bool internal = false;

  bool anonymous() const { return name.empty() && !internal; }
};

}  // namespace arena
