// Copies a file and says why it cannot: the standard library calls a full disk an input or output error.
#pragma once

#include <string>

#include "base/result.h"

namespace arena::engine {

// `to` is made, or written over. Not synced. Blocks.
Status copy_file(const std::string& from, const std::string& to);

}  // namespace arena::engine
