// One run: a broker, its clients, the steps of a plan, and the judgement.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sim/plan.h"

namespace arena::sim {

struct RunResult {
  uint64_t trace_hash = 0;
  std::vector<std::string> failures;
  std::vector<std::string> story;  // what was done, a line each, with its time
};

RunResult run_plan(const Plan& plan, Tally& tally, bool verbose = false);

}  // namespace arena::sim
