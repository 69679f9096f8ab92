// Servers that commands know by name: where they are and who asks. A file of the user's own.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "cli/http_ask.h"

namespace arena::cli {

struct Context {
  std::string name;
  std::string url;
  std::string user;           // empty: nobody's name
  std::string password_file;  // its first line; empty: ARENA_PASSWORD
  std::string ca_file;
  bool insecure = false;
};

struct Contexts {
  std::vector<Context> all;  // by name
  std::string chosen;        // what commands take that are told none; empty: none

  const Context* find(const std::string& name) const;
  void put(Context context);
  bool remove(const std::string& name);
};

// $XDG_CONFIG_HOME/arena/contexts.json, or below ~/.config. Empty: there is no home.
std::string contexts_path();
// None are there where there is no file.
Result<Contexts> load_contexts(const std::string& path);
// For its owner's eyes only. Blocks.
Status save_contexts(const std::string& path, const Contexts& contexts);

// With its password read. The reason when it cannot be.
Result<HttpTarget> target_of(const Context& context);

}  // namespace arena::cli
