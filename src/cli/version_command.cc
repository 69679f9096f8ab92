// arena version
#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "cli/commands.h"
#include "server/version.h"

namespace arena::cli {

void add_version_command(CLI::App& app, Exit& exit) {
  CLI::App* command = app.add_subcommand("version", "Print the version");
  command->callback([&exit] {
    print(fmt::format("arena {}\n", server::kVersion));
    exit = Exit::ok;
  });
}

}  // namespace arena::cli
