#include "codec/json/message_json.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <ctime>
#include <nlohmann/json.hpp>

#include "base/base64.h"
#include "base/utf8.h"

namespace arena {
namespace {

using Json = nlohmann::ordered_json;

Json headers_of(const std::vector<Header>& headers) {
  Json out = Json::object();
  for (const auto& [name, value] : headers) {
    if (!out.contains(name)) {
      out[name] = value;
    } else if (out[name].is_array()) {
      out[name].push_back(value);
    } else {
      out[name] = Json::array({out[name], value});
    }
  }
  return out;
}

}  // namespace

std::string time_text(int64_t unix_ms) {
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z", fmt::gmtime(static_cast<std::time_t>(unix_ms / 1000)), unix_ms % 1000);
}

std::string message_json(const Message& message, std::string_view position) {
  const bool is_text = is_utf8(message.payload);
  Json out = {{"topic", message.topic}, {"payload", is_text ? message.payload : base64(message.payload)}};
  if (!is_text) out["encoding"] = "base64";
  if (message.extras && message.extras->has_content_type) out["content_type"] = message.extras->content_type;
  if (message.extras && !message.extras->headers.empty()) out["headers"] = headers_of(message.extras->headers);
  out["id"] = fmt::format("{:016x}{:016x}", message.id.high, message.id.low);
  out["time"] = time_text(message.published_ms);
  if (!position.empty()) out["position"] = position;
  return out.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace arena
