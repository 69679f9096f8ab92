// The system's clocks. Only loops and the watchdog read them; everything else asks its loop.
#pragma once

#include <cstdint>
#include <optional>

namespace arena::runtime {

int64_t monotonic_ns();
int64_t unix_ms();
// User and system time of all threads of a process so far. nullopt: there is no such process.
std::optional<int64_t> process_cpu_ns(unsigned pid);

}  // namespace arena::runtime
