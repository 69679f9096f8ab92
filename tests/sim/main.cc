// arena_sim --seeds N [--first S] | --seed S [--verbose]: runs seeds, checks the promises, prints what was met.
// The last line is "N passed, N failed". Every twentieth seed is run twice: both must leave the same trace.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "sim/run.h"

namespace {

using arena::sim::RunResult;
using arena::sim::Tally;

// What must have happened at least once over a long run, or the simulator has lost its teeth.
constexpr const char* kMustHappen[] = {
    "connect", "disconnect", "vanish", "session resumed", "taken over by oneself", "connect with a will",
    "publish 0", "publish 1", "publish 2", "publish retained", "publish with expiry", "publish resent", "publish refused",
    "subscribe", "subscribe shared", "unsubscribe", "suback refused", "retained received", "duplicate received", "acks held",
    "fault: broker crash", "fault: core pause", "fault: store full", "fault: cut", "fault: clock jump",
    "network: split", "network: cut", "network: half_close", "network: stall", "network: zero_window",
    "dropped: expired", "broker: fell back to the log", "broker: wills sent", "broker: sessions expired", "broker: takeovers",
};

bool run_one(uint64_t seed, Tally& tally, bool verbose) {
  const RunResult result = arena::sim::run_seed(seed, tally, verbose);
  bool good = result.failures.empty();
  for (std::size_t i = 0; i < result.failures.size() && i < 5; ++i) {
    std::printf("seed %llu: %s\n", static_cast<unsigned long long>(seed), result.failures[i].c_str());
  }
  if (seed % 20 == 0) {
    Tally again;
    if (arena::sim::run_seed(seed, again, false).trace_hash != result.trace_hash) {
      std::printf("seed %llu: two runs left different traces\n", static_cast<unsigned long long>(seed));
      good = false;
    }
  }
  return good;
}

}  // namespace

int main(int argc, char** argv) {
  uint64_t seeds = 100;
  uint64_t first = 1;
  bool verbose = false;
  for (int i = 1; i < argc; ++i) {
    const bool more = i + 1 < argc;
    if (std::strcmp(argv[i], "--seeds") == 0 && more) {
      seeds = std::strtoull(argv[++i], nullptr, 10);
    } else if (std::strcmp(argv[i], "--first") == 0 && more) {
      first = std::strtoull(argv[++i], nullptr, 10);
    } else if (std::strcmp(argv[i], "--seed") == 0 && more) {
      first = std::strtoull(argv[++i], nullptr, 10);
      seeds = 1;
    } else if (std::strcmp(argv[i], "--verbose") == 0) {
      verbose = true;
    } else {
      std::fprintf(stderr, "usage: arena_sim [--seeds N] [--first S] | --seed S [--verbose]\n");
      return 2;
    }
  }
  Tally tally;
  uint64_t passed = 0;
  for (uint64_t seed = first; seed < first + seeds; ++seed) passed += run_one(seed, tally, verbose) ? 1 : 0;
  for (const auto& [what, times] : tally) std::printf("  %-40s %llu\n", what.c_str(), static_cast<unsigned long long>(times));
  uint64_t failed = seeds - passed;
  if (seeds >= 500) {
    for (const char* what : kMustHappen) {
      if (tally[what] != 0) continue;
      std::printf("never happened: %s\n", what);
      ++failed;
    }
  }
  std::printf("%llu passed, %llu failed\n", static_cast<unsigned long long>(passed), static_cast<unsigned long long>(failed));
  return failed == 0 ? 0 : 1;
}
