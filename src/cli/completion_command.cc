// arena completion SHELL, arena man
#include <CLI/CLI.hpp>

#include <memory>
#include <string>

#include "cli/command_tree.h"
#include "cli/commands.h"
#include "cli/completion.h"
#include "cli/manual.h"
#include "server/version.h"

namespace arena::cli {

// `app` is the parser as a whole; by the time that the callbacks run, all commands are in it.
void add_completion_command(CLI::App& app, int& exit_code) {
  CLI::App* group = app.add_subcommand("completion", "Print the completion of a shell");
  group->require_subcommand(1);
  const auto add = [&](const char* shell, const char* help, std::string (*text)(const CommandDoc&)) {
    group->add_subcommand(shell, help)->callback([&app, &exit_code, text] {
      print(text(command_tree_of(app)));
      exit_code = kOk;
    });
  };
  add("bash", "For ~/.bashrc: source <(arena completion bash)", bash_completion);
  add("zsh", "For ~/.zshrc, after compinit: source <(arena completion zsh)", zsh_completion);
  add("fish", "For ~/.config/fish/completions/arena.fish", fish_completion);
}

void add_man_command(CLI::App& app, int& exit_code) {
  app.add_subcommand("man", "Print the manual page: arena man | man -l -")->callback([&app, &exit_code] {
    print(manual_page(command_tree_of(app), server::kVersion));
    exit_code = kOk;
  });
}

}  // namespace arena::cli
