// The system's clocks. Only loops and the watchdog read them; everything else asks its loop.
#pragma once

#include <cstdint>

namespace arena::runtime {

int64_t monotonic_ns();
int64_t unix_ms();

}  // namespace arena::runtime
