// arena retained ls | get | rm
#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "base/base64.h"
#include "cli/admin.h"
#include "cli/commands.h"
#include "cli/lists.h"
#include "message/topic.h"

namespace arena::cli {
namespace {

constexpr std::string_view kHelp = "arena retained --help";

using Json = nlohmann::ordered_json;

struct Arguments {
  AdminTarget target;
  std::string topic;
  uint64_t limit = 100;
  std::string output = "table";
  bool yes = false;

  bool as_json() const { return output == "json"; }
};

std::string payload_of(const Json& item) {
  const std::string payload = item.value("payload", "");
  return item.contains("encoding") ? base64_decode(payload).value_or("") : payload;
}

int list(const Arguments& arguments) {
  if (const auto fault = arguments.topic.empty() ? std::nullopt : check_filter(arguments.topic)) return complain(kUsage, fmt::format("\"{}\" is no filter: {}", arguments.topic, to_string(*fault)), kHelp);
  const Columns columns = {column("TOPIC", "topic"), column("TIME", "time"),
                           {"VALUE", [](const ListItem& item) { return (item.has("encoding") ? "base64:" : "") + item.text("payload"); }}};
  return print_list(arguments.target, "/v1/retained", arguments.topic.empty() ? "" : "topic=" + percent_encoded(arguments.topic), arguments.limit, arguments.as_json(), columns,
                    "there are no such last values");
}

int get(const Arguments& arguments) {
  if (const auto fault = check_topic(arguments.topic)) return complain(kUsage, fmt::format("\"{}\" is no topic: {}", arguments.topic, to_string(*fault)), kHelp);
  const auto door = door_of(arguments.target);
  if (!door) return complain_of_door(door.error());
  const auto answer = ask(*door, {"GET", "/v1/retained", "limit=1&topic=" + percent_encoded(arguments.topic), ""});
  if (!answer) return complain_of(answer.error());
  const Json page = Json::parse(*answer, nullptr, false);
  if (!page.is_object() || !page["items"].is_array() || page["items"].empty()) return complain(kFailed, fmt::format("\"{}\" has no last value, or you may not read it", arguments.topic), "arena retained ls" + door->flags);
  const Json& item = page["items"][0];
  print((arguments.as_json() ? item.dump(-1, ' ', false, Json::error_handler_t::replace) : payload_of(item)) + "\n");
  return kOk;
}

int remove(const Arguments& arguments) {
  if (const auto fault = check_topic(arguments.topic)) return complain(kUsage, fmt::format("\"{}\" is no topic: {}", arguments.topic, to_string(*fault)), kHelp);
  const auto door = door_of(arguments.target);
  if (!door) return complain_of_door(door.error());
  if (!door->http) return complain(kUsage, "a last value is taken away by who may publish to its topic", "arena retained rm --url http://127.0.0.1:8080 TOPIC");
  if (!is_sure(arguments.yes, arguments.topic, fmt::format("deletes the last value of \"{}\"", arguments.topic))) return kUsage;
  const auto answer = ask(*door, {"DELETE", fmt::format("/v1/topics/{}/latest", percent_encoded(arguments.topic)), "", ""});
  return answer ? kOk : complain_of(answer.error());
}

}  // namespace

void add_retained_command(CLI::App& app, int& exit_code) {
  CLI::App* group = app.add_subcommand("retained", "Last values of topics on a running server");
  group->require_subcommand(1);
  const auto arguments = std::make_shared<Arguments>();
  const auto add = [&](const char* name, const char* help, int (*act)(const Arguments&), const char* what, bool required, bool shows) {
    CLI::App* command = group->add_subcommand(name, help);
    command->add_option("topic", arguments->topic, what)->required(required);
    add_admin_flags(*command, arguments->target);
    if (shows) {
      command->add_option("--output", arguments->output, "How to print what the server answers")
          ->check(CLI::IsMember({"table", "json"}).description(""))
          ->type_name("table|json")
          ->capture_default_str();
    }
    command->callback([&exit_code, arguments, act] { exit_code = act(*arguments); });
    return command;
  };
  add("ls", "List them", list, "Those whose topic this filter matches", false, true)->add_option("--limit", arguments->limit, "So many; 0: all")->check(check_not_negative)->capture_default_str();
  add("get", "Print one", get, "The topic", true, true);
  add("rm", "Take one away", remove, "The topic", true, false)->add_flag("--yes", arguments->yes, "Do not ask");
}

}  // namespace arena::cli
