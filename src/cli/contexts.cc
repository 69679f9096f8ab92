#include "cli/contexts.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <utility>

namespace arena::cli {
namespace {

using Json = nlohmann::ordered_json;

std::string from_environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

Context context_in(const std::string& name, const Json& json) {
  return {name, json.value("url", ""), json.value("user", ""), json.value("password_file", ""), json.value("ca_file", ""), json.value("insecure", false)};
}

Json json_of(const Context& context) {
  Json out = {{"url", context.url}};
  if (!context.user.empty()) out["user"] = context.user;
  if (!context.password_file.empty()) out["password_file"] = context.password_file;
  if (!context.ca_file.empty()) out["ca_file"] = context.ca_file;
  if (context.insecure) out["insecure"] = true;
  return out;
}

}  // namespace

const Context* Contexts::find(const std::string& name) const {
  const auto it = std::find_if(all.begin(), all.end(), [&](const Context& one) { return one.name == name; });
  return it == all.end() ? nullptr : &*it;
}

void Contexts::put(Context context) {
  remove(context.name);
  all.insert(std::find_if(all.begin(), all.end(), [&](const Context& one) { return one.name > context.name; }), std::move(context));
}

bool Contexts::remove(const std::string& name) { return std::erase_if(all, [&](const Context& one) { return one.name == name; }) != 0; }

std::string contexts_path() {
  const std::string config = from_environment("XDG_CONFIG_HOME"), home = from_environment("HOME");
  if (!config.empty()) return config + "/arena/contexts.json";
  return home.empty() ? "" : home + "/.config/arena/contexts.json";
}

Result<Contexts> load_contexts(const std::string& path) {
  Contexts contexts;
  std::ifstream file(path);
  if (!file) return contexts;
  const Json json = Json::parse(std::string(std::istreambuf_iterator<char>(file), {}), nullptr, false);
  if (!json.is_object()) return fail_with(fmt::format("{} is no JSON object", path));
  try {
    contexts.chosen = json.value("chosen", "");
    const Json all = json.value("contexts", Json::object());
    for (const auto& [name, one] : all.items()) contexts.put(context_in(name, one));
  } catch (const Json::exception&) {
    return fail_with(fmt::format("{} is not what arena context writes", path));
  }
  return contexts;
}

Status save_contexts(const std::string& path, const Contexts& contexts) {
  Json json = {{"chosen", contexts.chosen}, {"contexts", Json::object()}};
  for (const Context& one : contexts.all) json["contexts"][one.name] = json_of(one);
  std::error_code fault;
  std::filesystem::create_directories(std::filesystem::path(path).parent_path(), fault);
  const std::string beside = path + ".new";
  std::ofstream file(beside, std::ios::trunc);
  std::filesystem::permissions(beside, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write, fault);
  file << json.dump(2, ' ', false, Json::error_handler_t::replace) << '\n';
  file.close();
  if (!file) return fail_with("cannot write " + beside);
  std::filesystem::rename(beside, path, fault);
  return fault ? Status(fail_with(fmt::format("cannot write {}: {}", path, fault.message()))) : Status(Unit{});
}

Result<HttpTarget> target_of(const Context& context) {
  HttpTarget target;
  target.url = context.url;
  target.tls.ca_file = context.ca_file;
  target.tls.insecure = context.insecure;
  if (context.user.empty()) return target;
  target.user = context.user;
  if (context.password_file.empty()) {
    target.password = from_environment("ARENA_PASSWORD");
    return target;
  }
  std::ifstream file(context.password_file);
  if (!std::getline(file, target.password)) return fail_with("cannot read a password from " + context.password_file);
  return target;
}

}  // namespace arena::cli
