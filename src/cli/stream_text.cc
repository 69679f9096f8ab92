#include "cli/stream_text.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <string_view>
#include <vector>

#include "base/units.h"

namespace arena::cli {

namespace {

using nlohmann::json;

uint64_t number(const json& stream, const char* field) {
  return stream.contains(field) && stream[field].is_number_unsigned() ? stream[field].get<uint64_t>() : 0;
}

std::string filters_of(const json& stream) {
  return fmt::format("{}", fmt::join(stream.value("filters", std::vector<std::string>()), " "));
}

std::string age(const json& stream) { return age_text(static_cast<int64_t>(number(stream, "max_age_ms"))); }

// "7d, 10.0 GB, 1000 messages"
std::string kept(const json& stream) {
  std::vector<std::string> limits;
  if (number(stream, "max_age_ms") != 0) limits.push_back(age(stream));
  if (number(stream, "max_bytes") != 0) limits.push_back(bytes_text(number(stream, "max_bytes")));
  if (number(stream, "max_messages") != 0) limits.push_back(fmt::format("{} messages", number(stream, "max_messages")));
  return limits.empty() ? "everything" : fmt::format("{}", fmt::join(limits, ", "));
}

std::string limit(uint64_t value, const std::string& text) { return value == 0 ? "none" : text; }

}  // namespace

std::string streams_table(const std::string& answer) {
  const json body = json::parse(answer, nullptr, false);
  if (!body.is_object() || !body.contains("items") || !body["items"].is_array()) return {};
  std::vector<json> streams(body["items"].begin(), body["items"].end());
  if (streams.empty()) return {};
  std::stable_sort(streams.begin(), streams.end(), [](const json& a, const json& b) { return number(a, "bytes") > number(b, "bytes"); });
  std::vector<std::array<std::string, 5>> rows{{"STREAM", "MESSAGES", "BYTES", "KEEPS", "TOPICS"}};
  for (const json& stream : streams) {
    rows.push_back({stream.value("name", ""), std::to_string(number(stream, "messages")),
                    bytes_text(number(stream, "bytes")) + (stream.value("full", false) ? " (full)" : ""), kept(stream), filters_of(stream)});
  }
  std::array<std::size_t, 4> widths{};
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < widths.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string out;
  for (const auto& row : rows) {
    out += fmt::format("{:<{}}  {:>{}}  {:>{}}  {:<{}}  {}\n", row[0], widths[0], row[1], widths[1], row[2], widths[2], row[3], widths[3], row[4]);
  }
  return out;
}

std::string stream_text(const std::string& answer) {
  const json stream = json::parse(answer, nullptr, false);
  if (!stream.is_object()) return {};
  return fmt::format(
      "name          {}\ntopics        {}\ncreated       {}\nmessages      {}\nbytes         {}{}\n"
      "max age       {}\nmax bytes     {}\nmax messages  {}\nbudget        {}\n",
      stream.value("name", ""), filters_of(stream), stream.value("created", ""), number(stream, "messages"), number(stream, "bytes"),
      stream.value("full", false) ? " (over its budget: publishes to it are refused)" : "", limit(number(stream, "max_age_ms"), age(stream)),
      limit(number(stream, "max_bytes"), std::to_string(number(stream, "max_bytes"))),
      limit(number(stream, "max_messages"), std::to_string(number(stream, "max_messages"))),
      limit(number(stream, "budget_bytes"), std::to_string(number(stream, "budget_bytes"))));
}

}  // namespace arena::cli
