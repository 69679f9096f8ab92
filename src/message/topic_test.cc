// Goal: topics and filters are checked, matched, compared and intersected exactly as MQTT 4.7 says, the '$' rule and
// the parent of '#' included. Cover and intersection are held against brute force over every small filter.
#include "message/topic.h"

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace arena {
namespace {

using namespace std::string_view_literals;

// Every sequence of 1..depth_max of `levels`, joined by '/'.
std::vector<std::string> all_texts(const std::vector<std::string>& levels, std::size_t depth_max) {
  std::vector<std::string> out;
  std::vector<std::string> previous{""};
  for (std::size_t depth = 1; depth <= depth_max; ++depth) {
    std::vector<std::string> current;
    for (const std::string& prefix : previous) {
      for (const std::string& level : levels) current.push_back(depth == 1 ? level : prefix + "/" + level);
    }
    out.insert(out.end(), current.begin(), current.end());
    previous = std::move(current);
  }
  return out;
}

std::vector<std::string> all_topics(std::size_t depth_max) {
  std::vector<std::string> out;
  // "z" stands in no filter: the level that only wildcards match.
  for (std::string& text : all_texts({"a", "b", "$x", "", "z"}, depth_max)) {
    if (!check_topic(text)) out.push_back(std::move(text));
  }
  return out;
}

std::vector<std::string> all_filters(std::size_t depth_max) {
  std::vector<std::string> out;
  for (std::string& text : all_texts({"a", "b", "$x", "", "+", "#"}, depth_max)) {
    if (!check_filter(text)) out.push_back(std::move(text));
  }
  return out;
}

// An independent matcher: splits into vectors instead of walking.
std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> out{""};
  for (const char c : text) {
    if (c == '/') {
      out.emplace_back();
    } else {
      out.back().push_back(c);
    }
  }
  return out;
}

bool plainly_matches(const std::vector<std::string>& filter, const std::vector<std::string>& topic) {
  if ((filter[0] == "+" || filter[0] == "#") && topic[0].starts_with('$')) return false;
  std::size_t i = 0;
  for (; i < filter.size(); ++i) {
    if (filter[i] == "#") return topic.size() >= i;
    if (i >= topic.size() || (filter[i] != "+" && filter[i] != topic[i])) return false;
  }
  return topic.size() == i;
}

using Row = std::vector<uint64_t>;  // one bit per topic

std::vector<Row> match_table(const std::vector<std::string>& filters, const std::vector<std::string>& topics) {
  std::vector<std::vector<std::string>> split_topics;
  for (const std::string& topic : topics) split_topics.push_back(split(topic));
  std::vector<Row> table;
  for (const std::string& filter : filters) {
    const auto levels = split(filter);
    Row row(topics.size() / 64 + 1);
    for (std::size_t t = 0; t < topics.size(); ++t) {
      if (plainly_matches(levels, split_topics[t])) row[t / 64] |= uint64_t{1} << (t % 64);
    }
    table.push_back(std::move(row));
  }
  return table;
}

bool is_superset(const Row& outer, const Row& inner) {
  for (std::size_t i = 0; i < inner.size(); ++i) {
    if ((inner[i] & ~outer[i]) != 0) return false;
  }
  return true;
}

bool meet(const Row& a, const Row& b) {
  for (std::size_t i = 0; i < a.size(); ++i) {
    if ((a[i] & b[i]) != 0) return true;
  }
  return false;
}

TEST(Topic, ChecksTopics) {
  EXPECT_EQ(check_topic(""), TopicFault::empty);
  EXPECT_EQ(check_topic("a/+"), TopicFault::wildcard_in_topic);
  EXPECT_EQ(check_topic("a#"), TopicFault::wildcard_in_topic);
  EXPECT_EQ(check_topic("a\0b"sv), TopicFault::nul);
  EXPECT_EQ(check_topic("a\xff"), TopicFault::bad_utf8);
  EXPECT_EQ(check_topic("a\xed\xa0\x80"), TopicFault::bad_utf8);
  EXPECT_EQ(check_topic(std::string(65536, 'a')), TopicFault::too_long);
  EXPECT_EQ(check_topic(std::string(65535, 'a')), std::nullopt);
  EXPECT_EQ(check_topic("abcd", {.length_max = 3}), TopicFault::too_long);
  EXPECT_EQ(check_topic(std::string(127, '/')), std::nullopt);
  EXPECT_EQ(check_topic(std::string(128, '/')), TopicFault::too_deep);
  EXPECT_EQ(check_topic(std::string(65400, '/')), TopicFault::too_deep);
  for (const auto good : {"/"sv, "a"sv, " "sv, "a//b"sv, "$SYS/x"sv, "\xc3\xa9/\xf0\x9f\x98\x80"sv}) {
    EXPECT_EQ(check_topic(good), std::nullopt) << good;
  }
}

TEST(Topic, ChecksFilters) {
  for (const auto bad : {"a+"sv, "+a/b"sv, "a/#/b"sv, "a#"sv, "#/a"sv, "##"sv, "a/b#"sv, "++"sv, "#/#"sv, "#/"sv}) {
    EXPECT_EQ(check_filter(bad), TopicFault::bad_wildcard) << bad;
  }
  for (const auto good : {"#"sv, "+"sv, "+/#"sv, "/+"sv, "a/+/b"sv, "sport/#"sv, "//#"sv}) {
    EXPECT_EQ(check_filter(good), std::nullopt) << good;
  }
  EXPECT_EQ(check_filter(""), TopicFault::empty);
  EXPECT_EQ(check_filter("+\0"sv), TopicFault::nul);
}

TEST(Topic, ParsesGroups) {
  TopicFault fault{};
  auto parsed = parse_filter("$share/g/a/+", fault);
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->group, "g");
  EXPECT_EQ(parsed->filter, "a/+");
  parsed = parse_filter("$share/g//x", fault);
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->filter, "/x");
  parsed = parse_filter("$shared/g/a", fault);
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->group, "");
  EXPECT_EQ(parsed->filter, "$shared/g/a");
  for (const auto bad : {"$share/"sv, "$share/g"sv, "$share//a"sv, "$share/g/"sv, "$share/g+/a"sv, "$share/#/a"sv}) {
    EXPECT_FALSE(parse_filter(bad, fault)) << bad;
    EXPECT_EQ(fault, TopicFault::bad_group) << bad;
  }
  EXPECT_FALSE(parse_filter("$share/g/a#", fault));
  EXPECT_EQ(fault, TopicFault::bad_wildcard);
  EXPECT_FALSE(parse_filter("$share/\xff/a", fault));
  EXPECT_EQ(fault, TopicFault::bad_utf8);
}

