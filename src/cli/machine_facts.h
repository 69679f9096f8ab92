// What this machine says, for `arena doctor`. Blocks.
#pragma once

#include <cstdint>
#include <string>

#include "cli/doctor.h"

namespace arena::cli {

MachineFacts read_machine_facts();
// Watches the clocks for a moment.
ClockFacts read_clock_facts();
// Tries to listen there, as a server would; if that is taken, asks whoever listens whether it speaks MQTT.
PortFacts probe_port(const std::string& address, uint16_t port);

}  // namespace arena::cli
