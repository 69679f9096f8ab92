// UTF-8 checks for text that came from outside.
#pragma once

#include <string_view>

namespace arena {

// Well-formed UTF-8: shortest forms, no surrogates, at most U+10FFFF. U+0000 is well formed here.
bool is_utf8(std::string_view text);
// What MQTT calls a UTF-8 encoded string: well formed and without U+0000 [MQTT-1.5.4-1/2].
bool is_utf8_without_nul(std::string_view text);

}  // namespace arena
