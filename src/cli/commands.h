// The commands of `arena`. Each adds itself to the parser and, when it is the one chosen, does its work from the
// parser's callback and tells how it ended. A new command: one file, one line here, one in commands.cc.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace CLI {
class App;
}

namespace arena::cli {

// The process's exit code; documented, and stable for scripts.
inline constexpr int kOk = 0;
inline constexpr int kFailed = 1;      // it was tried and did not work
inline constexpr int kUsage = 2;       // wrong arguments or configuration; nothing was tried
inline constexpr int kRefused = 3;     // the credentials or permissions do not suffice
inline constexpr int kUnhealthy = 10;   // something is in the way of a healthy server
inline constexpr int kTimedOut = 124;  // as timeout(1) says it

struct ExitCode {
  int code;
  std::string_view meaning;
};
inline constexpr std::array<ExitCode, 6> kExitCodes{{
    {kOk, "done"},
    {kFailed, "tried, and failed"},
    {kUsage, "wrong arguments or configuration; nothing was tried"},
    {kRefused, "refused: credentials or permissions do not suffice"},
    {kUnhealthy, "unhealthy: something is in the way of a server"},
    {kTimedOut, "timed out"},
}};

void add_bench_command(CLI::App& app, int& exit_code);
void add_client_command(CLI::App& app, int& exit_code);
void add_completion_command(CLI::App& app, int& exit_code);
void add_config_command(CLI::App& app, int& exit_code);
void add_context_command(CLI::App& app, int& exit_code);
void add_dev_command(CLI::App& app, int& exit_code);
void add_doctor_command(CLI::App& app, int& exit_code);
void add_history_command(CLI::App& app, int& exit_code);
void add_man_command(CLI::App& app, int& exit_code);
void add_pub_command(CLI::App& app, int& exit_code);
void add_retained_command(CLI::App& app, int& exit_code);
void add_server_command(CLI::App& app, int& exit_code);
void add_store_command(CLI::App& app, int& exit_code);
void add_stream_command(CLI::App& app, int& exit_code);
void add_sub_command(CLI::App& app, int& exit_code);
void add_user_command(CLI::App& app, int& exit_code);
void add_version_command(CLI::App& app, int& exit_code);

// Adds all of the above.
void add_commands(CLI::App& app, int& exit_code);

// A check for options that take a number: it is finite and not negative (an unsigned option would take -1 for a huge one).
std::string check_not_negative(const std::string& text);

// Data goes to stdout, talk to stderr. An error says what and why and, where there is one, what to do next.
void print(std::string_view data);
void say(std::string_view line);
// Returns `exit_code`.
int complain(int exit_code, std::string_view what, std::string_view next = {});

// A word of a command as a shell takes it.
std::string shell_word(std::string_view word);

// For what deletes: --yes was given, or `name` is typed on a terminal. Otherwise complains; `what` is a sentence behind "This".
bool is_sure(bool yes, std::string_view name, std::string_view what);

// Parses, runs one command, returns the exit code. The whole of main().
int run(int argc, const char* const* argv);

}  // namespace arena::cli
