#include "cli/lists.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/printable.h"
#include "cli/commands.h"

namespace arena::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr uint64_t kPageMax = 1000;

std::string table_of(const std::vector<Json>& items, const Columns& columns) {
  std::vector<std::vector<std::string>> rows(1);
  for (const auto& column : columns) rows[0].push_back(column.first);
  for (const Json& item : items) {
    std::vector<std::string>& row = rows.emplace_back();
    for (const auto& column : columns) row.push_back(printable(column.second(ListItem(&item))));
  }
  std::string out;
  std::vector<std::size_t> widths(columns.size());
  for (const auto& row : rows) {
    for (std::size_t i = 0; i + 1 < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) out += fmt::format("{:<{}}{}", row[i], widths[i], i + 1 == row.size() ? "\n" : "  ");
  }
  return out;
}

}  // namespace

int print_list(const AdminTarget& target, const std::string& path, const std::string& query, uint64_t limit, bool as_json, const Columns& columns, const std::string& none) {
  const auto door = door_of(target);
  if (!door) return complain_of_door(door.error());
  std::vector<Json> items;
  uint64_t left = limit == 0 ? UINT64_MAX : limit;
  std::string after;
  for (bool more = true; more && left > 0;) {
    const auto answer = ask(*door, {"GET", path, fmt::format("{}{}limit={}{}", query, query.empty() ? "" : "&", std::min(left, kPageMax), after), ""});
    if (!answer) return complain_of(answer.error());
    const Json page = Json::parse(*answer, nullptr, false);
    if (!page.is_object() || !page.contains("items") || !page["items"].is_array()) return complain(kFailed, "the server's answer makes no sense", "is it an Arena of this release?");
    for (const Json& item : page["items"]) {
      if (as_json) {
        print(item.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n");
      } else {
        items.push_back(item);
      }
      --left;
    }
    more = page.value("more", false) && page.contains("next");
    if (more) after = "&after=" + percent_encoded(page.value("next", ""));
    if (more && left == 0) say("there is more: --limit 0 shows all");
  }
  if (as_json) return kOk;
  if (items.empty()) {
    say(none);
  } else {
    print(table_of(items, columns));
  }
  return kOk;
}

std::string ListItem::text(const char* field) const {
  const Json& item = *static_cast<const Json*>(json_);
  const auto found = item.find(field);
  if (found == item.end() || found->is_null()) return {};
  return found->is_string() ? found->get<std::string>() : found->dump();
}

bool ListItem::has(const char* field) const { return static_cast<const Json*>(json_)->contains(field); }

std::pair<std::string, std::function<std::string(const ListItem& item)>> column(const char* headline, const char* field) {
  return {headline, [field](const ListItem& item) { return item.text(field); }};
}

}  // namespace arena::cli
