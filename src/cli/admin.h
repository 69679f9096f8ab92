// What commands share that ask a running server: by the folder of its store, on its own machine, or over HTTP.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "cli/http_ask.h"
#include "server/api/api.h"

namespace CLI {
class App;
}

namespace arena::cli {

// As it was told which server is meant.
struct AdminTarget {
  std::string data;
  std::string config;
  std::string url;
  std::string context;
  std::string user;
  std::string password_file;
};

// How it is reached.
struct AdminDoor {
  std::string flags;                // " --data DIR" and the like: so a further command means the same server
  std::string folder;               // of its store
  std::optional<HttpTarget> http;   // set: this way
};

// Adds --url, --context, -u and --password-file, --data and --config.
void add_admin_flags(CLI::App& command, AdminTarget& target);
// --data, or what the configuration (--config, and the environment) says of store.data. Complains when nothing does.
Result<std::string> folder_of(const AdminTarget& target);
// That, or --url, or --context; where none is given and no folder is configured, the context that was chosen.
Result<AdminDoor> door_of(const AdminTarget& target);

// As they stand in a command, each with a space before it.
std::string flags_of(const AdminTarget& target);

// When that is not known; returns an exit code.
int complain_of_door(const Error& error);

struct Refusal {
  int status = 0;    // of the answer; 0: there was none
  std::string what;
  std::string next;
};

// The body of an answer below 400.
Result<std::string, Refusal> ask(const AdminDoor& door, const server::ApiRequest& request);
// Returns an exit code.
int complain_of(const Refusal& refusal);

// Of one level of a path, or of a value in a query.
std::string percent_encoded(std::string_view text);

}  // namespace arena::cli
