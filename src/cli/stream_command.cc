// arena stream create | ls | info | edit | purge | rm
#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "cli/admin.h"
#include "cli/commands.h"
#include "cli/stream_text.h"
#include "base/units.h"

namespace arena::cli {

namespace {

struct Arguments {
  AdminTarget target;
  std::string name;
  std::vector<std::string> filters;
  std::optional<std::string> max_age, max_bytes, budget;
  std::optional<uint64_t> max_messages;
  std::string output = "table";
  bool yes = false;
};

constexpr std::string_view kPath = "/v1/streams";

std::string path_of(const Arguments& arguments) { return fmt::format("{}/{}", kPath, percent_encoded(arguments.name)); }

// Asks, and prints what `text` makes of the answer, or the answer itself as JSON.
template <typename Text>
int ask_and_print(const Arguments& arguments, server::ApiRequest request, Text text) {
  const auto door = door_of(arguments.target);
  if (!door) return complain_of_door(door.error());
  const auto answer = ask(*door, request);
  if (!answer) return complain_of(answer.error());
  print(arguments.output == "json" ? *answer + "\n" : text(*answer));
  return kOk;
}

// The limits as the server takes them; "0" takes a limit away.
Result<nlohmann::json> limits_of(const Arguments& arguments) {
  nlohmann::json body = nlohmann::json::object();
  if (arguments.max_age) {
    const auto age = *arguments.max_age == "0" ? std::optional<int64_t>(0) : age_of(*arguments.max_age);
    if (!age) return fail_with(fmt::format("--max-age: \"{}\" is no time such as 7d, 12h, 30m or 90s", *arguments.max_age));
    body["max_age_ms"] = static_cast<uint64_t>(*age);
  }
  for (const auto& [flag, field, text] : {std::tuple("--max-bytes", "max_bytes", &arguments.max_bytes), std::tuple("--budget", "budget_bytes", &arguments.budget)}) {
    if (!*text) continue;
    const auto bytes = bytes_of(**text);
    if (!bytes) return fail_with(fmt::format("{}: \"{}\" is no size such as 10GB, 512MiB or 4096", flag, **text));
    body[field] = *bytes;
  }
  if (arguments.max_messages) body["max_messages"] = *arguments.max_messages;
  return body;
}

int create(const Arguments& arguments) {
  auto body = limits_of(arguments);
  if (!body) return complain(kUsage, body.error().reason, "arena stream create --help");
  body->update({{"name", arguments.name}, {"filters", arguments.filters}});
  const int code = ask_and_print(arguments, {"POST", std::string(kPath), "", body->dump()}, [](const std::string&) { return std::string(); });
  if (code == kOk) say(fmt::format("from now on \"{}\" keeps what is published to its topics; read it: arena history {}{}", arguments.name, shell_word(arguments.name), flags_of(arguments.target)));
  return code;
}

int edit(const Arguments& arguments) {
  const auto body = limits_of(arguments);
  if (!body) return complain(kUsage, body.error().reason, "arena stream edit --help");
  if (body->empty()) return complain(kUsage, "nothing is to be changed: name a limit", "arena stream edit --help");
  return ask_and_print(arguments, {"PATCH", path_of(arguments), "", body->dump()}, [](const std::string&) { return std::string(); });
}

int list(const Arguments& arguments) {
  return ask_and_print(arguments, {"GET", std::string(kPath), "", ""}, [&](const std::string& answer) {
    std::string table = streams_table(answer);
    if (table.empty()) say(fmt::format("there are no streams; make one: arena stream create NAME --filter 'TOPICS/#'{}", flags_of(arguments.target)));
    return table;
  });
}

int info(const Arguments& arguments) {
  return ask_and_print(arguments, {"GET", path_of(arguments), "", ""}, stream_text);
}

int purge(const Arguments& arguments) {
  if (!is_sure(arguments.yes, arguments.name, fmt::format("deletes every message of \"{}\", also those that sessions wait for,", arguments.name))) return kUsage;
  return ask_and_print(arguments, {"POST", path_of(arguments) + "/purge", "", ""}, [](const std::string&) { return std::string(); });
}

int remove(const Arguments& arguments) {
  if (!is_sure(arguments.yes, arguments.name, fmt::format("deletes \"{}\" and every message of it, also those that sessions wait for,", arguments.name))) return kUsage;
  return ask_and_print(arguments, {"DELETE", path_of(arguments), "", ""}, [](const std::string&) { return std::string(); });
}

void add_limits(CLI::App& command, Arguments& arguments, const char* suffix) {
  command.add_option("--max-age", arguments.max_age, fmt::format("Messages older than this are deleted, such as 7d{}", suffix));
  command.add_option("--max-bytes", arguments.max_bytes, fmt::format("Above it the oldest are deleted, such as 10GB{}", suffix));
  command.add_option("--max-messages", arguments.max_messages, fmt::format("Above it the oldest are deleted{}", suffix))->check(check_not_negative);
  command.add_option("--budget", arguments.budget, fmt::format("Above it publishes to the stream are refused, such as 1GB{}", suffix));
}

}  // namespace

void add_stream_command(CLI::App& app, int& exit_code) {
  CLI::App* group = app.add_subcommand("stream", "Declare, look at, change and empty the streams of a running server");
  group->require_subcommand(1);
  const auto arguments = std::make_shared<Arguments>();
  const auto add = [&](const char* name, const char* help, int (*act)(const Arguments&), bool named) {
    CLI::App* command = group->add_subcommand(name, help);
    if (named) command->add_option("name", arguments->name, "The stream")->required();
    add_admin_flags(*command, arguments->target);
    command->add_option("--output", arguments->output, "How to print what the server answers")
        ->check(CLI::IsMember({"table", "json"}).description(""))
        ->type_name("table|json")
        ->capture_default_str();
    command->callback([&exit_code, arguments, act] { exit_code = act(*arguments); });
    return command;
  };
  CLI::App* create_command = add("create", "Keep what is published to some topics from now on, to be replayed", create, true);
  create_command->add_option("-f,--filter", arguments->filters, "Topics to keep; may be given several times")->required();
  add_limits(*create_command, *arguments, "");
  add("ls", "List the streams and what they hold", list, false);
  add("info", "Show one stream", info, true);
  add_limits(*add("edit", "Change a stream's limits", edit, true), *arguments, "; 0: no such limit");
  for (CLI::App* command : {add("purge", "Delete all messages of a stream", purge, true), add("rm", "Delete a stream with all its messages", remove, true)}) {
    command->add_flag("--yes", arguments->yes, "Do not ask");
  }
}

}  // namespace arena::cli
