// A seed for ids and hash tables from the system's randomness: different in every process.
#pragma once

#include <cstdint>

namespace arena::server {

uint64_t process_seed();

}  // namespace arena::server
