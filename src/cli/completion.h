// Shell completions as text, made from the commands.
#pragma once

#include <string>

#include "cli/command_tree.h"

namespace arena::cli {

std::string bash_completion(const CommandDoc& root);
std::string zsh_completion(const CommandDoc& root);
std::string fish_completion(const CommandDoc& root);

}  // namespace arena::cli
