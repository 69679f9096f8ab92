// What the system says of a process.
#pragma once

#include <cstdint>
#include <optional>

namespace arena::client {

// Memory in use. nullopt: there is no such process.
std::optional<double> process_rss_bytes(unsigned pid);

}  // namespace arena::client
