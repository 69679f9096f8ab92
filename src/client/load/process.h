// What the system says of a process.
#pragma once

#include <cstdint>
#include <optional>

namespace arena::client {

// User and system time of all its threads, in microseconds. nullopt: there is no such process.
std::optional<double> process_cpu_us(unsigned pid);
std::optional<double> process_rss_bytes(unsigned pid);
double own_cpu_us();
// As many descriptors as the system lets this process have.
void raise_descriptor_limit();

}  // namespace arena::client
