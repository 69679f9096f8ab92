// Where a replay begins.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "broker/types.h"

namespace arena::broker {

// From "earliest", "latest", an offset ("1234": in each partition), how long ago ("90s", "10m", "2h", "7d"), a time
// ("2026-11-26T10:00:00Z", or "@" and Unix milliseconds), or positions as Arena gave them out, the last one seen of each
// partition, with commas between: what follows them. Of a partition that is not named nothing was seen, so all of it follows.
// `now_ms`: Unix. A text that is none of these is refused, saying so.
Result<ReplayFrom> parse_from(std::string_view text, int64_t now_ms);

// "0.<log>.<partition>.<offset>": opaque to clients.
std::string to_text(LogName log, uint64_t offset);

}  // namespace arena::broker
