// The commands and their options as plain data, read from the parser: completions and the manual are made
// from it, so that they cannot say anything else than the parser does.
#pragma once

#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace arena::cli {

struct OptionDoc {
  std::vector<std::string> names;  // "--host", "-h"; long ones first
  std::string value;               // what stands behind it: "TEXT", "FILE", "text|json"; empty: nothing does
  std::string description;
  std::string default_text;
  std::string environment;  // a variable that sets it
  bool repeats = false;

  // Of "text|json"; empty when any value will do.
  std::vector<std::string> choices() const;
};

struct PositionalDoc {
  std::string name;
  std::string description;
  bool required = false;
  bool repeats = false;
};

struct CommandDoc {
  std::string path;  // "arena bench pairs"
  std::string name;  // "pairs"
  std::string description;
  std::vector<OptionDoc> options;
  std::vector<PositionalDoc> positionals;
  std::vector<CommandDoc> commands;
};

CommandDoc command_tree_of(const CLI::App& app);
// The command itself and all below it, each before its own commands.
std::vector<const CommandDoc*> all_commands(const CommandDoc& root);

}  // namespace arena::cli
