#include "cli/command_tree.h"

#include <CLI/CLI.hpp>

#include <string_view>

namespace arena::cli {

namespace {

// Without the checks, which the parser appends: "INT:INT in [0 - 2]".
std::string value_name(const CLI::Option& option) {
  if (option.get_items_expected_max() == 0) return {};
  const std::string name = option.get_type_name();
  return name.substr(0, name.find(':'));
}

OptionDoc option_doc(const CLI::Option& option) {
  OptionDoc doc;
  for (const std::string& name : option.get_lnames()) doc.names.push_back("--" + name);
  for (const std::string& name : option.get_snames()) doc.names.push_back("-" + name);
  doc.value = value_name(option);
  doc.description = option.get_description();
  doc.default_text = option.get_default_str();
  doc.environment = option.get_envname();
  doc.repeats = option.get_items_expected_max() > 1;
  return doc;
}

PositionalDoc positional_doc(const CLI::Option& option) {
  return {option.get_name(true, false).substr(0, option.get_name(true, false).find(',')),
          option.get_description(), option.get_required(), option.get_items_expected_max() > 1};
}

CommandDoc command_doc(const CLI::App& app, const std::string& parent) {
  CommandDoc doc;
  doc.name = app.get_name();
  doc.path = parent.empty() ? doc.name : parent + " " + doc.name;
  doc.description = app.get_description();
  for (const CLI::Option* option : app.get_options({})) {
    if (option->get_positional()) doc.positionals.push_back(positional_doc(*option));
    if (option->nonpositional()) doc.options.push_back(option_doc(*option));
  }
  for (const CLI::App* command : app.get_subcommands({}))
    doc.commands.push_back(command_doc(*command, doc.path));
  return doc;
}

void collect(const CommandDoc& command, std::vector<const CommandDoc*>& found) {
  found.push_back(&command);
  for (const CommandDoc& below : command.commands) collect(below, found);
}

}  // namespace

std::vector<std::string> OptionDoc::choices() const {
  std::vector<std::string> words;
  if (value.find('|') == std::string::npos) return words;
  std::string_view rest = value;
  while (true) {
    const std::size_t bar = rest.find('|');
    words.emplace_back(rest.substr(0, bar));
    if (bar == std::string_view::npos) return words;
    rest.remove_prefix(bar + 1);
  }
}

CommandDoc command_tree_of(const CLI::App& app) {
  return command_doc(app, {});
}

std::vector<const CommandDoc*> all_commands(const CommandDoc& root) {
  std::vector<const CommandDoc*> found;
  collect(root, found);
  return found;
}

}  // namespace arena::cli
