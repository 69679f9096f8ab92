#include "server/config.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <fstream>
#include <sstream>

#include "server/config_toml.h"
#include "server/settings.h"

extern char** environ;

namespace arena::server {

namespace {

using namespace std::string_view_literals;

constexpr std::string_view kPrefix = "ARENA_";
constexpr std::string_view kSeparator = "__";
constexpr std::size_t kFileBytesMax = std::size_t{4} << 20;

// "mqtt.packet_bytes_max" to "ARENA_MQTT__PACKET_BYTES_MAX".
std::string variable_of(const Setting& setting) {
  std::string out = fmt::format("{}{}{}{}", kPrefix, setting.section(), kSeparator, setting.name());
  std::ranges::transform(out, out.begin(), [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return out;
}

void read_variable(const std::string& name, const std::string& value, LoadedConfig& loaded,
                   std::vector<ConfigError>& errors) {
  std::vector<std::string> variables;
  for (const Setting& setting : settings()) variables.push_back(variable_of(setting));
  const auto found = std::ranges::find(variables, name);
  if (found == variables.end()) {
    const std::vector<std::string_view> known(variables.begin(), variables.end());
    const std::string_view best = nearest(name, known);
    errors.push_back({name, {}, best.empty() ? "unknown setting" : fmt::format("unknown setting; did you mean \"{}\"?", best)});
    return;
  }
  const auto index = static_cast<std::size_t>(found - variables.begin());
  const Setting& setting = settings()[index];
  if (const auto fault = assign_text(setting, loaded.config, value)) {
    errors.push_back({name, std::string(setting.key), *fault});
  } else {
    loaded.sources[index] = name;
  }
}

// Variables without "__" belong to others, as ARENA_HOME would.
void read_environment(const Environment& environment, LoadedConfig& loaded, std::vector<ConfigError>& errors) {
  for (const auto& [name, value] : environment) {
    if (name.starts_with(kPrefix) && name.find(kSeparator) != std::string::npos) read_variable(name, value, loaded, errors);
  }
}

// What it opens is for suites of tests, and not for strangers.
void check_debug(const LoadedConfig& loaded, std::vector<ConfigError>& errors) {
  if (!loaded.config.debug.enabled) return;
  for (const Listener& listener : loaded.config.http.listeners) {
    if (listener.address.starts_with("127.") || listener.address == "::1") continue;
    const auto setting = std::ranges::find(settings(), "debug.enabled"sv, &Setting::key);
    errors.push_back({loaded.sources[static_cast<std::size_t>(setting - settings().begin())], "debug.enabled",
                      fmt::format("needs every HTTP listener to be on this machine alone (127.0.0.1, ::1), and one is at \"{}\"", listener.address)});
    return;
  }
}

std::string rules_text(const std::vector<access::Rule>& rules) {
  std::string out;
  for (const access::Rule& rule : rules) {
    out += fmt::format("{} {}{} ", rule.allow ? "allow" : "deny", rule.publish ? "p" : "", rule.subscribe ? "s" : "");
    out += rule.who == access::Rule::Who::anonymous ? "anonymous" : "";
    for (const std::string& user : rule.users) out += toml_quote(user);
    out += rule.slow ? kSlowPolicyNames[static_cast<std::size_t>(*rule.slow)] : std::string_view{};
    out += toml_quote(rule.filter) + "\n";
  }
  return out;
}

std::string certificates_text(const std::vector<TlsCertificate>& certificates) {
  std::string out;
  for (const TlsCertificate& one : certificates) out += toml_quote(one.certificate_file) + toml_quote(one.key_file) + "\n";
  return out;
}

bool same_streams(const std::vector<DeclaredStream>& a, const std::vector<DeclaredStream>& b) {
  return std::ranges::equal(a, b, {}, &DeclaredStream::config, &DeclaredStream::config);
}

}  // namespace

std::string ConfigError::text() const {
  return key.empty() ? fmt::format("{}: {}", where, reason) : fmt::format("{}: {}: {}", where, key, reason);
}

ConfigResult parse_config(std::string_view toml, const std::string& path, const Environment& environment) {
  LoadedConfig loaded;
  loaded.sources.assign(settings().size(), "default");
  std::vector<ConfigError> errors;
  read_toml(toml, path, loaded, errors);
  read_environment(environment, loaded, errors);
  check_debug(loaded, errors);
  if (!errors.empty()) return fail(std::move(errors));
  return loaded;
}

ConfigResult load_config(const std::optional<std::string>& path, const Environment& environment) {
  if (!path) return parse_config({}, {}, environment);
  std::ifstream file(*path, std::ios::binary);
  std::string text(kFileBytesMax + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(std::max<std::streamsize>(file.gcount(), 0)));
  // Reaching the end is the only good way to stop reading.
  std::string reason = !file.is_open() || !file.eof() ? "cannot read the configuration file" : "";
  if (text.size() > kFileBytesMax) reason = "the configuration file is larger than 4 MiB";
  if (!reason.empty()) return fail(std::vector<ConfigError>{{*path, {}, reason}});
  return parse_config(text, *path, environment);
}

Environment process_environment() {
  Environment out;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    const std::size_t equals = text.find('=');
    if (text.starts_with(kPrefix) && equals != std::string_view::npos) {
      out.emplace_back(text.substr(0, equals), text.substr(equals + 1));
    }
  }
  return out;
}

std::vector<Difference> differences(const Config& before, const Config& after) {
  std::vector<Difference> out;
  for (const Setting& setting : settings()) {
    std::string old_value = value_text(setting, before);
    std::string new_value = value_text(setting, after);
    if (old_value == new_value) continue;
    out.push_back({std::string(setting.key), std::move(old_value), std::move(new_value), setting.reload == Reload::restart});
  }
  if (rules_text(before.auth.rules) != rules_text(after.auth.rules)) {
    out.push_back({"auth.rules", fmt::format("{} rules", before.auth.rules.size()),
                   fmt::format("{} rules", after.auth.rules.size()), false});
  }
  if (certificates_text(before.tls.certificates) != certificates_text(after.tls.certificates)) {
    out.push_back({"tls.certificates", fmt::format("{} certificates", before.tls.certificates.size()),
                   fmt::format("{} certificates", after.tls.certificates.size()), false});
  }
  if (!same_streams(before.streams, after.streams)) {
    out.push_back({"streams", fmt::format("{} streams", before.streams.size()), fmt::format("{} streams", after.streams.size()), true});
  }
  return out;
}

}  // namespace arena::server
