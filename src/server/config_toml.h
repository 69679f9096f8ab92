// The file's half of reading the configuration. For config.cc only.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "server/config.h"

namespace arena::server {

// Fills `loaded` from the text; what is wrong goes into `errors` and leaves its setting as it was.
void read_toml(std::string_view toml, const std::string& path, LoadedConfig& loaded, std::vector<ConfigError>& errors);

}  // namespace arena::server
