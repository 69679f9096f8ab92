// The commands of `arena`. Each adds itself to the parser and, when it is the one chosen, does its work from the
// parser's callback and tells how it ended. A new command: one file, one line here, one in commands.cc.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace CLI {
class App;
}

namespace arena::cli {

// The process's exit code; documented, and stable for scripts.
enum class Exit : int {
  ok = 0,
  failed = 1,       // it was tried and did not work
  usage = 2,        // wrong arguments or configuration; nothing was tried
  refused = 3,      // the credentials or permissions do not suffice
  timed_out = 124,  // as timeout(1) says it
};

void add_config_command(CLI::App& app, Exit& exit);
void add_user_command(CLI::App& app, Exit& exit);
void add_version_command(CLI::App& app, Exit& exit);

// Adds all of the above.
void add_commands(CLI::App& app, Exit& exit);

// Data goes to stdout, talk to stderr. An error says what and why and, where there is one, what to do next.
void print(std::string_view data);
void say(std::string_view line);
Exit complain(Exit exit, std::string_view what, std::string_view next = {});

// Parses, runs one command, returns the exit code. The whole of main().
int run(int argc, const char* const* argv);

}  // namespace arena::cli
