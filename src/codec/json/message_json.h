// A stored message as a JSON object: topic, payload, then what it has of encoding ("base64", for a payload that is not
// UTF-8), content_type, headers (repeated names become lists), then id, time and, where it is kept, position.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "message/message.h"

namespace arena {

std::string message_json(const Message& message, std::string_view position);
// "2026-11-26T10:00:00.123Z"
std::string time_text(int64_t unix_ms);

}  // namespace arena
