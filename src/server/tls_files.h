// From the [tls] settings to what listeners are given.
#pragma once

#include <memory>

#include "base/result.h"
#include "net/tls/context.h"
#include "server/config.h"

namespace arena::server {

// Reads the files, if a listener has TLS; null when none has. The error names file, line and key of the setting. Blocks.
using TlsLoaded = Result<std::shared_ptr<const net::TlsServerContext>, ConfigError>;
TlsLoaded load_tls(const LoadedConfig& loaded);

}  // namespace arena::server
