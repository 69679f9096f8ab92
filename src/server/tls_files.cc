#include "server/tls_files.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

#include "server/settings.h"

namespace arena::server {
namespace {

ConfigError error_at(const LoadedConfig& loaded, std::string_view key, std::string reason) {
  const auto setting = std::ranges::find(settings(), key, &Setting::key);
  const auto index = static_cast<std::size_t>(setting - settings().begin());
  return {loaded.sources[index], std::string(key), std::move(reason)};
}

std::string_view key_of(net::TlsFault::File file) {
  switch (file) {
    case net::TlsFault::File::certificate: return "tls.certificate_file";
    case net::TlsFault::File::key: return "tls.key_file";
    case net::TlsFault::File::client_ca: return "tls.client_ca_file";
  }
  return "tls.certificate_file";
}

}  // namespace

TlsLoaded load_tls(const LoadedConfig& loaded) {
  const Config& config = loaded.config;
  const bool for_mqtt = std::ranges::any_of(config.mqtt.listeners, &Listener::tls);
  if (!for_mqtt && std::ranges::none_of(config.http.listeners, &Listener::tls)) return std::shared_ptr<const net::TlsServerContext>();
  if (config.tls.certificate_file.empty() || config.tls.key_file.empty()) {
    return fail(error_at(loaded, for_mqtt ? "mqtt.listeners" : "http.listeners", "a listener with TLS needs tls.certificate_file and tls.key_file"));
  }
  net::TlsServerOptions options;
  options.identities.push_back({config.tls.certificate_file, config.tls.key_file});
  for (const TlsCertificate& more : config.tls.certificates) {
    options.identities.push_back({more.certificate_file, more.key_file});
  }
  options.client_ca_file = config.tls.client_ca_file;
  options.client_certificate_required = config.tls.client_certificates == "required";
  options.version_min = config.tls.version_min == "1.3" ? net::TlsVersion::v1_3 : net::TlsVersion::v1_2;
  options.session_s = static_cast<int64_t>(config.tls.session_s);
  auto context = net::TlsServerContext::load(options);
  if (context) return std::move(context.value());
  const net::TlsFault& fault = context.error();
  if (fault.file == net::TlsFault::File::client_ca || fault.identity == 0) {
    return fail(error_at(loaded, key_of(fault.file), fault.reason));
  }
  const std::string_view key = key_of(fault.file);
  return fail(ConfigError{config.tls.certificates[fault.identity - 1].source,
                          "tls.certificates" + std::string(key.substr(key.find('.'))), fault.reason});
}

}  // namespace arena::server
