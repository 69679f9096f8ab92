// The least that still fails: steps, clients, cores and faults of the network are left out as long as the failure stays.
#pragma once

#include <optional>

#include "sim/run.h"

namespace arena::sim {

struct Shrunk {
  Plan plan;
  RunResult result;
  unsigned runs = 0;
};

// Nothing when the plan does not fail.
std::optional<Shrunk> shrink(const Plan& plan);

}  // namespace arena::sim
