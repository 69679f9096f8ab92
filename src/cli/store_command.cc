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
#include "engine/rocksdb/full_disk.h"
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

// Why a command could not look into the folder, and the way on.
int complain_of_folder(const Arguments& arguments, const Error& why, std::string_view command) {
  const std::string folder = shell_word(arguments.folder);
  if (engine::is_full_disk(why)) return complain(kFailed, why.reason, fmt::format("free space, then once more: arena store {} {}", command, folder));
  if (engine::store_is_in_use(arguments.folder)) {
    return complain(kFailed, why.reason, fmt::format("ask the server that runs: arena stream ls, client ls or retained ls, with --data {}; or look into a copy: arena store backup {} TARGET", folder, folder));
  }
  if (engine::is_store(arguments.folder)) return complain(kFailed, why.reason, command == "stats" ? "arena store check " + folder : "restore a backup");
  return complain(kFailed, why.reason, "name the folder that a server has as store.data, or arena dev as --data");
}

int stats(const Arguments& arguments) {
  const auto read = engine::read_stats(arguments.folder);
  if (!read) return complain_of_folder(arguments, read.error(), "stats");
  print(arguments.json ? stats_json(*read) : stats_text(*read));
  return kOk;
}

// What there is to do about keys that are gone.
std::string next_after(const engine::KeyLosses& keys) {
  if (!keys.hit()) return {};
  if (!keys.gone) return "if a backup is newer than what was lost, restore it; else look at what sessions, streams and last values there are: arena store stats";
  std::string out = "restore a backup that has them; or serve what is left, and ";
  if (keys.kinds.contains(engine::Space::streams)) out += "declare anew the streams that are missing (arena stream create; a server makes those of [[streams]] when it starts), ";
  if (keys.kinds.contains(engine::Space::sessions)) out += "let clients subscribe anew, ";
  if (keys.kinds.contains(engine::Space::retained)) out += "publish last values anew, ";
  if (keys.kinds.contains(engine::Space::published)) out += "and know that what is published again under an id may be stored again, ";
  return out.substr(0, out.size() - 2);
}

int quarantine(const Arguments& arguments) {
  const std::time_t now = runtime::unix_ms() / 1000;
  std::string name = fmt::format("quarantine-{:%Y%m%dT%H%M%SZ}", fmt::gmtime(now));
  for (int more = 2; std::filesystem::exists(arguments.folder + "/" + name); ++more) name = fmt::format("quarantine-{:%Y%m%dT%H%M%SZ}-{}", fmt::gmtime(now), more);
  const auto done = engine::quarantine_store(arguments.folder, name);
  if (!done && (engine::is_full_disk(done.error()) || engine::store_is_in_use(arguments.folder) || !engine::is_store(arguments.folder))) {
    return complain_of_folder(arguments, done.error(), "check --quarantine");
  }
  if (!done) return complain(kUnhealthy, done.error().reason, "restore a backup");
  print(arguments.json ? quarantined_json(*done, name) : quarantined_text(*done, name));
  if (done->findings.sound()) return kOk;
  say(fmt::format("what was damaged is in {}/{}; a server serves the rest", arguments.folder, name));
  const std::string next = next_after(done->keys);
  if (!next.empty()) say("  next: " + next);
  return kOk;
}

int check(const Arguments& arguments) {
  if (arguments.quarantine) return quarantine(arguments);
  const auto found = engine::check_store(arguments.folder);
  if (!found) return complain_of_folder(arguments, found.error(), "check");
  print(arguments.json ? findings_json(*found) : findings_text(*found));
  if (found->sound()) return kOk;
  const std::string tool = "arena store check --quarantine " + shell_word(arguments.folder);
  if (found->mended_at_start()) {
    return complain(kUnhealthy, "files of " + arguments.folder + " are not in order, and nothing is lost by it", "a server puts them in order when it starts; or: " + tool);
  }
  return complain(kUnhealthy, arguments.folder + " is damaged", "restore a backup, or serve what is left: " + tool);
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
  return complain(kUnhealthy, fmt::format("{} is in {}, and damaged", what, copy), "arena store check " + shell_word(copy));
}

// The store's own server makes a checkpoint, which nobody writes to any more.
Status backup_running(const Arguments& arguments, const std::string& in_use) {
  const auto answer = ask(AdminDoor{{}, arguments.folder, std::nullopt}, {"POST", "/v1/store/checkpoints", "", ""});
  if (!answer) return fail_with(in_use + "; " + answer.error().what);
  const auto made = nlohmann::json::parse(*answer, nullptr, false);
  if (!made.is_object() || !made.contains("name")) return fail_with("the server that uses " + arguments.folder + " does not name its checkpoint");
  const std::string checkpoint = arguments.folder + "/" + made["name"].get<std::string>();
  Status copied = engine::copy_store(checkpoint, arguments.target);
  std::error_code ignored;
  std::filesystem::remove_all(checkpoint, ignored);
  return copied;
}

// A server would remove it, or take it for its own.
bool is_within(const Arguments& arguments, std::string_view command) {
  if (!engine::is_within(arguments.folder, arguments.target)) return false;
  complain(kUsage, fmt::format("{} is within the store {}", arguments.target, arguments.folder), fmt::format("name a folder beside it: arena store {} {} TARGET", command, shell_word(arguments.folder)));
  return true;
}

int complain_of_copy(const Arguments& arguments, const Error& why) {
  if (engine::is_full_disk(why)) return complain(kFailed, why.reason, fmt::format("free space there, or name another folder; {} is not complete, and may be removed", arguments.target));
  return complain(kFailed, why.reason, "name a store, and a target that is empty or not there: arena store --help");
}

int backup(const Arguments& arguments) {
  if (is_within(arguments, "backup")) return kUsage;
  Status copied = engine::copy_stopped_store(arguments.folder, arguments.target);
  if (!copied && engine::store_is_in_use(arguments.folder)) copied = backup_running(arguments, copied.error().reason);
  if (!copied) return complain_of_copy(arguments, copied.error());
  return verify(arguments.target, "the backup");
}

int restore(const Arguments& arguments) {
  if (is_within(arguments, "restore")) return kUsage;
  if (const Status copied = engine::copy_store(arguments.folder, arguments.target); !copied) return complain_of_copy(arguments, copied.error());
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
