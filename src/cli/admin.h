// What commands share that ask a running server by its store's folder.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "server/api/api.h"

namespace CLI {
class App;
}

namespace arena::cli {

// Where the server's folder is told.
struct AdminTarget {
  std::string data;
  std::string config;
};

// Adds --data and --config.
void add_admin_flags(CLI::App& command, AdminTarget& target);
// --data, or what the configuration (--config, and the environment) says of store.data. Complains when nothing does.
Result<std::string> folder_of(const AdminTarget& target);

struct Refusal {
  int status = 0;    // of the answer; 0: there was none
  std::string what;
  std::string next;
};

// The body of an answer below 400.
Result<std::string, Refusal> ask(const std::string& folder, const server::ApiRequest& request);
// Returns an exit code.
int complain_of(const Refusal& refusal);

// Of one level of a path, or of a value in a query.
std::string percent_encoded(std::string_view text);

}  // namespace arena::cli
