#include "cli/tls_flags.h"

#include <CLI/CLI.hpp>

namespace arena::cli {

void add_tls_flags(CLI::App& command, TlsFlags& flags) {
  command.add_flag("--tls", flags.tls, "Connect with TLS; the others below mean it, too");
  command.add_option("--cafile", flags.ca_file, "The authority that vouches for the server, as PEM (default: those the system trusts)")
      ->type_name("FILE");
  auto* certificate = command.add_option("--cert", flags.certificate_file, "Our certificate, as PEM")->type_name("FILE");
  auto* key = command.add_option("--key", flags.key_file, "Its key, as PEM")->type_name("FILE");
  certificate->needs(key);
  key->needs(certificate);
  command.add_option("--server-name", flags.server_name, "Whom the server's certificate must name (default: the host)");
  command.add_flag("--insecure", flags.insecure, "Take any server for the right one: for trials only");
}

Result<std::shared_ptr<const net::TlsClientContext>> load_tls_client(const TlsFlags& flags, const char* protocol) {
  if (!flags.wanted()) return std::shared_ptr<const net::TlsClientContext>();
  net::TlsClientOptions options;
  options.ca_file = flags.ca_file;
  options.identity = {flags.certificate_file, flags.key_file};
  options.verify = !flags.insecure;
  options.alpn = protocol;
  return net::TlsClientContext::load(options);
}

uint16_t mqtt_port(uint16_t given, const TlsFlags& flags) {
  if (given != 0) return given;
  return flags.wanted() ? 8883 : 1883;
}

}  // namespace arena::cli
