// arena user add | remove | list | passwd
#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include <memory>
#include <optional>
#include <string>

#include "access/password.h"
#include "access/users.h"
#include "cli/commands.h"
#include "cli/password_prompt.h"
#include "server/config.h"

namespace arena::cli {

namespace {

using access::UsersFile;

struct Arguments {
  std::string file;
  std::string config;
  std::string name;
  bool password_stdin = false;
  bool yes = false;
};

// Where the users are: as told, or as the configuration tells. Complains when nobody does.
std::optional<std::string> users_file(const Arguments& arguments) {
  if (!arguments.file.empty()) return arguments.file;
  std::optional<std::string> path;
  if (!arguments.config.empty()) path = arguments.config;
  const auto loaded = server::load_config(path, server::process_environment());
  if (!loaded) {
    for (const server::ConfigError& error : loaded.error()) say(error.text());
    return std::nullopt;
  }
  if (!loaded->config.auth.users_file.empty()) return loaded->config.auth.users_file;
  complain(kUsage, "no users file is named", "name it by --file users, or by --config and auth.users_file in that file");
  return std::nullopt;
}

int change(const Arguments& arguments, UsersFile::Change change, std::string_view done) {
  const auto path = users_file(arguments);
  if (!path) return kUsage;
  if (const auto fault = access::check_user_name(arguments.name)) {
    return complain(kUsage, fmt::format("the user name {}", *fault), "choose another name");
  }
  const bool removes = change == UsersFile::Change::remove;
  if (removes && !is_sure(arguments.yes, arguments.name, fmt::format("removes the user {} from {}", arguments.name, *path))) return kUsage;
  std::string hash;
  if (!removes) {
    auto password = arguments.password_stdin ? read_password_line()
                                             : ask_new_password(fmt::format("Password for {}", arguments.name));
    if (!password) return complain(kFailed, password.error().reason);
    const auto hashed = access::hash_password(*password);
    access::wipe(*password);
    if (!hashed) return complain(kFailed, hashed.error().reason);
    hash = *hashed;
  }
  const Status status = UsersFile(*path).apply(change, arguments.name, hash);
  if (!status) return complain(kFailed, status.error().reason, fmt::format("arena user list --file {}", shell_word(*path)));
  say(fmt::format("{} {} in {}; a server with it as auth.users_file takes it at start and at SIGHUP", done, arguments.name, *path));
  return kOk;
}

int list(const Arguments& arguments) {
  const auto path = users_file(arguments);
  if (!path) return kUsage;
  const auto users = access::UserTable::load(*path);
  if (!users) return complain(kFailed, users.error().reason);
  for (const std::string& name : users->names()) print(name + "\n");
  return kOk;
}

}  // namespace

void add_user_command(CLI::App& app, int& exit_code) {
  CLI::App* group = app.add_subcommand("user", "Add, change, remove or list users");
  group->require_subcommand(1);
  const auto arguments = std::make_shared<Arguments>();

  const auto add = [&](const char* name, const char* help) {
    CLI::App* command = group->add_subcommand(name, help);
    command->add_option("--file", arguments->file, "The users file")->type_name("FILE");
    command->add_option("--config", arguments->config, "The configuration that names the users file")->type_name("FILE");
    return command;
  };
  const auto add_change = [&](const char* name, const char* help, UsersFile::Change kind, const char* done) {
    CLI::App* command = add(name, help);
    command->add_option("name", arguments->name, "The user")->required();
    if (kind != UsersFile::Change::remove) {
      command->add_flag("--password-stdin", arguments->password_stdin,
                        "The password is the first line of standard input (assumed when that is no terminal)");
    } else {
      command->add_flag("--yes", arguments->yes, "Do not ask");
    }
    command->callback([&exit_code, arguments, kind, done] { exit_code = change(*arguments, kind, done); });
  };
  add_change("add", "Add a user; the password is asked for", UsersFile::Change::add, "added");
  add_change("passwd", "Change a user's password", UsersFile::Change::replace, "changed the password of");
  add_change("remove", "Remove a user", UsersFile::Change::remove, "removed");
  add("list", "Print the users' names")->callback([&exit_code, arguments] { exit_code = list(*arguments); });
}

}  // namespace arena::cli
