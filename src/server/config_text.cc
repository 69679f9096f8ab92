// The configuration as text for people: the default file, and what is in force.
#include <fmt/format.h>

#include "server/config.h"
#include "server/settings.h"
#include "base/units.h"

namespace arena::server {

namespace {

using namespace std::string_view_literals;

constexpr std::string_view kHead =
    "# Arena's configuration: every setting with its default. What is left out keeps it.\n"
    "# The environment wins over this file: ARENA_MQTT__PACKET_BYTES_MAX=65536 sets mqtt.packet_bytes_max.\n"
    "# Check: arena config check --config FILE. Reload a running server: SIGHUP; \"restart\" settings wait.\n";

constexpr std::string_view kRules =
    "\n"
    "# Permissions. Deny wins over allow, whatever the order. With a users_file, what no rule allows is denied.\n"
    "# allow or deny: \"publish\", \"subscribe\", \"all\". users: their names; anonymous = true: those without one;\n"
    "# neither: everybody. In topics %u stands for the user's name, %c for the client id, which every client chooses for\n"
    "# itself. \"#\" does not match topics that begin with '$', as $SYS, which nobody may publish to. slow: what these\n"
    "# subscribers lose when they cannot keep up, as limits.slow_policy.\n"
    "#\n"
    "# [[auth.rules]]\n"
    "# allow = [\"all\"]\n"
    "# users = [\"alice\"]\n"
    "# topics = [\"home/#\"]\n"
    "#\n"
    "# [[auth.rules]]\n"
    "# allow = [\"subscribe\"]\n"
    "# users = [\"alice\"]\n"
    "# topics = [\"$SYS/#\"]\n"
    "#\n"
    "# [[auth.rules]]\n"
    "# allow = [\"publish\"]\n"
    "# topics = [\"devices/%u/#\"]\n";

constexpr std::string_view kCertificates =
    "\n"
    "# More certificates: each is shown to clients that ask for one of its names (SNI), the one above to all others.\n"
    "#\n"
    "# [[tls.certificates]]\n"
    "# certificate_file = \"other.example.crt\"\n"
    "# key_file = \"other.example.key\"\n";

constexpr std::string_view kStreams =
    "\n"
    "# Named streams: what is published to topics that filters match is kept and can be replayed (docs/streams.md). Made at\n"
    "# start when missing; limits are changed to these, filters cannot be. Leave out a limit for none. Streams made by\n"
    "# `arena stream create` stay.\n"
    "#\n"
    "# [[streams]]\n"
    "# name = \"orders\"\n"
    "# filters = [\"orders/#\"]\n"
    "# max_age = \"7d\"\n"
    "# max_bytes = \"10GB\"\n"
    "# max_messages = 1000000\n"
    "# budget_bytes = \"20GB\"  # above it publishes to the stream are refused\n";

std::string stream_text(const DeclaredStream& stream) {
  const broker::StreamConfig& config = stream.config;
  std::string filters;
  for (const std::string& filter : config.filters) filters += (filters.empty() ? "" : ", ") + toml_quote(filter);
  std::string out = fmt::format("\n[[streams]]  # {}\nname = {}\nfilters = [{}]\n", stream.source, toml_quote(config.name), filters);
  if (config.retention.age_ms != 0) out += fmt::format("max_age = \"{}\"\n", age_text(config.retention.age_ms));
  if (config.retention.bytes != 0) out += fmt::format("max_bytes = {}\n", config.retention.bytes);
  if (config.retention.messages != 0) out += fmt::format("max_messages = {}\n", config.retention.messages);
  if (config.budget_bytes != 0) out += fmt::format("budget_bytes = {}\n", config.budget_bytes);
  return out;
}

void begin_section(std::string& out, std::string_view& section, const Setting& setting) {
  if (setting.section() == section) return;
  section = setting.section();
  out += fmt::format("\n[{}]\n", section);
}

std::string rule_text(const access::Rule& rule) {
  const std::string_view actions = rule.publish && rule.subscribe ? "all" : rule.publish ? "publish" : "subscribe";
  std::string out = fmt::format("\n[[auth.rules]]  # {}\n{} = [\"{}\"]\n", rule.source, rule.allow ? "allow" : "deny", actions);
  if (rule.who == access::Rule::Who::anonymous) out += "anonymous = true\n";
  if (rule.who == access::Rule::Who::users) {
    std::string users;
    for (const std::string& user : rule.users) users += (users.empty() ? "" : ", ") + toml_quote(user);
    out += fmt::format("users = [{}]\n", users);
  }
  if (rule.slow) out += fmt::format("slow = \"{}\"\n", kSlowPolicyNames[static_cast<std::size_t>(*rule.slow)]);
  return out + fmt::format("topics = [{}]\n", toml_quote(rule.filter));
}

}  // namespace

std::string default_config_text() {
  const Config config;
  std::string out(kHead);
  std::string_view section;
  for (const Setting& setting : settings()) {
    begin_section(out, section, setting);
    const std::string value = value_text(setting, config);
    out += fmt::format("# {}\n# {}; {}\n", setting.doc, type_text(setting), to_string(setting.reload));
    out += value.empty() ? fmt::format("# {} = false\n", setting.name()) : fmt::format("{} = {}\n", setting.name(), value);
  }
  out += kRules;
  out += kCertificates;
  out += kStreams;
  return out;
}

std::string effective_config_text(const LoadedConfig& loaded, Shown shown) {
  std::string out;
  std::string_view section;
  for (std::size_t i = 0; i < settings().size(); ++i) {
    const Setting& setting = settings()[i];
    if (shown == Shown::changed && loaded.sources[i] == "default"sv) continue;
    begin_section(out, section, setting);
    const std::string value = value_text(setting, loaded.config);
    const std::string line = value.empty() ? fmt::format("# {} is not set", setting.name())
                                           : fmt::format("{} = {}", setting.name(), value);
    out += fmt::format("{:<48}  # {}\n", line, loaded.sources[i]);
  }
  for (const access::Rule& rule : loaded.config.auth.rules) out += rule_text(rule);
  for (const TlsCertificate& one : loaded.config.tls.certificates) {
    out += fmt::format("\n[[tls.certificates]]  # {}\ncertificate_file = {}\nkey_file = {}\n", one.source,
                       toml_quote(one.certificate_file), toml_quote(one.key_file));
  }
  for (const DeclaredStream& stream : loaded.config.streams) out += stream_text(stream);
  return out.starts_with('\n') ? out.substr(1) : out;
}

std::string config_reference_text() {
  const Config config;
  std::string out = "| setting | default | takes | a change needs | meaning |\n|---|---|---|---|---|\n";
  for (const Setting& setting : settings()) {
    const std::string value = value_text(setting, config);
    out += fmt::format("| `{}` | {} | {} | {} | {} |\n", setting.key, value.empty() ? "not set" : "`" + value + "`",
                       type_text(setting), to_string(setting.reload), setting.doc);
  }
  return out;
}

}  // namespace arena::server
