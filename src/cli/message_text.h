// Messages as text for people and scripts.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "codec/mqtt/packet.h"

namespace arena::cli {

// %t topic, %p payload, %c who published (what MQTT does not tell: "-"), %q guarantee, %r retained (0 or 1), %l
// payload bytes, %o position in its stream ("-": it says none), %% a percent sign. A reason when it has another.
Status check_format(std::string_view format);
void append_formatted(std::string& out, std::string_view format, const mqtt::Publish& message);

// With quotes; `text` is UTF-8.
void append_json_string(std::string& out, std::string_view text);

// One JSON object and a line's end: topic, payload, qos, retain, then what the message has: enc ("b64", for a payload
// that is not UTF-8), headers (repeated names become lists), content_type, response_topic, correlation, expiry_s, position.
void append_json(std::string& out, const mqtt::Publish& message);

// Under such topics a replay is told that what it asked for is gone.
inline constexpr std::string_view kGapPrefix = "$gap/";
// For people.
std::string gap_text(const mqtt::Publish& message);

}  // namespace arena::cli
