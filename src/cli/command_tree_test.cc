// Goal: completions and the manual say what the parser knows, whatever characters stand in its descriptions.
#include "cli/command_tree.h"

#include <gtest/gtest.h>

#include <CLI/CLI.hpp>

#include <string>

#include "cli/completion.h"
#include "cli/manual.h"

namespace arena::cli {
namespace {

using Names = std::vector<std::string>;

class CommandTree : public ::testing::Test {
 protected:
  CommandTree() {
    app_.add_option("--size,-s", size_, "It's \"large\": \\ or $HOME")
        ->capture_default_str()
        ->check(CLI::Range(1, 9));
    CLI::App* mend = app_.add_subcommand("mend", "Mend it");
    mend->add_option("what,-w,--what", what_, "Things")->required();
    mend->add_option("--config", file_, "Where")->type_name("FILE")->envname("ODD_CONFIG");
    mend->add_option("--output", output_, "How")->type_name("text|json");
    mend->add_flag("--force", force_, ".starts with a dot");
  }

  static bool has(const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
  }
  CommandDoc tree() const { return command_tree_of(app_); }

  CLI::App app_{"An odd program", "odd"};
  int size_ = 3;
  std::vector<std::string> what_;
  std::string file_;
  std::string output_;
  bool force_ = false;
};

TEST_F(CommandTree, SaysWhatTheParserKnows) {
  const CommandDoc root = tree();
  EXPECT_EQ(root.path, "odd");
  ASSERT_EQ(root.commands.size(), 1u);
  const OptionDoc& size = root.options.back();
  EXPECT_EQ(size.names, (Names{"--size", "-s"}));
  EXPECT_EQ(size.value, "INT");
  EXPECT_EQ(size.default_text, "3");

  const CommandDoc& mend = root.commands.front();
  EXPECT_EQ(mend.path, "odd mend");
  ASSERT_EQ(mend.positionals.size(), 1u);
  EXPECT_EQ(mend.positionals[0].name, "what");
  EXPECT_TRUE(mend.positionals[0].required && mend.positionals[0].repeats);
  ASSERT_EQ(mend.options.size(), 5u);  // help, what, config, output, force
  EXPECT_EQ(mend.options[1].names, (Names{"--what", "-w"}));
  EXPECT_TRUE(mend.options[1].repeats);
  EXPECT_EQ(mend.options[2].environment, "ODD_CONFIG");
  EXPECT_EQ(mend.options[3].choices(), (Names{"text", "json"}));
  EXPECT_EQ(mend.options[4].value, "");
  EXPECT_TRUE(mend.options[4].choices().empty());
}

TEST_F(CommandTree, ListsAllCommandsFromTheTop) {
  const CommandDoc root = tree();
  Names paths;
  for (const CommandDoc* command : all_commands(root)) paths.push_back(command->path);
  EXPECT_EQ(paths, (Names{"odd", "odd mend"}));
}

TEST_F(CommandTree, CompletionsQuoteWhatShellsWouldTakeForTheirOwn) {
  EXPECT_TRUE(has(zsh_completion(tree()), "'--size:It'\\''s \"large\": \\ or $HOME'"));
  EXPECT_TRUE(has(fish_completion(tree()), "-d 'It\\'s \"large\": \\\\ or $HOME'"));
  EXPECT_TRUE(has(bash_completion(tree()),
                  "\"odd mend\") commands=\"\" options=\"--help -h --what -w --config --output --force\""));
}

TEST_F(CommandTree, TheManualEscapesWhatTheFormatterWouldTakeForItsOwn) {
  const std::string page = manual_page(tree(), "1.2");
  EXPECT_TRUE(has(page, ".TH ODD 1 \"\" \"odd 1.2\""));
  EXPECT_TRUE(has(page, "\n\\&.starts with a dot\n"));
  EXPECT_TRUE(
      has(page, "\\fB\\-\\-size\\fR, \\fB\\-s\\fR \\fIINT\\fR\nIt's \"large\": \\e or $HOME (default: 3)\n"));
  EXPECT_TRUE(has(page, "\\fBodd mend\\fR [\\fIOPTIONS\\fR] \\fIwhat\\fR...\n"));
  EXPECT_TRUE(has(page, ".SH EXIT STATUS\n.TP\n\\fB0\\fR\ndone\n"));
}

}  // namespace
}  // namespace arena::cli
