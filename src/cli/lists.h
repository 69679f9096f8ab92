// Lists that a server gives page by page, as tables or as JSON, an object a line.
#pragma once

#include <cstdint>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <utility>
#include <vector>

#include "cli/admin.h"

namespace arena::cli {

// A headline and what stands below it.
using Columns = std::vector<std::pair<std::string, std::function<std::string(const nlohmann::ordered_json& item)>>>;

// All of the list at `path`, up to `limit` (0: no limit). Returns an exit code; `none` is said where there is nothing.
int print_list(const AdminTarget& target, const std::string& path, const std::string& query, uint64_t limit, bool as_json, const Columns& columns, const std::string& none);
// What the field of an item says; empty for none.
std::string field_text(const nlohmann::ordered_json& item, const char* name);

}  // namespace arena::cli
