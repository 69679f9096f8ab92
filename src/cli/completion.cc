#include "cli/completion.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <string_view>
#include <vector>

namespace arena::cli {

namespace {

// The words after which one is in another command: "arena bench" "arena bench pairs"...
std::string paths_below(const CommandDoc& root, std::string_view separator) {
  std::vector<std::string> paths;
  for (const CommandDoc* command : all_commands(root)) {
    if (command != &root) paths.push_back(fmt::format("\"{}\"", command->path));
  }
  return fmt::format("{}", fmt::join(paths, separator));
}

std::string patterns(const CommandDoc& command, const OptionDoc& option) {
  std::vector<std::string> cases;
  for (const std::string& name : option.names) cases.push_back(fmt::format("\"{} {}\"", command.path, name));
  return fmt::format("{}", fmt::join(cases, "|"));
}

bool wants_file(const OptionDoc& option) {
  return option.value == "FILE" || option.value == "DIRECTORY";
}

// What follows an option: files, one of some words, or something that cannot be guessed.
template <typename Files, typename Words>
std::string value_cases(const CommandDoc& root, Files files, Words words) {
  std::string text;
  for (const CommandDoc* command : all_commands(root)) {
    for (const OptionDoc& option : command->options) {
      if (option.value.empty()) continue;
      const auto choices = option.choices();
      const std::string then = wants_file(option) ? files(option) : choices.empty() ? "" : words(choices);
      text +=
          fmt::format("    {}) {}{}return ;;\n", patterns(*command, option), then, then.empty() ? "" : "; ");
    }
  }
  return text;
}

std::vector<std::string> command_names(const CommandDoc& command) {
  std::vector<std::string> names;
  for (const CommandDoc& below : command.commands) names.push_back(below.name);
  return names;
}

std::vector<std::string> option_names(const CommandDoc& command) {
  std::vector<std::string> names;
  for (const OptionDoc& option : command.options)
    names.insert(names.end(), option.names.begin(), option.names.end());
  return names;
}

// 'it'\''s'
std::string shell_quoted(std::string_view text) {
  std::string quoted = "'";
  for (const char c : text) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

// fish knows two escapes within single quotes.
std::string fish_quoted(std::string_view text) {
  std::string quoted = "'";
  for (const char c : text) {
    if (c == '\'' || c == '\\') quoted.push_back('\\');
    quoted.push_back(c);
  }
  return quoted + "'";
}

std::string fish_option(const CommandDoc& command, const OptionDoc& option) {
  std::string line = fmt::format("complete -c {} -n {}", command.path.substr(0, command.path.find(' ')),
                                 fish_quoted(fmt::format("__arena_at '{}'", command.path)));
  for (const std::string& name : option.names) {
    line += name.starts_with("--") ? fmt::format(" -l {}", name.substr(2))
                                   : fmt::format(" -s {}", name.substr(1));
  }
  if (const auto choices = option.choices(); !choices.empty()) {
    line += fmt::format(" -x -a {}", fish_quoted(fmt::format("{}", fmt::join(choices, " "))));
  } else if (wants_file(option)) {
    line += " -r -F";
  } else if (!option.value.empty()) {
    line += " -x";
  }
  return line + fmt::format(" -d {}\n", fish_quoted(option.description));
}

}  // namespace

std::string bash_completion(const CommandDoc& root) {
  std::string text = fmt::format(
      "# bash completion for {0}. Made by: {0} completion bash\n"
      "_{0}() {{\n"
      "  local cur=${{COMP_WORDS[COMP_CWORD]}} prev=${{COMP_WORDS[COMP_CWORD-1]}} where={0} i\n"
      "  for ((i = 1; i < COMP_CWORD; i++)); do\n"
      "    case \"$where ${{COMP_WORDS[i]}}\" in\n"
      "    {1}) where+=\" ${{COMP_WORDS[i]}}\" ;;\n"
      "    esac\n"
      "  done\n"
      "  COMPREPLY=()\n"
      "  case \"$where $prev\" in\n",
      root.name, paths_below(root, "|"));
  text += value_cases(
      root,
      [](const OptionDoc& option) {
        return fmt::format("compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -{} -- \"$cur\"))",
                           option.value == "FILE" ? "f" : "d");
      },
      [](const std::vector<std::string>& words) {
        return fmt::format("COMPREPLY=($(compgen -W \"{}\" -- \"$cur\"))", fmt::join(words, " "));
      });
  text += "  esac\n  local commands= options=\n  case \"$where\" in\n";
  for (const CommandDoc* command : all_commands(root)) {
    text += fmt::format("    \"{}\") commands=\"{}\" options=\"{}\" ;;\n", command->path,
                        fmt::join(command_names(*command), " "), fmt::join(option_names(*command), " "));
  }
  text += fmt::format(
      "  esac\n"
      "  if [[ $cur == -* || -z $commands ]]; then commands=$options; fi\n"
      "  COMPREPLY=($(compgen -W \"$commands\" -- \"$cur\"))\n"
      "}}\n"
      "complete -F _{0} {0}\n",
      root.name);
  return text;
}

std::string zsh_completion(const CommandDoc& root) {
  std::string text = fmt::format(
      "#compdef {0}\n"
      "# zsh completion for {0}. Made by: {0} completion zsh\n"
      "_{0}() {{\n"
      "  local where={0} word cur=${{words[CURRENT]}} prev=${{words[CURRENT-1]}}\n"
      "  for word in ${{words[2,CURRENT-1]}}; do\n"
      "    case \"$where $word\" in\n"
      "    {1}) where=\"$where $word\" ;;\n"
      "    esac\n"
      "  done\n"
      "  case \"$where $prev\" in\n",
      root.name, paths_below(root, "|"));
  text += value_cases(
      root,
      [](const OptionDoc& option) { return std::string(option.value == "FILE" ? "_files" : "_files -/"); },
      [](const std::vector<std::string>& words) {
        return fmt::format("compadd -- {}", fmt::join(words, " "));
      });
  text += "  esac\n  local -a commands options\n  case \"$where\" in\n";
  for (const CommandDoc* command : all_commands(root)) {
    text += fmt::format("    \"{}\")\n", command->path);
    for (const CommandDoc& below : command->commands) {
      text += fmt::format("      commands+=({})\n", shell_quoted(below.name + ":" + below.description));
    }
    for (const OptionDoc& option : command->options) {
      for (const std::string& name : option.names) {
        text += fmt::format("      options+=({})\n", shell_quoted(name + ":" + option.description));
      }
    }
    text += "      ;;\n";
  }
  text += fmt::format(
      "  esac\n"
      "  if (( $#commands )) && [[ $cur != -* ]]; then _describe command commands; else _describe -o option "
      "options; fi\n"
      "}}\n"
      "if [[ ${{funcstack[1]}} == _{0} ]]; then _{0} \"$@\"; else compdef _{0} {0}; fi\n",
      root.name);
  return text;
}

std::string fish_completion(const CommandDoc& root) {
  std::string text = fmt::format(
      "# fish completion for {0}. Made by: {0} completion fish\n"
      "function __arena_at\n"
      "    set -l where {0}\n"
      "    for word in (commandline -opc)[2..-1]\n"
      "        switch \"$where $word\"\n"
      "            case {1}\n"
      "                set where \"$where $word\"\n"
      "        end\n"
      "    end\n"
      "    test \"$where\" = $argv[1]\n"
      "end\n"
      "complete -c {0} -f\n",
      root.name, paths_below(root, " "));
  for (const CommandDoc* command : all_commands(root)) {
    const std::string at = fish_quoted(fmt::format("__arena_at '{}'", command->path));
    for (const CommandDoc& below : command->commands) {
      text += fmt::format("complete -c {} -n {} -a {} -d {}\n", root.name, at, below.name,
                          fish_quoted(below.description));
    }
    for (const OptionDoc& option : command->options) text += fish_option(*command, option);
  }
  return text;
}

}  // namespace arena::cli
