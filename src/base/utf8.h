// UTF-8 checks for text that came from outside.
#pragma once

#include <cstdint>
#include <string_view>

namespace arena {

// Well-formed UTF-8: shortest forms, no surrogates, at most U+10FFFF. U+0000 is well formed here.
bool is_utf8(std::string_view text);
// What MQTT calls a UTF-8 encoded string: well formed and without U+0000 [MQTT-1.5.4-1/2].
bool is_utf8_without_nul(std::string_view text);

// The same for text that comes in pieces, cut anywhere. The first byte that cannot be is refused at once.
class Utf8Checker {
 public:
  // False: it is no UTF-8, whatever follows.
  bool take(std::string_view piece);
  // No character has begun that is not at its end.
  bool complete() const { return left_ == 0; }

 private:
  uint8_t left_ = 0;  // bytes of the character that are still to come
  uint8_t low_ = 0x80;
  uint8_t high_ = 0xBF;  // range of the next of them
};

}  // namespace arena
