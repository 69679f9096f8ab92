#include <CLI/CLI.hpp>

#include "cli/commands.h"

int main(int argc, char** argv) {
  CLI::App app{"Arena: one broker, every real-time protocol, one message", "arena"};
  app.require_subcommand(1);
  int exit_code = 0;
  arena::cli::add_dev_command(app, exit_code);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : arena::cli::kUsage;
  }
  return exit_code;
}
