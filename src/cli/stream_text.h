// What `arena stream` tells, from the server's answers in JSON.
#pragma once

#include <string>

namespace arena::cli {

// A line each, the largest first, below a headline; nothing when there are none.
std::string streams_table(const std::string& answer);
// A line for each field.
std::string stream_text(const std::string& answer);

}  // namespace arena::cli
