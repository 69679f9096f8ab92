// Lists that a server gives page by page, as tables or as JSON, an object a line.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "cli/admin.h"

namespace arena::cli {

// One of a list, an object as the server gave it.
class ListItem {
 public:
  explicit ListItem(const void* json) : json_(json) {}
  // What the field says; empty where it says nothing.
  std::string text(const char* field) const;
  bool has(const char* field) const;

 private:
  const void* json_;
};

// A headline and what stands below it.
using Columns = std::vector<std::pair<std::string, std::function<std::string(const ListItem& item)>>>;
// Of a field as it is.
std::pair<std::string, std::function<std::string(const ListItem& item)>> column(const char* headline, const char* field);

// All of the list at `path`, up to `limit` (0: no limit). Returns an exit code; `none` is said where there is nothing.
int print_list(const AdminTarget& target, const std::string& path, const std::string& query, uint64_t limit, bool as_json, const Columns& columns, const std::string& none);

}  // namespace arena::cli
