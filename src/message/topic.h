// Topics and filters: levels split by '/', wildcards '+' (one level) and '#' (the rest, parent included).
// Pure functions over UTF-8 bytes; nothing is normalised: compared as received [MQTT-4.7.3-4].
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace arena {

struct TopicLimits {
  std::size_t length_max = 65535;  // bytes
  std::size_t depth_max = 128;     // levels
};

enum class TopicFault { empty, too_long, too_deep, bad_utf8, nul, wildcard_in_topic, bad_wildcard, bad_group };
std::string_view to_string(TopicFault fault);

// nullopt when valid. A topic has at least one byte, no U+0000 and no wildcard [MQTT-4.7.3-1..3, MQTT-3.3.2-2].
std::optional<TopicFault> check_topic(std::string_view topic, const TopicLimits& limits = {});
// A plain filter (no "$share/" parsing): '#' last and alone in its level, '+' alone in its level [MQTT-4.7.1-1/2].
std::optional<TopicFault> check_filter(std::string_view filter, const TopicLimits& limits = {});

// "$share/<group>/<filter>" taken apart; group is empty for a plain filter.
struct GroupFilter {
  std::string_view group;
  std::string_view filter;
};
// Splits and checks both parts [MQTT-4.8.2-1/2]. Views into `text`. On a fault returns nullopt and sets `fault`.
std::optional<GroupFilter> parse_filter(std::string_view text, TopicFault& fault, const TopicLimits& limits = {});

bool has_wildcard(std::string_view filter);
// Does a valid filter match a valid topic? Filters that begin with a wildcard never match topics that begin
// with '$' [MQTT-4.7.2-1]. Iterative; time O(length).
bool filter_matches(std::string_view filter, std::string_view topic);
// True only if every topic matched by `inner` is matched by `outer`. Exact, '$' rule included.
bool filter_covers(std::string_view outer, std::string_view inner);
// True if some topic is matched by both.
bool filters_intersect(std::string_view a, std::string_view b);

// One of the 4,096 slots that topics, sessions and groups hash to. Stable for ever: it is part of the format.
inline constexpr uint32_t kSlots = 4096;
uint32_t slot_of(std::string_view name);

// Walks the levels of a topic or filter, front to back.
class Levels {
 public:
  explicit Levels(std::string_view text) : rest_(text) {}
  // The next level, or nullopt after the last. "a//b" has an empty level; "" has one empty level.
  std::optional<std::string_view> next() {
    if (done_) return std::nullopt;
    const std::size_t slash = rest_.find('/');
    if (slash == std::string_view::npos) {
      done_ = true;
      return rest_;
    }
    const std::string_view level = rest_.substr(0, slash);
    rest_.remove_prefix(slash + 1);
    return level;
  }

 private:
  std::string_view rest_;
  bool done_ = false;
};

}  // namespace arena
