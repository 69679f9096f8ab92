// What of a plan is drawn behind the rest and apart from it, so that the rest stays as it is: last values that are set and
// deleted all the time, and close encounters at the end, that need this and that to come together.
#pragma once

#include "sim/plan.h"

namespace arena::sim {

void add_kept(Plan& plan);
void add_scenes(Plan& plan);

}  // namespace arena::sim