TEST(Topic, MatchesTheExamplesOfTheStandard) {
  EXPECT_TRUE(filter_matches("sport/tennis/player1/#", "sport/tennis/player1"));
  EXPECT_TRUE(filter_matches("sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon"));
  EXPECT_TRUE(filter_matches("sport/#", "sport"));
  EXPECT_FALSE(filter_matches("sport/tennis/+", "sport/tennis/player1/ranking"));
  EXPECT_FALSE(filter_matches("sport/+", "sport"));
  EXPECT_TRUE(filter_matches("sport/+", "sport/"));
  EXPECT_TRUE(filter_matches("+/+", "/finance"));
  EXPECT_TRUE(filter_matches("/+", "/finance"));
  EXPECT_FALSE(filter_matches("+", "/finance"));
  EXPECT_FALSE(filter_matches("#", "$SYS/x"));
  EXPECT_FALSE(filter_matches("+/monitor/Clients", "$SYS/monitor/Clients"));
  EXPECT_TRUE(filter_matches("$SYS/#", "$SYS/x"));
  EXPECT_TRUE(filter_matches("a/+", "a/$x"));
  EXPECT_FALSE(filter_matches("ACCOUNTS", "Accounts"));
}

TEST(Topic, MatchesAsBruteForceDoes) {
  const auto topics = all_topics(4);
  const auto filters = all_filters(4);
  const auto table = match_table(filters, topics);
  for (std::size_t f = 0; f < filters.size(); ++f) {
    for (std::size_t t = 0; t < topics.size(); ++t) {
      const bool expected = ((table[f][t / 64] >> (t % 64)) & 1) != 0;
      if (filter_matches(filters[f], topics[t]) != expected) FAIL() << filters[f] << " ~ " << topics[t];
    }
  }
}

// Filters of depth 4 need topics of depth 5 (one level past every '#') for the brute force to be exact.
TEST(Topic, CoversAndIntersectsExactly) {
  const auto filters = all_filters(4);
  const auto table = match_table(filters, all_topics(5));
  ASSERT_GT(filters.size(), 900u);
  for (std::size_t a = 0; a < filters.size(); ++a) {
    for (std::size_t b = 0; b < filters.size(); ++b) {
      if (filter_covers(filters[a], filters[b]) != is_superset(table[a], table[b])) {
        FAIL() << filters[a] << " covers " << filters[b];
      }
      if (filters_intersect(filters[a], filters[b]) != meet(table[a], table[b])) {
        FAIL() << filters[a] << " meets " << filters[b];
      }
    }
  }
}

TEST(Topic, KnownCornersOfCover) {
  EXPECT_TRUE(filter_covers("+/#", "#"));
  EXPECT_TRUE(filter_covers("#", "+/#"));
  EXPECT_FALSE(filter_covers("a/+/#", "a/#"));
  EXPECT_TRUE(filter_covers("/+/#", "/#"));  // the parent of "/#" would be the empty topic, which is none
  EXPECT_FALSE(filters_intersect("/#", "+"));
  EXPECT_TRUE(filter_covers("a/#", "a"));
  EXPECT_FALSE(filter_covers("#", "$x"));
  EXPECT_FALSE(filter_covers("+", "$x"));
  EXPECT_TRUE(filter_covers("a/+", "a/$x"));
  EXPECT_TRUE(filters_intersect("a/#", "a"));
  EXPECT_FALSE(filters_intersect("#", "$x/#"));
}

TEST(Topic, SlotsAreStable) {
  EXPECT_LT(slot_of("a"), kSlots);
  EXPECT_EQ(slot_of("sensors/1/temperature"), slot_of("sensors/1/temperature"));
  // Part of the stored format: these numbers must never change.
  EXPECT_EQ(slot_of(""), 0x2d06800538d394c2ULL % kSlots);  // XXH3 of nothing, from its specification
}

}  // namespace
}  // namespace arena
