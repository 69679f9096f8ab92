// What happens to at-most-once messages for a subscriber that cannot keep up.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace arena {

// Where several subscriptions of one session match a message, the one further down holds.
enum class SlowPolicy : uint8_t {
  drop_oldest,       // of what waits
  drop_newest,       // what comes while the queue is full
  latest_per_topic,  // what waits gives its place to a newer one of its topic; full of topics: the oldest goes
  disconnect,        // the subscriber, when the queue is full
};

inline constexpr std::array<std::string_view, 4> kSlowPolicyNames = {"drop_oldest", "drop_newest", "latest_per_topic",
                                                                     "disconnect"};

constexpr std::optional<SlowPolicy> slow_policy_of(std::string_view name) {
  const auto it = std::find(kSlowPolicyNames.begin(), kSlowPolicyNames.end(), name);
  if (it == kSlowPolicyNames.end()) return std::nullopt;
  return static_cast<SlowPolicy>(it - kSlowPolicyNames.begin());
}

}  // namespace arena
