// What commands that talk to a server say about TLS.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/result.h"
#include "net/tls/context.h"

namespace CLI {
class App;
}

namespace arena::cli {

struct TlsFlags {
  bool tls = false;
  std::string ca_file;
  std::string certificate_file;
  std::string key_file;
  std::string server_name;
  bool insecure = false;

  bool wanted() const { return tls || insecure || !ca_file.empty() || !certificate_file.empty() || !server_name.empty(); }
};

// Adds --tls --cafile --cert --key --server-name --insecure. Each of the others means --tls, too.
void add_tls_flags(CLI::App& command, TlsFlags& flags);
// Null: not wanted. The reason when a file is not good.
Result<std::shared_ptr<const net::TlsClientContext>> load_tls_client(const TlsFlags& flags, const char* protocol = "mqtt");
// The port when none was given (0).
uint16_t mqtt_port(uint16_t given, const TlsFlags& flags);

}  // namespace arena::cli
