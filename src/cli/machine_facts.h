// What this machine says, for `arena doctor`. Blocks.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "cli/doctor.h"

namespace arena::cli {

MachineFacts read_machine_facts();
// Watches the clocks for a moment.
ClockFacts read_clock_facts();
// A reason when there is no certificate to be read.
Result<CertificateFile> read_certificate_file(const std::string& path, const std::string& key_path);
// Writes nothing, and does not take the store.
StoreFacts read_store_facts(const std::string& path);
// Tries to listen there, as a server would; if that is taken, asks whoever listens whether it speaks MQTT.
PortFacts probe_port(const std::string& address, uint16_t port);

}  // namespace arena::cli
