// arena store stats | check | backup | restore
#include <fmt/chrono.h>
#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include <ctime>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "cli/admin.h"
#include "cli/commands.h"
#include "cli/store_text.h"
#include "engine/rocksdb/backup.h"
#include "engine/rocksdb/folder.h"
#include "engine/rocksdb/quarantine.h"
#include "engine/rocksdb/store_check.h"
#include "engine/rocksdb/store_stats.h"
#include "runtime/clock.h"

namespace arena::cli {

namespace {

struct Arguments {
  std::string folder;
  std::string target;
  bool json = false;
  bool quarantine = false;
};

int stats(const Arguments& arguments) {
  const auto read = engine::read_stats(arguments.folder);
  if (!read) return complain(kFailed, read.error().reason, "arena store check " + arguments.folder);
  print(arguments.json ? stats_json(*read) : stats_text(*read));
  return kOk;
}

int quarantine(const Arguments& arguments) {
  const std::time_t now = runtime::unix_ms() / 1000;
  const std::string name = fmt::format("quarantine-{:%Y%m%dT%H%M%SZ}", fmt::gmtime(now));
  const auto done = engine::quarantine_store(arguments.folder, name);
  if (!done) return complain(kUnhealthy, done.error().reason, "restore a backup");
  print(arguments.json ? quarantined_json(*done, name) : quarantined_text(*done, name));
  if (done->findings.sound()) return kOk;
  say(fmt::format("what was damaged is in {}/{}; a server serves the rest", arguments.folder, name));
  return kOk;
}

int check(const Arguments& arguments) {
  if (arguments.quarantine) return quarantine(arguments);
  const auto found = engine::check_store(arguments.folder);
  if (!found) return complain(kFailed, found.error().reason);
  print(arguments.json ? findings_json(*found) : findings_text(*found));
  if (found->sound()) return kOk;
  return complain(kUnhealthy, arguments.folder + " is damaged",
                  "restore a backup, or serve what is left: arena store check --quarantine " + arguments.folder);
}

// A backup that cannot be read is none, so it is read.
int verify(const std::string& copy, const std::string& what) {
  const auto found = engine::check_store(copy);
  if (!found) return complain(kFailed, found.error().reason);
  if (found->sound()) {
    say(fmt::format("{} is in {}: {} blocks, {} messages, {} keys", what, copy, found->blocks, found->messages, found->keys));
    return kOk;
  }
  print(findings_text(*found));
  return complain(kUnhealthy, fmt::format("{} is in {}, and damaged", what, copy), "arena store check " + copy);
}

// The store's own server makes a checkpoint, which nobody writes to any more.
Status backup_running(const Arguments& arguments, const std::string& in_use) {
  const auto answer = ask({arguments.folder, std::nullopt}, {"POST", "/v1/store/checkpoints", "", ""});
  if (!answer) return fail_with(in_use + "; " + answer.error().what);
  const auto made = nlohmann::json::parse(*answer, nullptr, false);
  if (!made.is_object() || !made.contains("name")) return fail_with("the server that uses " + arguments.folder + " does not name its checkpoint");
  const std::string checkpoint = arguments.folder + "/" + made["name"].get<std::string>();
  Status copied = engine::copy_store(checkpoint, arguments.target);
  std::error_code ignored;
  std::filesystem::remove_all(checkpoint, ignored);
  return copied;
}

int backup(const Arguments& arguments) {
  Status copied = engine::copy_stopped_store(arguments.folder, arguments.target);
  if (!copied && engine::store_is_in_use(arguments.folder)) copied = backup_running(arguments, copied.error().reason);
  if (!copied) return complain(kFailed, copied.error().reason);
  return verify(arguments.target, "the backup");
}

int restore(const Arguments& arguments) {
  if (const Status copied = engine::copy_store(arguments.folder, arguments.target); !copied) {
    return complain(kFailed, copied.error().reason);
  }
  return verify(arguments.target, "what was restored");
}

}  // namespace

void add_store_command(CLI::App& app, int& exit_code) {
  CLI::App* group = app.add_subcommand("store", "Look into the folder of a stopped broker's store, check it, back it up");
  group->require_subcommand(1);
  const auto arguments = std::make_shared<Arguments>();
  const auto add = [&](const char* name, const char* help) {
    CLI::App* command = group->add_subcommand(name, help);
    command->add_option("folder", arguments->folder, "The store's folder: store.data of its server")->required()->type_name("DIRECTORY");
    command->add_flag("--json", arguments->json, "Print an object");
    return command;
  };
  add("stats", "Print what is stored: partitions, blocks, messages, sessions, last values")->callback([&exit_code, arguments] {
    exit_code = stats(*arguments);
  });
  CLI::App* check_command = add("check", "Read everything and name what is damaged; ends with 10 if anything is");
  check_command->add_flag("--quarantine", arguments->quarantine,
                          "Put what is damaged into a folder beside the rest, so that a server serves the rest; ends with 0 then");
  check_command->callback([&exit_code, arguments] { exit_code = check(*arguments); });
  const auto add_copy = [&](const char* name, const char* help, const char* from, const char* to) {
    CLI::App* command = group->add_subcommand(name, help);
    command->add_option("folder", arguments->folder, from)->required()->type_name("DIRECTORY");
    command->add_option("target", arguments->target, to)->required()->type_name("DIRECTORY");
    return command;
  };
  add_copy("backup", "Copy a store, whether a server uses it or not, with all that was acknowledged before; the copy is checked",
           "The store's folder", "Where to; empty or not there")
      ->callback([&exit_code, arguments] { exit_code = backup(*arguments); });
  add_copy("restore", "Make a store of a backup; the copy is checked", "The backup", "The new store's folder; empty or not there")
      ->callback([&exit_code, arguments] { exit_code = restore(*arguments); });
}

}  // namespace arena::cli
