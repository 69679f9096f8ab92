// Runs seeds, checks the promises, prints what was met. The last line is "N passed, N failed".
//   arena_sim [--seeds N] [--first S]                  every twentieth seed is run twice: both must leave the same trace
//   arena_sim --seed S [--verbose | --shrink]          one again; the least of it that still fails
//   arena_sim_planted --planted [--seeds N]            every planted bug must be found within N seeds
//   arena_sim_planted --plant NAME ...                 as above, with that bug awake
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "runtime/random.h"
#include "sim/planted.h"
#include "sim/run.h"
#include "sim/shrink.h"

namespace {

using arena::sim::RunResult;
using arena::sim::Tally;

struct Arguments {
  uint64_t first = 1;
  uint64_t seeds = 0;  // as many as is usual
  bool verbose = false;
  bool shrink = false;
  bool planted = false;
  std::string plant;
};

// What must have happened at least once over a long run, or the simulator has lost its teeth.
constexpr const char* kMustHappen[] = {
    "connect", "disconnect", "vanish", "session resumed", "taken over by oneself", "connect with a will",
    "last value deleted", "publish 0", "publish 1", "publish 2", "publish retained", "publish with expiry", "publish resent", "publish refused", "publish wanted by nobody",
    "subscribe", "subscribe shared", "unsubscribe", "suback refused", "retained received", "duplicate received", "acks held", "one ack held",
    "fault: broker crash", "fault: core pause", "fault: store full", "fault: store slow", "fault: cut", "fault: clock jump", "fault: rules changed",
    "network: split", "network: cut", "network: half_close", "network: stall", "network: zero_window",
    "dropped: expired", "broker: fell back to the log", "broker: wills sent", "broker: sessions expired", "broker: takeovers",
    "stream created", "stream refused", "stream purged", "stream removed", "replayed", "gap told", "replay ended", "replay refused",
    "replay from earliest", "replay from latest", "replay from an offset", "replay from an age", "replay from seen", "followed without a stream",
    "publish under an id", "publish by a producer", "publish again after its session", "publish repeated", "publish forged",
    "subscribe again", "subscribe again, last values if new", "subscribe without last values", "subscribe, retained as published",
    "connect with a packet limit", "publish by alias", "received by alias", "expiry changed by a goodbye", "dropped: unfit",
    "called a repetition", "publish refused once, and again", "number left out", "producer began again", "dropped: conflict", "dropped: unknown_producer",
};

RunResult run_seed(uint64_t seed, Tally& tally, bool verbose = false) {
  return arena::sim::run_plan(arena::sim::make_plan(seed), tally, verbose);
}

void print_failures(uint64_t seed, const RunResult& result) {
  for (std::size_t i = 0; i < result.failures.size() && i < 5; ++i) {
    std::printf("seed %llu: %s\n", static_cast<unsigned long long>(seed), result.failures[i].c_str());
  }
}

bool run_one(uint64_t seed, Tally& tally, bool verbose, uint64_t& hash) {
  const RunResult result = run_seed(seed, tally, verbose);
  hash = arena::runtime::mix64(hash ^ result.trace_hash);
  bool good = result.failures.empty();
  print_failures(seed, result);
  if (seed % 20 == 0) {
    Tally again;
    if (run_seed(seed, again).trace_hash != result.trace_hash) {
      std::printf("seed %llu: two runs left different traces\n", static_cast<unsigned long long>(seed));
      good = false;
    }
  }
  return good;
}

int finish(uint64_t passed, uint64_t failed) {
  std::printf("%llu passed, %llu failed\n", static_cast<unsigned long long>(passed), static_cast<unsigned long long>(failed));
  return failed == 0 ? 0 : 1;
}

int run_seeds(const Arguments& arguments) {
  Tally tally;
  uint64_t passed = 0;
  uint64_t hash = 0;
  const uint64_t seeds = arguments.seeds != 0 ? arguments.seeds : 100;
  for (uint64_t n = 1; n <= seeds; ++n) {
    passed += run_one(arguments.first + n - 1, tally, arguments.verbose, hash) ? 1 : 0;
    // Compared between compilers, which may run more or fewer seeds.
    if (n % 1000 == 0 || n == seeds) {
      std::printf("trace after %llu seeds: %016llx\n", static_cast<unsigned long long>(n), static_cast<unsigned long long>(hash));
    }
  }
  for (const auto& [what, times] : tally) std::printf("  %-40s %llu\n", what.c_str(), static_cast<unsigned long long>(times));
  uint64_t failed = seeds - passed;
  if (seeds >= 500) {
    for (const char* what : kMustHappen) {
      if (tally[what] != 0) continue;
      std::printf("never happened: %s\n", what);
      ++failed;
    }
  }
  return finish(passed, failed);
}

int shrink_seed(uint64_t seed) {
  const auto shrunk = arena::sim::shrink(arena::sim::make_plan(seed));
  if (!shrunk) {
    std::printf("seed %llu does not fail\n", static_cast<unsigned long long>(seed));
    return finish(1, 0);
  }
  std::printf("seed %llu, shrunk in %u runs to %zu steps on %u cores, the network %s:\n", static_cast<unsigned long long>(seed),
              shrunk->runs, shrunk->plan.steps.size(), shrunk->plan.cores, shrunk->plan.faulty_network ? "faulty" : "good");
  for (const std::string& line : shrunk->result.story) std::printf("%s\n", line.c_str());
  print_failures(seed, shrunk->result);
  return finish(0, 1);
}

// How many seeds it takes to find the bug that is awake; 0: more than `seeds`.
uint64_t find(uint64_t seeds, std::string& failure) {
  for (uint64_t seed = 1; seed <= seeds; ++seed) {
    Tally tally;
    const RunResult result = run_seed(seed, tally);
    if (result.failures.empty()) continue;
    failure = result.failures.front();
    return seed;
  }
  return 0;
}

int find_planted(uint64_t seeds) {
  // With none awake nothing may be found: else what is found says nothing.
  constexpr uint64_t kSoundSeeds = 100;
  std::string without;
  if (const uint64_t seed = find(kSoundSeeds, without); seed != 0) {
    std::printf("without a bug                      fails at seed %llu: %s\n", static_cast<unsigned long long>(seed), without.c_str());
    return finish(0, 1);
  }
  uint64_t found = 0;
  const auto& bugs = arena::sim::planted_bugs();
  for (std::size_t i = 0; i < bugs.size(); ++i) {
    arena::sim::planted_bug = static_cast<unsigned>(i + 1);
    std::string failure;
    const uint64_t seed = find(seeds, failure);
    if (seed != 0) ++found;
    std::printf("%-34s %s\n", bugs[i].name.c_str(),
                seed == 0 ? ("NOT FOUND: " + bugs[i].what).c_str() : ("found by seed " + std::to_string(seed) + ": " + failure).c_str());
  }
  return finish(found, bugs.size() - found);
}

bool wake(const std::string& name) {
  const auto& bugs = arena::sim::planted_bugs();
  for (std::size_t i = 0; i < bugs.size(); ++i) {
    if (bugs[i].name == name) arena::sim::planted_bug = static_cast<unsigned>(i + 1);
  }
  return arena::sim::planted_bug != 0;
}

bool parse(int argc, char** argv, Arguments& out) {
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = argv[i];
    const bool more = i + 1 < argc;
    if (word == "--seeds" && more) {
      out.seeds = std::strtoull(argv[++i], nullptr, 10);
    } else if (word == "--first" && more) {
      out.first = std::strtoull(argv[++i], nullptr, 10);
    } else if (word == "--seed" && more) {
      out.first = std::strtoull(argv[++i], nullptr, 10);
      out.seeds = 1;
    } else if (word == "--plant" && more) {
      out.plant = argv[++i];
    } else if (word == "--verbose") {
      out.verbose = true;
    } else if (word == "--shrink") {
      out.shrink = true;
    } else if (word == "--planted") {
      out.planted = true;
    } else {
      return false;
    }
  }
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  Arguments arguments;
  if (!parse(argc, argv, arguments)) {
    std::fprintf(stderr, "usage: arena_sim [--seeds N] [--first S] | --seed S [--verbose | --shrink]\n"
                         "       arena_sim_planted --planted [--seeds N] | --plant NAME ...\n");
    return 2;
  }
  if (arguments.planted) return find_planted(arguments.seeds != 0 ? arguments.seeds : 1000);
  if (!arguments.plant.empty() && !wake(arguments.plant)) {
    std::fprintf(stderr, "this program has no planted bug '%s'\n", arguments.plant.c_str());
    return 2;
  }
  return arguments.shrink ? shrink_seed(arguments.first) : run_seeds(arguments);
}
