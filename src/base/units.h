// Sizes and times as people write them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace arena {

// "7d", "12h", "30m", "90s", "500ms": milliseconds. nullopt: none of these.
std::optional<int64_t> age_of(std::string_view text);
// "10GB" (10^9), "1GiB" (2^30), likewise K, M and T; "4096" and "4096B" are bytes.
std::optional<uint64_t> bytes_of(std::string_view text);

// In the largest unit that says it exactly: "7d", "90m".
std::string age_text(int64_t ms);
// For people: "1.2 GB".
std::string bytes_text(uint64_t bytes);

}  // namespace arena
