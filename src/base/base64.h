// Bytes as text (RFC 4648, section 4, padded).
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace arena {

std::string base64(std::string_view bytes);
// nullopt: not in that form, padding included.
std::optional<std::string> base64_decode(std::string_view text);

}  // namespace arena
