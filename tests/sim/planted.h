// The bugs planted into this program, one at a time: planted/bugs.toml. arena_sim has none, arena_sim_planted all.
#pragma once

#include <string>
#include <vector>

namespace arena::sim {

struct PlantedBug {
  std::string name;
  std::string what;
};

extern unsigned planted_bug;  // which is awake: 1 and up, as they are listed; 0: none
const std::vector<PlantedBug>& planted_bugs();

}  // namespace arena::sim
