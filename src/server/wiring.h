// From the configuration to what the rooms are given.
#pragma once

#include <cstdint>
#include <string>

#include "base/log.h"
#include "base/result.h"
#include "server/config.h"
#include "server/server.h"

namespace arena::server {

// Reads the users file too: what was configured must be there. `epoch` must rise with every reload.
Result<LiveSettings> live_settings_of(const Config& config, uint32_t epoch);
Result<Settings> settings_of(const Config& config);
// Where to keep what must survive; empty: in memory.
void set_store(Settings& settings, std::string path);
log::Level log_level_of(const Config& config);
log::Format log_format_of(const Config& config);

}  // namespace arena::server
