#include "cli/admin.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include <nlohmann/json.hpp>
#include <optional>

#include "cli/commands.h"
#include "server/admin_socket.h"
#include "server/config.h"

namespace arena::cli {

void add_admin_flags(CLI::App& command, AdminTarget& target) {
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
    return fail("which server? Name its store by --data DIR, or by --config and store.data in that file; one that keeps all in memory cannot be asked");
  }
  return loaded->config.store.data;
}

Result<std::string, Refusal> ask(const std::string& folder, const server::ApiRequest& request) {
  const auto answer = server::ask_server(folder, request);
  if (!answer) {
    const std::string next = answer.error().reached ? "look into the server's log" : fmt::format("start one there: arena dev --data {}", folder);
    return fail(Refusal{0, answer.error().reason, next});
  }
  if (answer->status < 400) return answer->body;
  const auto body = nlohmann::json::parse(answer->body, nullptr, false);
  const std::string why = body.is_object() ? body.value("detail", "") : "";
  return fail(Refusal{answer->status, why.empty() ? fmt::format("the server says {}", answer->status) : why, {}});
}

int complain_of(const Refusal& refusal) { return complain(kFailed, refusal.what, refusal.next); }

std::string percent_encoded(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
    out += plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return out;
}

}  // namespace arena::cli
