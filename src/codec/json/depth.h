// A look at JSON before it is read.
#pragma once

#include <string_view>

namespace arena {

// Is it nested more than `depth_max` times? What is nested endlessly would be written out by as many nested calls. `text` need not
// be JSON.
bool is_deep(std::string_view text, int depth_max);

}  // namespace arena
