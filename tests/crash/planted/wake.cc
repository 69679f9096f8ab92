// Which planted bug is awake in arena_planted: the one whose name is in ARENA_PLANTED; unset or empty: none.
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "sim/planted.h"

namespace {

unsigned wake() {
  const char* name = std::getenv("ARENA_PLANTED");
  if (name == nullptr || *name == '\0') return 0;
  const auto& bugs = arena::sim::planted_bugs();
  for (std::size_t i = 0; i < bugs.size(); ++i) {
    if (bugs[i].name == name) return static_cast<unsigned>(i + 1);
  }
  std::fprintf(stderr, "this program has no planted bug '%s'\n", name);
  std::exit(2);
}

// Before main(), and after the variable has its first value, which is a constant.
[[maybe_unused]] const unsigned awake = arena::sim::planted_bug = wake();

}  // namespace
