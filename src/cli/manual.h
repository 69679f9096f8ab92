// The manual page as roff, made from the commands.
#pragma once

#include <string>
#include <string_view>

#include "cli/command_tree.h"

namespace arena::cli {

std::string manual_page(const CommandDoc& root, std::string_view version);

}  // namespace arena::cli
