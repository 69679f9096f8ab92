// The users file: one "name:hash" per line; '#' begins a comment line. A line that cannot be read refuses the file.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/hash.h"
#include "base/result.h"

namespace arena::access {

inline constexpr std::size_t kUserNameBytesMax = 128;

// Why `name` cannot be a user's name, or nullopt when it can.
std::optional<std::string> check_user_name(std::string_view name);

// Names and password hashes. Immutable once shared; any core.
class UserTable {
 public:
  // `source` stands in errors, "source:line: reason".
  static Result<UserTable> parse(std::string_view text, std::string_view source);
  // Errors for a file that is missing or unreadable, too: what was configured must be there.
  static Result<UserTable> load(const std::string& path);

  bool empty() const { return hashes_.empty(); }
  std::size_t size() const { return hashes_.size(); }
  // Null when there is no such user.
  const std::string* hash_of(std::string_view name) const;
  // Some user's hash, always the same for the same name; the table is not empty. For unknown names.
  const std::string& hash_like(std::string_view name) const;
  const std::vector<std::string>& names() const { return names_; }  // in file order

 private:
  std::vector<std::string> names_;
  std::unordered_map<std::string, std::string, StringHash, std::equal_to<>> hashes_;
};

// Edits of the file on disk: read, change and replace atomically (mode 0600) under a lock, comments kept.
// Blocks; for the command line.
class UsersFile {
 public:
  explicit UsersFile(std::string path) : path_(std::move(path)) {}

  enum class Change { add, replace, remove };
  // add: makes the file if need be, refuses a known name. replace, remove: refuse an unknown name.
  // `hash` is not looked at for remove.
  Status apply(Change change, const std::string& name, const std::string& hash);

 private:
  std::string path_;
};

}  // namespace arena::access
