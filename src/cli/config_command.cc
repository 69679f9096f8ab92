// arena config check | show | default | doc
#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "access/users.h"
#include "cli/commands.h"
#include "server/config.h"
#include "server/tls_files.h"
#include "server/limits.h"

namespace arena::cli {

namespace {

struct Arguments {
  std::optional<std::string> path;
  bool effective = false;
  bool limits = false;
};

std::optional<server::LoadedConfig> load(const Arguments& arguments) {
  auto loaded = server::load_config(arguments.path, server::process_environment());
  if (loaded) return *std::move(loaded);
  for (const server::ConfigError& error : loaded.error()) say(error.text());
  complain(kUsage, "the configuration is not good",
           "arena config default prints every setting and what it means");
  return std::nullopt;
}

int check(const Arguments& arguments) {
  const auto loaded = load(arguments);
  if (!loaded) return kUsage;
  const server::Config& config = loaded->config;
  const std::string& users_file = config.auth.users_file;
  std::vector<std::string> known;
  if (!users_file.empty()) {
    const auto users = access::UserTable::load(users_file);
    if (!users) {
      return complain(kUsage, users.error().reason, fmt::format("arena user add --file {} NAME", users_file));
    }
    known = users->names();
  } else {
    say("note: auth.users_file is empty, so there are no users");
  }
  for (const access::Rule& rule : config.auth.rules) {
    for (const std::string& user : rule.users) {
      if (std::ranges::find(known, user) != known.end()) continue;
      say(fmt::format("note: {}: there is no user \"{}\"", rule.source, user));
    }
  }
  if (const auto tls = server::load_tls(*loaded); !tls) return complain(kUsage, tls.error().text());
  say("the configuration is good");
  return kOk;
}

int show(const Arguments& arguments) {
  const auto loaded = load(arguments);
  if (!loaded) return kUsage;
  print(server::effective_config_text(*loaded, arguments.effective ? server::Shown::all : server::Shown::changed));
  return kOk;
}

}  // namespace

void add_config_command(CLI::App& app, int& exit_code) {
  CLI::App* group = app.add_subcommand("config", "Check, show or write the configuration");
  group->require_subcommand(1);
  const auto arguments = std::make_shared<Arguments>();

  CLI::App* check_command = group->add_subcommand("check", "Check a configuration file and the environment");
  check_command->add_option("--config", arguments->path, "The file (TOML)")->type_name("FILE");
  check_command->callback([&exit_code, arguments] { exit_code = check(*arguments); });

  CLI::App* show_command = group->add_subcommand("show", "Show what is set, and where");
  show_command->add_option("--config", arguments->path, "The file (TOML)")->type_name("FILE");
  show_command->add_flag("--effective", arguments->effective, "Every setting, defaults too");
  show_command->callback([&exit_code, arguments] { exit_code = show(*arguments); });

  group->add_subcommand("default", "Print a complete file with every default")->callback([&exit_code] {
    print(server::default_config_text());
    exit_code = kOk;
  });
  CLI::App* doc_command = group->add_subcommand("doc", "Print the reference of all settings (Markdown)");
  doc_command->add_flag("--limits", arguments->limits, "The limits among them: what happens, where it is counted");
  doc_command->callback([&exit_code, arguments] {
    print(arguments->limits ? server::limits_text() : server::config_reference_text());
    exit_code = kOk;
  });
}

}  // namespace arena::cli
