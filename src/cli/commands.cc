#include "cli/commands.h"

#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>

#include <charconv>
#include <cmath>
#include <cstdio>
#include <exception>
#include <iostream>
#include <string>
#include <system_error>
#include <vector>

#include "base/hash.h"
#include "server/seed.h"
#include "server/settings.h"

namespace arena::cli {

namespace {

std::string footer() {
  std::string text = "Exit codes:";
  for (const ExitCode& exit : kExitCodes) text += fmt::format("\n  {:3}  {}", exit.code, exit.meaning);
  return text;
}

// The parser itself would only say that a command is missing.
bool is_known(const CLI::App& app, std::string_view word) {
  if (word.empty() || word.front() == '-') return true;
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands({})) names.push_back(command->get_name());
  const std::vector<std::string_view> known(names.begin(), names.end());
  for (const std::string_view name : known) {
    if (name == word) return true;
  }
  const std::string_view best = server::nearest(word, known);
  complain(kUsage, fmt::format("there is no command \"{}\"", word),
           best.empty() ? "arena --help" : fmt::format("arena {}", best));
  return false;
}

// Of the command that was meant, as far as that was understood.
std::string help_of(const CLI::App& app) {
  std::string words = app.get_name();
  for (const CLI::App* at = &app; !at->get_subcommands().empty();) {
    at = at->get_subcommands().front();
    words += " " + at->get_name();
  }
  return words + " --help";
}

}  // namespace

std::string check_not_negative(const std::string& text) {
  double value = -1;
  const char* end = text.data() + text.size();
  const auto [last, error] = std::from_chars(text.data(), end, value);
  const bool good = error == std::errc() && last == end && std::isfinite(value) && value >= 0;
  return good ? std::string() : fmt::format("{} is no number of 0 or more", text.size() > 40 ? "that" : text);
}

void add_commands(CLI::App& app, int& exit_code) {
  add_bench_command(app, exit_code);
  add_client_command(app, exit_code);
  add_completion_command(app, exit_code);
  add_config_command(app, exit_code);
  add_context_command(app, exit_code);
  add_dev_command(app, exit_code);
  add_doctor_command(app, exit_code);
  add_history_command(app, exit_code);
  add_man_command(app, exit_code);
  add_pub_command(app, exit_code);
  add_retained_command(app, exit_code);
  add_server_command(app, exit_code);
  add_store_command(app, exit_code);
  add_stream_command(app, exit_code);
  add_sub_command(app, exit_code);
  add_user_command(app, exit_code);
  add_version_command(app, exit_code);
}

void print(std::string_view data) { std::fwrite(data.data(), 1, data.size(), stdout); }

void say(std::string_view line) { fmt::print(stderr, "{}\n", line); }

int complain(int exit_code, std::string_view what, std::string_view next) {
  fmt::print(stderr, "arena: {}\n", what);
  if (!next.empty()) fmt::print(stderr, "  next: {}\n", next);
  return exit_code;
}

std::string shell_word(std::string_view word) {
  constexpr std::string_view kPlain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-:=@+,";
  if (!word.empty() && word.find_first_not_of(kPlain) == std::string_view::npos) return std::string(word);
  std::string out = "'";
  for (const char c : word) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

bool is_sure(bool yes, std::string_view name, std::string_view what) {
  if (yes) return true;
  if (::isatty(STDIN_FILENO) == 0) {
    complain(kUsage, fmt::format("this {} for ever", what), "say that you mean it: --yes");
    return false;
  }
  fmt::print(stderr, "This {} for ever. Type its name to go on: ", what);
  std::string typed;
  std::getline(std::cin, typed);
  if (typed == name) return true;
  complain(kUsage, "that is not its name: nothing was done", fmt::format("type {}, or say --yes", name));
  return false;
}

int run(int argc, const char* const* argv) {
  StringHash::seed = server::process_seed();  // before the first table is made: all are read with the same seed
  CLI::App app("Arena: one broker, every real-time protocol, one message", "arena");
  app.footer(footer());
  app.require_subcommand(1);
  int exit_code = kOk;
  try {
    add_commands(app, exit_code);
    if (argc > 1 && !is_known(app, argv[1])) return kUsage;
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);  // help was asked for
    return complain(kUsage, error.what(), help_of(app));
  } catch (const std::exception& error) {
    exit_code = complain(kFailed, error.what(), "this is a fault of Arena's: report it, with the command");
  }
  // What was printed must have arrived: a full disk is not success.
  const bool arrived = std::fflush(stdout) == 0 && std::ferror(stdout) == 0;
  if (!arrived && exit_code == kOk) exit_code = complain(kFailed, "cannot write the output", "is the disk full?");
  return exit_code;
}

}  // namespace arena::cli
