// Two texts, from outside and apart by a line break, or of a few levels, which meet more often: as topics, as
// filters, with and without a group. The first byte chooses this and the limits. Promises: what is valid is
// what MQTT 4.7 says; matching, covering and intersecting agree with the plainest way to say it; a group is
// taken apart so that it can be put together again.
#include <cstdint>
#include <optional>
#include <string>

#include "check.h"
#include "input.h"
#include "message/topic.h"
#include "naive_topics.h"

using namespace arena;

namespace {

constexpr std::string_view kLevels[] = {"a", "+", "#", "b", "", "$s", "$share", "a#"};

// RFC 3629 by its table, without U+0000.
bool is_good_text(const std::string& text) {
  const auto at = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u; };
  const auto tail = [&](std::size_t i, unsigned low = 0x80, unsigned high = 0xbf) {
    return at(i) >= low && at(i) <= high;
  };
  for (std::size_t i = 0; i < text.size();) {
    const unsigned c = at(i);
    if (c >= 1 && c <= 0x7f) {
      i += 1;
    } else if (c >= 0xc2 && c <= 0xdf && tail(i + 1)) {
      i += 2;
    } else if (c >= 0xe0 && c <= 0xef && tail(i + 1, c == 0xe0 ? 0xa0 : 0x80, c == 0xed ? 0x9f : 0xbf) &&
               tail(i + 2)) {
      i += 3;
    } else if (c >= 0xf0 && c <= 0xf4 && tail(i + 1, c == 0xf0 ? 0x90 : 0x80, c == 0xf4 ? 0x8f : 0xbf) &&
               tail(i + 2) && tail(i + 3)) {
      i += 4;
    } else {
      return false;
    }
  }
  return true;
}

bool is_within(const std::string& text, const TopicLimits& limits) {
  return !text.empty() && text.size() <= limits.length_max && fuzz::split(text).size() <= limits.depth_max &&
         is_good_text(text);
}

bool is_topic(const std::string& text, const TopicLimits& limits) {
  return is_within(text, limits) && text.find_first_of("+#") == std::string::npos;
}

bool is_filter(const std::string& text, const TopicLimits& limits) {
  const fuzz::Split levels = fuzz::split(text);
  for (std::size_t i = 0; i < levels.size(); ++i) {
    if (levels[i] == "+" || (levels[i] == "#" && i + 1 == levels.size())) continue;
    if (levels[i].find_first_of("+#") != std::string::npos) return false;
  }
  return is_within(text, limits);
}

void check_one(const std::string& text, const TopicLimits& limits) {
  FUZZ_CHECK(check_topic(text, limits).has_value() != is_topic(text, limits));
  FUZZ_CHECK(check_filter(text, limits).has_value() != is_filter(text, limits));
  std::string joined;
  Levels levels(text);
  for (bool first = true; const auto level = levels.next(); first = false)
    joined += (first ? "" : "/") + std::string(*level);
  FUZZ_CHECK(joined == text);
  FUZZ_CHECK(slot_of(text) < kSlots);

  TopicFault fault{};
  const std::optional<GroupFilter> parsed = parse_filter(text, fault, limits);
  if (!parsed) {
    FUZZ_CHECK(!to_string(fault).empty());
    FUZZ_CHECK(text.starts_with("$share/") || !is_filter(text, limits));
    return;
  }
  const std::string group(parsed->group);
  const std::string filter(parsed->filter);
  FUZZ_CHECK(is_filter(filter, limits));
  FUZZ_CHECK(group.empty() ? filter == text : "$share/" + group + "/" + filter == text);
  FUZZ_CHECK(group.empty() || (is_good_text(group) && group.find_first_of("/+#") == std::string::npos));
  FUZZ_CHECK(has_wildcard(filter) != is_topic(filter, limits));
}

void check_two(const std::string& a, const std::string& b, const TopicLimits& limits) {
  if (!is_filter(a, limits) || !is_filter(b, limits)) return;
  const fuzz::Split split_a = fuzz::split(a), split_b = fuzz::split(b);
  if (is_topic(b, limits)) FUZZ_CHECK(filter_matches(a, b) == fuzz::matches(split_a, split_b));
  // The naive way costs depth squared; and it takes U+0001 for its own.
  if (split_a.size() > 12 || split_b.size() > 12 || (a + b).find('\x01') != std::string::npos) return;
  FUZZ_CHECK(filter_covers(a, b) == fuzz::covers(split_a, split_b));
  FUZZ_CHECK(filters_intersect(a, b) == fuzz::intersect(split_a, split_b));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  const uint8_t choice = input.byte();
  const TopicLimits limits = choice % 2 != 0 ? TopicLimits{.length_max = 20, .depth_max = 4} : TopicLimits{};
  const bool of_levels = choice / 2 % 2 != 0;
  std::string all = of_levels ? input.levels(kLevels) + "\n" : input.rest();
  if (of_levels) all += input.levels(kLevels);
  const std::size_t end = all.find('\n');
  const std::string a = all.substr(0, end);
  const std::string b = end == std::string::npos ? "" : all.substr(end + 1);
  for (const std::string& text : {a, b}) check_one(text, limits);
  check_two(a, b, limits);
  check_two(b, a, limits);
  check_two(a, a, limits);
  return 0;
}
