// arena context add | ls | use | rm
#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "cli/commands.h"
#include "cli/contexts.h"

namespace arena::cli {
namespace {

struct Arguments {
  Context context;
  std::string output = "table";
};

// Reads the file, lets `act` change it, and writes it.
template <typename Act>
int change(Act act) {
  const std::string path = contexts_path();
  if (path.empty()) return complain(kUsage, "there is no home to keep contexts in", "set HOME or XDG_CONFIG_HOME");
  auto contexts = load_contexts(path);
  if (!contexts) return complain(kFailed, contexts.error().reason);
  if (const int code = act(*contexts); code != kOk) return code;
  const Status saved = save_contexts(path, *contexts);
  return saved ? kOk : complain(kFailed, saved.error().reason);
}

int unknown(const std::string& name) { return complain(kUsage, fmt::format("there is no context \"{}\"", name), "arena context ls"); }

int add(const Arguments& arguments) {
  if (const auto parts = parse_url(arguments.context.url); !parts) return complain(kUsage, "--url: " + parts.error().reason, "such as http://127.0.0.1:8080");
  return change([&](Contexts& contexts) {
    contexts.put(arguments.context);
    if (contexts.all.size() == 1) contexts.chosen = arguments.context.name;
    return kOk;
  });
}

int use(const Arguments& arguments) {
  return change([&](Contexts& contexts) {
    if (contexts.find(arguments.context.name) == nullptr) return unknown(arguments.context.name);
    contexts.chosen = arguments.context.name;
    return kOk;
  });
}

int remove(const Arguments& arguments) {
  return change([&](Contexts& contexts) {
    if (!contexts.remove(arguments.context.name)) return unknown(arguments.context.name);
    if (contexts.chosen == arguments.context.name) contexts.chosen.clear();
    return kOk;
  });
}

int list(const Arguments& arguments) {
  const auto contexts = load_contexts(contexts_path());
  if (!contexts) return complain(kFailed, contexts.error().reason);
  if (contexts->all.empty()) say("there are none; make one: arena context add NAME --url http://127.0.0.1:8080");
  std::size_t width = 7;
  for (const Context& one : contexts->all) width = std::max(width, one.name.size());
  std::string out = contexts->all.empty() || arguments.output == "json" ? "" : fmt::format("  {:<{}}  {}\n", "CONTEXT", width, "URL");
  for (const Context& one : contexts->all) {
    const bool chosen = one.name == contexts->chosen;
    if (arguments.output == "json") {
      out += nlohmann::ordered_json({{"name", one.name}, {"url", one.url}, {"user", one.user}, {"chosen", chosen}}).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
    } else {
      out += fmt::format("{} {:<{}}  {}{}\n", chosen ? '*' : ' ', one.name, width, one.url, one.user.empty() ? "" : " as " + one.user);
    }
  }
  print(out);
  return kOk;
}

}  // namespace

void add_context_command(CLI::App& app, int& exit_code) {
  CLI::App* group = app.add_subcommand("context", "Servers that other commands know by name");
  group->require_subcommand(1);
  const auto arguments = std::make_shared<Arguments>();
  const auto command = [&](const char* name, const char* help, int (*act)(const Arguments&), bool named) {
    CLI::App* made = group->add_subcommand(name, help);
    if (named) made->add_option("name", arguments->context.name, "The context")->required();
    made->callback([&exit_code, arguments, act] { exit_code = act(*arguments); });
    return made;
  };
  CLI::App* adding = command("add", "Add a server, or change what is known of it; the first is chosen", add, true);
  adding->add_option("--url", arguments->context.url, "Where it speaks HTTP, such as https://broker.example")->required();
  adding->add_option("-u,--user", arguments->context.user, "Who asks");
  adding->add_option("--password-file", arguments->context.password_file, "The password, on its first line (default: the variable ARENA_PASSWORD)")->type_name("FILE");
  adding->add_option("--cafile", arguments->context.ca_file, "The authority that vouches for the server, as PEM")->type_name("FILE");
  adding->add_flag("--insecure", arguments->context.insecure, "Take any server for the right one: for trials only");
  command("ls", "List them; the chosen one is marked", list, false)
      ->add_option("--output", arguments->output, "How to print them")
      ->check(CLI::IsMember({"table", "json"}).description(""))
      ->type_name("table|json")
      ->capture_default_str();
  command("use", "Choose one for commands that are told none", use, true);
  command("rm", "Forget one", remove, true);
}

}  // namespace arena::cli
