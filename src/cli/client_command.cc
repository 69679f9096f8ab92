// arena client ls | info | subs | kick
#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "cli/admin.h"
#include "cli/commands.h"
#include "cli/lists.h"

namespace arena::cli {
namespace {

using Json = nlohmann::ordered_json;

struct Arguments {
  AdminTarget target;
  std::string client;
  std::optional<std::string> user;
  std::string topic;
  bool all = false;
  bool session = false;
  bool yes = false;
  uint64_t limit = 100;
  std::string output = "table";

  bool as_json() const { return output == "json"; }
};

Columns session_columns() {
  return {column("CLIENT", "client_id"),
          column("USER", "user"),
          {"PROTOCOL", [](const ListItem& item) { return item.text("connected") == "true" ? item.text("protocol") : "away"; }},
          column("ADDRESS", "address"),
          column("SUBSCRIPTIONS", "subscriptions"),
          column("QUEUED", "queued_bytes"),
          column("ID", "id")};
}

int list(const Arguments& arguments) {
  std::string query;
  if (arguments.user) query = "user=" + percent_encoded(*arguments.user);
  return print_list(arguments.target, arguments.all ? "/v1/sessions" : "/v1/clients", query, arguments.limit, arguments.as_json(), session_columns(),
                    arguments.all ? "there are no sessions" : "nobody is connected");
}

// The id of what was named: a client id that one session has, or the id itself.
Result<std::string, Refusal> id_of(const AdminDoor& door, const std::string& client) {
  const auto answer = ask(door, {"GET", "/v1/sessions", "limit=2&client_id=" + percent_encoded(client), ""});
  if (!answer) return fail(answer.error());
  const Json page = Json::parse(*answer, nullptr, false);
  if (!page.is_object() || !page["items"].is_array() || page["items"].empty()) return client;
  if (page["items"].size() > 1) return fail(Refusal{0, fmt::format("several users have a client \"{}\"", client), "name one by its id: arena client ls --all" + door.flags});
  return page["items"][0].value("id", client);
}

// Asks about the one that was named, and gives the answer to `tell`.
template <typename Tell>
int about(const Arguments& arguments, const std::string& method, const std::string& path, Tell tell) {
  const auto door = door_of(arguments.target);
  if (!door) return complain_of_door(door.error());
  const auto id = id_of(*door, arguments.client);
  if (!id) return complain_of(id.error());
  const auto answer = ask(*door, {method, path + percent_encoded(*id), "", ""});
  if (!answer) return complain_of(answer.error());
  tell(*answer);
  return kOk;
}

int info(const Arguments& arguments) {
  return about(arguments, "GET", "/v1/sessions/", [&](const std::string& answer) {
    if (arguments.as_json()) return print(answer + (answer.ends_with('\n') ? "" : "\n"));
    std::string out;
    const Json session = Json::parse(answer, nullptr, false);
    for (const auto& [name, value] : session.items()) out += fmt::format("{:<15} {}\n", name, value.is_string() ? value.get<std::string>() : value.dump());
    print(out);
  });
}

int kick(const Arguments& arguments) {
  if (arguments.session && !is_sure(arguments.yes, arguments.client, fmt::format("ends the session of \"{}\" and deletes what waits for it,", arguments.client))) return kUsage;
  return about(arguments, "DELETE", arguments.session ? "/v1/sessions/" : "/v1/clients/", [](const std::string&) {});
}

int subscriptions(const Arguments& arguments) {
  std::string query;
  if (!arguments.topic.empty()) query = "topic=" + percent_encoded(arguments.topic);
  const Columns columns = {column("TOPIC", "topic"), column("GROUP", "group"), column("GUARANTEE", "guarantee"), column("CLIENT", "client_id"), column("USER", "user")};
  return print_list(arguments.target, "/v1/subscriptions", query, arguments.limit, arguments.as_json(), columns, "nobody subscribes to that");
}

}  // namespace

void add_client_command(CLI::App& app, int& exit_code) {
  CLI::App* group = app.add_subcommand("client", "See who is connected to a running server, and disconnect them");
  group->require_subcommand(1);
  const auto arguments = std::make_shared<Arguments>();
  const auto add = [&](const char* name, const char* help, int (*act)(const Arguments&), bool named) {
    CLI::App* command = group->add_subcommand(name, help);
    if (named) command->add_option("client", arguments->client, "Its client id, or the id that ls tells")->required();
    add_admin_flags(*command, arguments->target);
    command->callback([&exit_code, arguments, act] { exit_code = act(*arguments); });
    return command;
  };
  const auto add_output = [&](CLI::App* command) {
    command->add_option("--output", arguments->output, "How to print what the server answers")
        ->check(CLI::IsMember({"table", "json"}).description(""))
        ->type_name("table|json")
        ->capture_default_str();
    return command;
  };
  const auto add_limit = [&](CLI::App* command) {
    command->add_option("--limit", arguments->limit, "So many; 0: all")->check(check_not_negative)->capture_default_str();
    return command;
  };
  CLI::App* ls = add_limit(add_output(add("ls", "List who is connected", list, false)));
  ls->add_flag("--all", arguments->all, "Sessions that are away, too");
  ls->add_option("--of", arguments->user, "Of this user; empty: of nobody's name");
  add_output(add("info", "Show one", info, true));
  CLI::App* subs = add_limit(add_output(add("subs", "List subscriptions", subscriptions, false)));
  subs->add_option("--topic", arguments->topic, "Those that a message of this topic would come through");
  CLI::App* kick_command = add("kick", "Disconnect one", kick, true);
  kick_command->add_flag("--session", arguments->session, "End its session, too, and what waits for it");
  kick_command->add_flag("--yes", arguments->yes, "Do not ask");
}

}  // namespace arena::cli
