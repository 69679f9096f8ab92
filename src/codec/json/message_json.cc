#include "codec/json/message_json.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <boost/unordered/unordered_flat_map.hpp>
#include <ctime>
#include <nlohmann/json.hpp>

#include "base/base64.h"
#include "base/hash.h"
#include "base/utf8.h"

namespace arena {
namespace {

bool is_plain(char c) { return c >= ' ' && c < 0x7f && c != '"' && c != '\\'; }

void append_text(std::string& out, std::string_view text) {
  if (std::all_of(text.begin(), text.end(), is_plain)) {
    out += '"';
    out += text;
    out += '"';
  } else {
    out += nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  }
}

void append_member(std::string& out, std::string_view name, std::string_view value) {
  if (out.back() != '{') out += ',';
  append_text(out, name);
  out += ':';
  append_text(out, value);
}

// Values of one name together, names as they first come. Whoever published them chose them, and how many.
void append_headers(std::string& out, const std::vector<Header>& headers) {
  std::vector<std::vector<std::size_t>> groups;
  boost::unordered_flat_map<std::string_view, std::size_t, StringHash> places;
  for (std::size_t i = 0; i < headers.size(); ++i) {
    const auto [place, is_new] = places.emplace(headers[i].first, groups.size());
    if (is_new) groups.emplace_back();
    groups[place->second].push_back(i);
  }
  out += ",\"headers\":{";
  for (const std::vector<std::size_t>& group : groups) {
    const auto& [name, value] = headers[group.front()];
    if (group.size() == 1) {
      append_member(out, name, value);
      continue;
    }
    if (out.back() != '{') out += ',';
    append_text(out, name);
    for (const std::size_t i : group) {
      out += i == group.front() ? ":[" : ",";
      append_text(out, headers[i].second);
    }
    out += ']';
  }
  out += '}';
}

}  // namespace

std::string time_text(int64_t unix_ms) {
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z", fmt::gmtime(static_cast<std::time_t>(unix_ms / 1000)), unix_ms % 1000);
}

std::string message_json(const Message& message, std::string_view position) {
  std::string out = "{";
  append_member(out, "topic", message.topic);
  const bool is_text = is_utf8(message.payload);
  append_member(out, "payload", is_text ? message.payload : base64(message.payload));
  if (!is_text) append_member(out, "encoding", "base64");
  if (message.extras && message.extras->has_content_type) append_member(out, "content_type", message.extras->content_type);
  if (message.extras && !message.extras->headers.empty()) append_headers(out, message.extras->headers);
  append_member(out, "id", fmt::format("{:016x}{:016x}", message.id.high, message.id.low));
  append_member(out, "time", time_text(message.published_ms));
  if (!position.empty()) append_member(out, "position", position);
  return out + '}';
}

}  // namespace arena
