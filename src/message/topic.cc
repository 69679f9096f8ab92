#include "message/topic.h"

#include <algorithm>

#include "base/hash.h"
#include "base/utf8.h"

namespace arena {

namespace {

using namespace std::string_view_literals;

constexpr std::string_view kSharePrefix = "$share/";

bool starts_with_dollar(std::string_view text) { return !text.empty() && text.front() == '$'; }

// Wildcards in the first level stand for everything but what begins with '$' [MQTT-4.7.2-1]; deeper ones for
// everything.
bool plus_takes(std::string_view literal, bool first_level) { return !first_level || !starts_with_dollar(literal); }

std::size_t count_levels(std::string_view text) {
  return 1 + static_cast<std::size_t>(std::count(text.begin(), text.end(), '/'));
}

std::optional<TopicFault> check_text(std::string_view text, const TopicLimits& limits) {
  if (text.empty()) return TopicFault::empty;
  if (text.size() > limits.length_max) return TopicFault::too_long;
  if (text.find('\0') != std::string_view::npos) return TopicFault::nul;
  if (!is_utf8(text)) return TopicFault::bad_utf8;
  if (count_levels(text) > limits.depth_max) return TopicFault::too_deep;
  return std::nullopt;
}

// '#' matches its parent too, unless there is none ("#") or it is no topic because it is empty ("/#").
bool parent_is_topic(std::string_view filter) { return filter != "#"sv && filter != "/#"sv; }

}  // namespace

std::string_view to_string(TopicFault fault) {
  switch (fault) {
    case TopicFault::empty: return "is empty";
    case TopicFault::too_long: return "is longer than allowed";
    case TopicFault::too_deep: return "has more levels than allowed";
    case TopicFault::bad_utf8: return "is not well-formed UTF-8";
    case TopicFault::nul: return "contains U+0000";
    case TopicFault::wildcard_in_topic: return "contains a wildcard ('+' or '#'), which only filters may";
    case TopicFault::bad_wildcard: return "has a misplaced wildcard: '+' stands alone in its level, '#' alone in the last";
    case TopicFault::bad_group: return "is not of the form $share/<group>/<filter>";
  }
  return "is invalid";
}

std::optional<TopicFault> check_topic(std::string_view topic, const TopicLimits& limits) {
  if (const auto fault = check_text(topic, limits)) return fault;
  if (topic.find_first_of("+#"sv) != std::string_view::npos) return TopicFault::wildcard_in_topic;
  return std::nullopt;
}

std::optional<TopicFault> check_filter(std::string_view filter, const TopicLimits& limits) {
  if (const auto fault = check_text(filter, limits)) return fault;
  bool hash_seen = false;
  Levels levels(filter);
  while (const auto level = levels.next()) {
    if (hash_seen) return TopicFault::bad_wildcard;
    if (level->size() > 1 && level->find_first_of("+#"sv) != std::string_view::npos) return TopicFault::bad_wildcard;
    hash_seen = *level == "#"sv;
  }
  return std::nullopt;
}

std::optional<GroupFilter> parse_filter(std::string_view text, TopicFault& fault, const TopicLimits& limits) {
  GroupFilter out{{}, text};
  if (text.starts_with(kSharePrefix)) {
    const std::string_view rest = text.substr(kSharePrefix.size());
    const std::size_t slash = rest.find('/');
    out.group = rest.substr(0, slash);
    out.filter = slash == std::string_view::npos ? std::string_view{} : rest.substr(slash + 1);
    if (out.group.empty() || out.filter.empty() || out.group.find_first_of("+#"sv) != std::string_view::npos) {
      fault = TopicFault::bad_group;
      return std::nullopt;
    }
    if (const auto group_fault = check_text(out.group, limits)) {
      fault = *group_fault;
      return std::nullopt;
    }
  }
  if (const auto filter_fault = check_filter(out.filter, limits)) {
    fault = *filter_fault;
    return std::nullopt;
  }
  return out;
}

bool has_wildcard(std::string_view filter) { return filter.find_first_of("+#"sv) != std::string_view::npos; }

bool filter_matches(std::string_view filter, std::string_view topic) {
  Levels filter_levels(filter);
  Levels topic_levels(topic);
  for (bool first = true;; first = false) {
    const auto f = filter_levels.next();
    const auto t = topic_levels.next();
    if (f == "#"sv) return !t || plus_takes(*t, first);  // the parent is included
    if (!f || !t) return !f && !t;
    if (*f == "+"sv ? !plus_takes(*t, first) : *f != *t) return false;
  }
}

bool filter_covers(std::string_view outer, std::string_view inner) {
  Levels outer_levels(outer);
  Levels inner_levels(inner);
  for (bool first = true;; first = false) {
    const auto o = outer_levels.next();
    const auto i = inner_levels.next();
    if (o == "#"sv) return !i || plus_takes(*i, first);
    // Only '#' covers '#', or, where no parent has to be covered, "+/#".
    if (i == "#"sv) return !parent_is_topic(inner) && o == "+"sv && outer_levels.next() == "#"sv;
    if (!o || !i) return !o && !i;
    if (*o == "+"sv ? !plus_takes(*i, first) : *o != *i) return false;
  }
}

bool filters_intersect(std::string_view a, std::string_view b) {
  Levels a_levels(a);
  Levels b_levels(b);
  for (bool first = true;; first = false) {
    const auto x = a_levels.next();
    const auto y = b_levels.next();
    if (x == "#"sv) return y ? plus_takes(*y, first) : parent_is_topic(a);
    if (y == "#"sv) return x ? plus_takes(*x, first) : parent_is_topic(b);
    if (!x || !y) return !x && !y;
    if (*x == "+"sv) {
      if (!plus_takes(*y, first)) return false;
    } else if (*y == "+"sv) {
      if (!plus_takes(*x, first)) return false;
    } else if (*x != *y) {
      return false;
    }
  }
}

uint32_t slot_of(std::string_view name) { return static_cast<uint32_t>(hash64(name) % kSlots); }

}  // namespace arena
