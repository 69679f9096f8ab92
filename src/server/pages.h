// The pages that people read.
#pragma once

#include <string>
#include <string_view>

namespace arena::server {

// What is running, and where to go.
std::string welcome_page(std::string_view version);
// All that can be asked over HTTP, from the table of operations.
std::string docs_page(std::string_view version);
std::string_view page_style();

}  // namespace arena::server
