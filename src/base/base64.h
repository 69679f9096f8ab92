// Bytes as text (RFC 4648, section 4, padded).
#pragma once

#include <string>
#include <string_view>

namespace arena {

std::string base64(std::string_view bytes);

}  // namespace arena
