// Text of others for a person's eyes: nothing in it makes a terminal act or begins a line of its own.
#pragma once

#include <string>
#include <string_view>

namespace arena {

// Appends `text` with its controls (C0, C1, DEL and Unicode's line ends) escaped as in JSON, as \n or \u001b, each character
// of `also` behind a backslash, and U+FFFD for each byte that is not UTF-8.
void append_printable(std::string& out, std::string_view text, std::string_view also = {});
inline std::string printable(std::string_view text) {
  std::string out;
  append_printable(out, text);
  return out;
}

}  // namespace arena
