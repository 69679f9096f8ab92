// Text that nobody guesses.
#pragma once

#include <string>

namespace arena::access {

// 128 bits from the system's randomness, in hexadecimal. Never from a loop's, which repeats with its seed and can be told from what it
// gave.
std::string secret_token();

}  // namespace arena::access
