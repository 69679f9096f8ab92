#include "cli/admin.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include <nlohmann/json.hpp>
#include <optional>

#include "cli/commands.h"
#include "cli/contexts.h"
#include "server/admin_socket.h"
#include "server/config.h"

namespace arena::cli {

void add_admin_flags(CLI::App& command, AdminTarget& target) {
  CLI::Option* url = command.add_option("--url", target.url, "Where the server speaks HTTP, such as http://127.0.0.1:8080");
  command.add_option("--context", target.context, "The same, by the name that arena context gave it")->excludes(url);
  command.add_option("-u,--user", target.user, "With --url: who asks; the password is in ARENA_PASSWORD, or in --password-file")->needs(url);
  command.add_option("--password-file", target.password_file, "Its first line is the password")->type_name("FILE")->needs(url);
  command.add_option("--data", target.data, "The running server's store: its store.data, or --data of arena dev")->type_name("DIRECTORY");
  command.add_option("--config", target.config, "The server's configuration, which names the store")->type_name("FILE");
}

Result<std::string> folder_of(const AdminTarget& target) {
  if (!target.data.empty()) return target.data;
  std::optional<std::string> path;
  if (!target.config.empty()) path = target.config;
  const auto loaded = server::load_config(path, server::process_environment());
  if (!loaded) return fail_with(loaded.error().front().text());
  if (loaded->config.store.data.empty()) {
    return fail("it is not said which server is asked");
  }
  return loaded->config.store.data;
}

namespace {

Result<AdminDoor> door_to(const Context& context) {
  auto http = target_of(context);
  if (!http) return fail_with(http.error().reason);
  return AdminDoor{{}, {}, std::move(*http)};
}

// Null: none is meant.
Result<std::optional<Context>> context_of(const AdminTarget& target) {
  if (!target.url.empty()) return std::optional<Context>({"", target.url, target.user, target.password_file, "", false});
  const auto contexts = load_contexts(contexts_path());
  if (!contexts) return fail_with(contexts.error().reason);
  const std::string& name = target.context.empty() ? contexts->chosen : target.context;
  const Context* found = name.empty() ? nullptr : contexts->find(name);
  if (found == nullptr && !target.context.empty()) return fail_with(fmt::format("there is no context \"{}\"; arena context ls tells which there are", name));
  return found == nullptr ? std::optional<Context>() : *found;
}

}  // namespace

static Result<AdminDoor> unnamed_door_of(const AdminTarget& target) {
  const bool by_http = !target.url.empty() || !target.context.empty();
  if (!by_http) {
    auto folder = folder_of(target);
    if (folder) return AdminDoor{{}, std::move(*folder), std::nullopt};
    if (!target.config.empty()) return fail_with(folder.error().reason);
  }
  const auto context = context_of(target);
  if (!context) return fail_with(context.error().reason);
  if (*context) return door_to(**context);
  return fail_with(folder_of(target).error().reason);
}

Result<AdminDoor> door_of(const AdminTarget& target) {
  auto door = unnamed_door_of(target);
  if (door) door->flags = flags_of(target);
  return door;
}

std::string flags_of(const AdminTarget& target) {
  std::string out;
  const auto add = [&](const char* flag, const std::string& value) {
    if (!value.empty()) out += fmt::format(" {} {}", flag, shell_word(value));
  };
  add("--url", target.url);
  add("--context", target.context);
  add("-u", target.user);
  add("--password-file", target.password_file);
  add("--data", target.data);
  add("--config", target.config);
  return out;
}

int complain_of_door(const Error& error) {
  return complain(kUsage, error.reason, "say where it speaks HTTP (--url, --context), or name its store by --data DIR, or by --config and store.data in that file");
}

namespace {

// By what the server answered.
std::string next_of(int status, const server::ApiRequest& request, const std::string& flags) {
  if (status == 401) return "say who asks by -u USER, with the password in ARENA_PASSWORD or --password-file";
  if (status == 403) return "ask as somebody whom the server's rules allow it";
  if (status == 404 || status == 409) {
    if (request.path.starts_with("/v1/streams")) return "arena stream ls" + flags;
    if (request.path.starts_with("/v1/clients") || request.path.starts_with("/v1/sessions")) return "arena client ls --all" + flags;
    if (request.path.starts_with("/v1/topics")) return "arena retained ls" + flags;
    return {};
  }
  return status < 500 ? "say it otherwise: --help tells what there is" : "look into the server's log";
}

}  // namespace

Result<std::string, Refusal> ask(const AdminDoor& door, const server::ApiRequest& request) {
  const auto answer = door.http ? ask_http(*door.http, request) : server::ask_server(door.folder, request);
  if (!answer) {
    const std::string next = answer.error().reached ? "look into the server's log" : door.http ? "start one there, or compare --url with its http.listeners" : fmt::format("start one there: arena dev --data {}", shell_word(door.folder));
    return fail(Refusal{0, answer.error().reason, next});
  }
  if (answer->status < 400) return answer->body;
  const auto body = nlohmann::json::parse(answer->body, nullptr, false);
  const std::string why = body.is_object() ? body.value("detail", "") : "";
  return fail(Refusal{answer->status, why.empty() ? fmt::format("the server says {}", answer->status) : why, next_of(answer->status, request, door.flags)});
}

int complain_of(const Refusal& refusal) {
  const bool refused = refusal.status == 401 || refusal.status == 403;
  return complain(refused ? kRefused : kFailed, refusal.what, refusal.next);
}

std::string percent_encoded(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
    out += plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return out;
}

}  // namespace arena::cli
