#include "cli/manual.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cctype>
#include <vector>

#include "cli/commands.h"

namespace arena::cli {

namespace {

// Text in which nothing is taken for a command of the formatter.
std::string roff(std::string_view text) {
  std::string out;
  if (text.starts_with('.') || text.starts_with('\'')) out = "\\&";
  for (const char c : text) {
    if (c == '\\') {
      out += "\\e";
    } else if (c == '-') {
      out += "\\-";
    } else {
      out.push_back(c);
    }
  }
  return out;
}

std::string upper(std::string text) {
  for (char& c : text) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return text;
}

std::string bold(std::string_view text) {
  return "\\fB" + roff(text) + "\\fR";
}
std::string italic(std::string_view text) {
  return "\\fI" + roff(text) + "\\fR";
}

std::string synopsis_of(const CommandDoc& command) {
  std::string line = bold(command.path);
  if (!command.options.empty()) line += " [" + italic("OPTIONS") + "]";
  for (const PositionalDoc& positional : command.positionals) {
    const std::string name = italic(positional.name) + (positional.repeats ? "..." : "");
    line += positional.required ? " " + name : " [" + name + "]";
  }
  return line + "\n";
}

std::string entry(std::string_view term, std::string_view text) {
  return fmt::format(".TP\n{}\n{}\n", term, text);
}

std::string option_entry(const OptionDoc& option) {
  std::vector<std::string> names;
  for (const std::string& name : option.names) names.push_back(bold(name));
  std::string term = fmt::format("{}", fmt::join(names, ", "));
  if (!option.value.empty()) term += " " + italic(option.value);
  if (option.repeats) term += " ...";
  std::string text = roff(option.description);
  if (!option.default_text.empty()) text += roff(fmt::format(" (default: {})", option.default_text));
  if (!option.environment.empty()) text += roff(fmt::format(" (or the variable {})", option.environment));
  return entry(term, text);
}

std::string command_section(const CommandDoc& command) {
  std::string text =
      fmt::format(".SS {}\n{}\n.PP\n{}", roff(command.path), roff(command.description), synopsis_of(command));
  for (const PositionalDoc& positional : command.positionals) {
    text += entry(italic(positional.name), roff(positional.description));
  }
  for (const OptionDoc& option : command.options) text += option_entry(option);
  return text;
}

std::string exit_status() {
  std::string text = ".SH EXIT STATUS\n";
  for (const ExitCode& exit : kExitCodes) text += entry(bold(std::to_string(exit.code)), roff(exit.meaning));
  return text;
}

constexpr std::string_view kEnvironment =
    ".SH ENVIRONMENT\n"
    ".TP\n\\fBARENA_PASSWORD\\fR\nThe password of a client command. Other users of the machine cannot see "
    "it.\n"
    ".TP\n\\fBARENA_\\fISECTION\\fB__\\fINAME\\fR\nA setting of the server, before the configuration file's: "
    "\\fBARENA_MQTT__QOS_MAX=1\\fR.\n"
    ".SH EXAMPLES\n"
    ".EX\narena dev\narena sub \\(aqdemo/#\\(aq\narena pub demo/hello \\(aqHello, world\\(aq\n"
    "arena doctor \\-\\-config arena.toml\narena bench pairs \\-\\-rate 200 \\-\\-output json\n.EE\n";

}  // namespace

std::string manual_page(const CommandDoc& root, std::string_view version) {
  std::string text = fmt::format(
      ".\\\" Made by: {0} man. Change the commands instead.\n"
      ".TH {1} 1 \"\" \"{0} {2}\" \"User Commands\"\n"
      ".SH NAME\n{0} \\- a real\\-time messaging broker, and clients for it\n.SH SYNOPSIS\n",
      root.name, upper(root.name), version);
  for (const CommandDoc* command : all_commands(root)) {
    if (command->commands.empty()) text += synopsis_of(*command) + ".br\n";
  }
  text += fmt::format(
      ".SH DESCRIPTION\n{}.\nData goes to standard output, all else to standard error.\n.SH COMMANDS\n",
      roff(root.description));
  for (const CommandDoc* command : all_commands(root)) {
    const bool says_something = command->commands.empty() || command->options.size() > 1;  // more than --help
    if (says_something) text += command_section(*command);
  }
  return text + exit_status() + std::string(kEnvironment);
}

}  // namespace arena::cli
