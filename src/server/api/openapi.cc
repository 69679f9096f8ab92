// The OpenAPI document from the table of operations.
#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>

#include "codec/http/message.h"
#include "server/api/operations.h"

namespace arena::server {
namespace {

using Json = nlohmann::ordered_json;

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
  return out;
}

// The next of some words with spaces between; empty: that was the last.
std::string_view next_word(std::string_view& words) {
  const std::size_t end = std::min(words.find(' '), words.size());
  const std::string_view word = words.substr(0, end);
  words.remove_prefix(std::min(end + 1, words.size()));
  return word;
}

Json ref(std::string_view kind, std::string_view name) { return {{"$ref", "#/components/" + std::string(kind) + "/" + std::string(name)}}; }

// "404", "200=Receipt" or "200=".
void add_answer(std::string_view word, const Json& components, Json& answers) {
  const std::size_t equals = word.find('=');
  const std::string status(word.substr(0, equals));
  if (equals == std::string_view::npos) {
    answers[status] = ref("responses", "Problem");
    return;
  }
  const std::string name(word.substr(equals + 1));
  if (components["responses"].contains(name)) {
    answers[status] = ref("responses", name);
    return;
  }
  answers[status] = {{"description", http::reason_phrase(std::stoi(status))}};
  if (!name.empty()) answers[status]["content"]["application/json"]["schema"] = ref("schemas", name);
}

Json json_of(const Operation& operation, const Json& components) {
  Json out = {{"operationId", operation.id}, {"tags", {operation.tag}}, {"summary", operation.summary}};
  std::string_view words = operation.parameters;
  while (!words.empty()) out["parameters"].push_back(ref("parameters", next_word(words)));
  if (!operation.body.empty()) out["requestBody"] = ref("requestBodies", operation.body);
  words = operation.answers;
  while (!words.empty()) add_answer(next_word(words), components, out["responses"]);
  if (operation.open) out["security"] = Json::array();
  return out;
}

}  // namespace

std::string openapi_json(std::string_view version) {
  Json document = {{"openapi", "3.1.0"},
                   {"info",
                    {{"title", "Arena"},
                     {"version", version},
                     {"summary", "A real-time messaging broker over HTTP"},
                     {"description", "Topics are those of MQTT and of every other door. {topic} is the rest of the path: its slashes may stand as they are."}}},
                   {"security", Json::array({{{"basic", Json::array()}}, {{"bearer", Json::array()}}, Json::object()})}};
  const Json components = Json::parse(openapi_components());
  for (const Operation& operation : operations()) document["paths"][std::string(operation.path)][lower(operation.method)] = json_of(operation, components);
  document["components"] = components;
  return document.dump();
}

}  // namespace arena::server
