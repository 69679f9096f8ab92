// arena version
#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "cli/commands.h"
#include "server/version.h"

namespace arena::cli {

void add_version_command(CLI::App& app, int& exit_code) {
  CLI::App* command = app.add_subcommand("version", "Print the version");
  command->callback([&exit_code] {
    print(fmt::format("arena {}\n", server::kVersion));
    exit_code = kOk;
  });
}

}  // namespace arena::cli
