#include "sim/planted.h"

namespace arena::sim {

unsigned planted_bug = 0;

const std::vector<PlantedBug>& planted_bugs() {
  static const std::vector<PlantedBug> none;
  return none;
}

}  // namespace arena::sim
