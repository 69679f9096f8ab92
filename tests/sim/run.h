// One seed: a broker, its clients, faults, and the judgement.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sim/client.h"

namespace arena::sim {

struct RunResult {
  uint64_t trace_hash = 0;
  std::vector<std::string> failures;
};

inline constexpr int kClients = 6;
inline constexpr int kOperations = 240;

RunResult run_seed(uint64_t seed, Tally& tally, bool verbose);

}  // namespace arena::sim
