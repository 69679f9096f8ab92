// A configuration file; what follows a line "--- environment" is variables, NAME=VALUE, one a line. Promises:
// every error says where and why; what is accepted, written as `arena config show` does, reads back as the
// same; its rules make a policy and its addresses can be listened on.
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "access/policy.h"
#include "check.h"
#include "input.h"
#include "server/config.h"

using namespace arena;
using namespace arena::server;

namespace {

constexpr std::string_view kMark = "--- environment\n";
// Absolute, so that paths of the file are absolute and mean the same when they are read back.
const std::string kPath = "/etc/arena.toml";

Environment environment_of(std::string_view text) {
  Environment out;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(line.size() < text.size() ? line.size() + 1 : line.size());
    const std::size_t equals = line.find('=');
    // As execve(2) would have them: no NUL in either.
    if (equals == std::string_view::npos || line.find('\0') != std::string_view::npos) continue;
    out.emplace_back(line.substr(0, equals), line.substr(equals + 1));
  }
  return out;
}

void check_errors(const std::vector<ConfigError>& errors) {
  FUZZ_CHECK(!errors.empty());
  for (const ConfigError& error : errors) {
    FUZZ_CHECK(!error.where.empty() && !error.reason.empty());
    FUZZ_CHECK(error.text().starts_with(error.where + ": "));
  }
}

bool is_address(const std::string& text) {
  return !text.empty() && text.find_first_not_of("0123456789abcdefABCDEF:.") == std::string::npos;
}

void check_accepted(const LoadedConfig& loaded) {
  FUZZ_CHECK(access::Policy::make(loaded.config.auth.rules, {}).ok());
  FUZZ_CHECK(!loaded.config.mqtt.listeners.empty());
  for (const Listener& listener : loaded.config.mqtt.listeners) FUZZ_CHECK(is_address(listener.address));
  for (const Shown shown : {Shown::all, Shown::changed}) {
    const ConfigResult again = parse_config(effective_config_text(loaded, shown), kPath, {});
    if (!again.ok()) std::fprintf(stderr, "%s\n", again.error().front().text().c_str());
    FUZZ_CHECK(again.ok());
    FUZZ_CHECK(differences(loaded.config, again->config).empty());
    FUZZ_CHECK(loaded.config.auth.rules.size() == again->config.auth.rules.size());
  }
  FUZZ_CHECK(differences(loaded.config, loaded.config).empty());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  const std::string all = input.rest();
  const std::string_view text(all);
  const std::size_t mark = text.find(kMark);
  const bool has_mark = mark != std::string_view::npos;
  const ConfigResult result =
      parse_config(text.substr(0, mark), kPath,
                   has_mark ? environment_of(text.substr(mark + kMark.size())) : Environment{});
  if (result.ok()) {
    check_accepted(*result);
  } else {
    check_errors(result.error());
  }
  return 0;
}
