#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace arena::cli {

// One line of standard input, without its end. Wipe it after use.
Result<std::string> read_password_line();
// The same if standard input is no terminal; otherwise asks on it, without echo, twice, and compares.
Result<std::string> ask_new_password(std::string_view prompt);

}  // namespace arena::cli
