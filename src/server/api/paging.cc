#include "server/api/paging.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/base64.h"
#include "message/topic.h"

namespace arena::server {

std::optional<ApiResponse> read_limit(const std::string& value, std::size_t& limit) {
  const auto [end, fault] = std::from_chars(value.data(), value.data() + value.size(), limit);
  if (fault != std::errc{} || end != value.data() + value.size() || limit == 0 || limit > kPageMax) {
    return problem(400, "bad_parameter", fmt::format("\"limit\" is a number from 1 to {}", kPageMax), "?limit");
  }
  return std::nullopt;
}

std::optional<ApiResponse> read_filter(const std::string& value, std::string& filter) {
  if (const auto fault = check_filter(value)) {
    return problem(400, "bad_parameter", fmt::format("\"{}\" is no filter: {}", value, to_string(*fault)), "?topic");
  }
  filter = value;
  return std::nullopt;
}

std::optional<ApiResponse> read_cursor(const std::string& value, std::string& place) {
  std::string plain = value;
  std::replace(plain.begin(), plain.end(), '-', '+');
  std::replace(plain.begin(), plain.end(), '_', '/');
  auto decoded = base64_decode(plain);
  if (!decoded || decoded->empty()) return problem(400, "bad_parameter", "\"after\" is the \"next\" of the page before", "?after");
  place = std::move(*decoded);
  return std::nullopt;
}

ApiResponse unknown_parameter(const std::string& name, std::string_view known) {
  return problem(400, "unknown_parameter", fmt::format("there is no parameter \"{}\": {}", name, known), "?" + name);
}

std::string cursor_of(std::string_view place) {
  std::string out = base64(place);
  std::replace(out.begin(), out.end(), '+', '-');
  std::replace(out.begin(), out.end(), '/', '_');
  return out;
}

ApiResponse page_answer(const std::string& items, bool more, std::string_view next_place) {
  const std::string cursor = more ? cursor_of(next_place) : std::string();
  const std::string next = more ? fmt::format(",\"next\":\"{}\"", cursor) : "";
  return {200, fmt::format("{{\"items\":[{}]{},\"more\":{}}}", items, next, more), more ? "after=" + cursor : ""};
}

}  // namespace arena::server
