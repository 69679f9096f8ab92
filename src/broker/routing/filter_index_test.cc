// Goal: the index answers exactly what comparing the topic with every filter would, through any history of adds
// and removes, and gives its memory back.
#include "broker/routing/filter_index.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <string>

#include "broker/routing/value_list.h"
#include "message/topic.h"

namespace arena::broker {
namespace {

using Values = std::vector<FilterIndex::Value>;

Values matches(const FilterIndex& index, std::string_view topic) {
  Values out;
  const std::size_t aside = index.match(topic, out);
  std::sort(out.begin(), out.end());
  EXPECT_EQ(index.any(topic), aside != 0 || !out.empty()) << topic;
  return out;
}

class Naive {
 public:
  bool add(const std::string& filter, FilterIndex::Value value) {
    return entries_.emplace(filter, value).second;
  }
  bool remove(const std::string& filter, FilterIndex::Value value) {
    return entries_.erase({filter, value}) > 0;
  }
  Values match(const std::string& topic) const {
    Values out;
    for (const auto& [filter, value] : entries_) {
      if (filter_matches(filter, topic)) out.push_back(value);
    }
    std::sort(out.begin(), out.end());
    return out;
  }
  const auto& entries() const { return entries_; }

 private:
  std::set<std::pair<std::string, FilterIndex::Value>> entries_;
};

// Short texts over few levels, so that everything meets everything: empty levels, '$' topics, both wildcards.
class RandomNames {
 public:
  explicit RandomNames(uint64_t seed) : random_(seed) {}

  std::size_t below(std::size_t bound) { return random_() % bound; }

  std::string topic() {
    static const std::vector<std::string> levels = {"a", "b", "", "$s", "a-level-longer-than-fifteen-bytes"};
    std::string out = join(levels);
    return out.empty() ? "a" : out;
  }

  std::string filter() {
    static const std::vector<std::string> levels = {"a", "b", "", "$s", "+", "+",
                                                    "a-level-longer-than-fifteen-bytes"};
    std::string out = join(levels);
    if (below(3) == 0) out = below(4) == 0 ? "#" : out + "/#";
    return out.empty() ? "+" : out;
  }

 private:
  std::string join(const std::vector<std::string>& levels) {
    std::string out;
    const std::size_t depth = 1 + below(4);
    for (std::size_t i = 0; i < depth; ++i) {
      if (i > 0) out += '/';
      out += levels[below(levels.size())];
    }
    return out;
  }

  std::mt19937_64 random_;
};

TEST(FilterIndex, MatchesLiteralPlusAndHash) {
  FilterIndex index;
  EXPECT_TRUE(index.add("sport/tennis", 1));
  EXPECT_TRUE(index.add("sport/+", 2));
  EXPECT_TRUE(index.add("sport/#", 3));
  EXPECT_TRUE(index.add("#", 4));
  EXPECT_TRUE(index.add("+/tennis", 5));
  EXPECT_TRUE(index.add("+/+/#", 6));
  EXPECT_EQ(matches(index, "sport/tennis"), (Values{1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(matches(index, "sport"), (Values{3, 4}));
  EXPECT_EQ(matches(index, "sport/"), (Values{2, 3, 4, 6}));
  EXPECT_EQ(matches(index, "/tennis"), (Values{4, 5, 6}));
  EXPECT_EQ(matches(index, "sport/tennis/final"), (Values{3, 4, 6}));
}

TEST(FilterIndex, WildcardsInFrontDoNotSeeDollarTopics) {
  FilterIndex index;
  index.add("#", 1);
  index.add("+/up", 2);
  index.add("$SYS/#", 3);
  index.add("$SYS/+", 4);
  index.add("+/$SYS", 5);
  EXPECT_EQ(matches(index, "$SYS/up"), (Values{3, 4}));
  EXPECT_EQ(matches(index, "$SYS"), (Values{3}));
  EXPECT_EQ(matches(index, "a/$SYS"), (Values{1, 5}));
}

TEST(FilterIndex, SameEntryOnlyOnceAndRemovedOnlyWhenThere) {
  FilterIndex index;
  for (const char* filter : {"a/b", "a/+", "a/#", "#"}) {
    EXPECT_TRUE(index.add(filter, 7)) << filter;
    EXPECT_FALSE(index.add(filter, 7)) << filter;
    EXPECT_FALSE(index.remove(filter, 8)) << filter;
  }
  EXPECT_EQ(index.entries(), 4u);
  EXPECT_EQ(matches(index, "a/b"), (Values{7, 7, 7, 7}));
  EXPECT_FALSE(index.remove("a/b/+", 7));
  EXPECT_FALSE(index.remove("a", 7));
  for (const char* filter : {"a/b", "a/+", "a/#", "#"}) EXPECT_TRUE(index.remove(filter, 7)) << filter;
  EXPECT_EQ(index.entries(), 0u);
  EXPECT_EQ(matches(index, "a/b"), Values{});
}

TEST(FilterIndex, AgreesWithComparingEveryFilter) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    RandomNames names(seed);
    FilterIndex index;
    Naive naive;
    for (int step = 0; step < 1500; ++step) {
      const std::string filter = names.filter();
      ASSERT_EQ(check_filter(filter), std::nullopt) << filter;
      // Phases of growth and of shrinking; in the latter entries that exist are removed.
      if ((step / 250) % 2 == 0) {
        const FilterIndex::Value value = names.below(40);
        ASSERT_EQ(index.add(filter, value), naive.add(filter, value)) << seed << ' ' << filter;
      } else if (names.below(2) == 0 && !naive.entries().empty()) {
        const auto at = std::next(naive.entries().begin(), static_cast<long>(names.below(naive.entries().size())));
        const auto [there, value] = *at;
        ASSERT_TRUE(index.remove(there, value)) << seed << ' ' << there;
        naive.remove(there, value);
      } else {
        const FilterIndex::Value value = names.below(40);
        ASSERT_EQ(index.remove(filter, value), naive.remove(filter, value)) << seed << ' ' << filter;
      }
      ASSERT_EQ(index.entries(), naive.entries().size());
      const std::string topic = names.topic();
      ASSERT_EQ(matches(index, topic), naive.match(topic)) << seed << ' ' << topic;
    }
  }
}

// The same for values that know their filter: what is removed may be the one whose text stands for the others.
TEST(FilterIndex, AgreesWhenItReadsFiltersFromTheValues) {
  static std::map<FilterIndex::Value, std::string> filters;
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    filters.clear();
    RandomNames names(seed);
    FilterIndex index([](FilterIndex::Value value) { return std::string_view(filters.at(value)); });
    Naive naive;
    for (FilterIndex::Value next = 1; next <= 3000; ++next) {
      const bool grows = (next / 500) % 2 == 0;
      if (naive.entries().empty() || names.below(4) < (grows ? 3u : 1u)) {
        const std::string filter = names.filter();
        filters[next] = filter;
        ASSERT_TRUE(index.add(filter, next));
        ASSERT_FALSE(index.add(filter, next));
        naive.add(filter, next);
      } else {
        const auto [filter, value] =
            *std::next(naive.entries().begin(), static_cast<long>(names.below(naive.entries().size())));
        ASSERT_FALSE(index.remove(filter, 0));
        ASSERT_TRUE(index.remove(filter, value));
        naive.remove(filter, value);
        filters.erase(value);
      }
      ASSERT_EQ(index.entries(), naive.entries().size());
      const std::string topic = names.topic();
      ASSERT_EQ(matches(index, topic), naive.match(topic)) << seed << ' ' << topic;
    }
  }
}

TEST(FilterIndex, KeepsAMarkWhileAnythingIsThere) {
  for (const std::string_view filter : {"a/b", "a/+", "a/#", "#"}) {
    FilterIndex index;
    index.set_mark(filter, 1);  // nothing there: nothing happens
    EXPECT_FALSE(index.has(filter));
    index.add(filter, 1);
    index.add("a/+/c", 1);
    index.add("a/b/c", 1);
    EXPECT_TRUE(index.has(filter));
    EXPECT_EQ(index.mark(filter), 0);
    index.set_mark(filter, 2);
    index.add(filter, 2);
    index.remove(filter, 1);
    EXPECT_EQ(index.mark(filter), 2);
    EXPECT_EQ(index.mark("a/+/c"), 0);
    index.remove(filter, 2);
    EXPECT_FALSE(index.has(filter));
    index.add(filter, 3);
    EXPECT_EQ(index.mark(filter), 0);
  }
}

// Values of which some are aside, against two sets: for each topic those that are handed out, and the number of the others.
TEST(FilterIndex, CountsWhatIsAsideInsteadOfHandingItOut) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    RandomNames names(seed);
    FilterIndex index;
    Naive present, aside;
    for (int step = 0; step < 1500; ++step) {
      const std::string filter = names.filter();
      const FilterIndex::Value value = names.below(40);
      const bool known = present.entries().contains({filter, value}) || aside.entries().contains({filter, value});
      switch (names.below((step / 250) % 2 == 0 ? 3 : 4)) {
        case 0:
          ASSERT_EQ(index.add(filter, value), !known) << seed << ' ' << filter;
          if (!known) present.add(filter, value);
          break;
        case 1:
          ASSERT_EQ(index.set_aside(filter, value, true), known);
          if (present.remove(filter, value)) aside.add(filter, value);
          break;
        case 2:
          ASSERT_EQ(index.set_aside(filter, value, false), known);
          if (aside.remove(filter, value)) present.add(filter, value);
          break;
        default:
          ASSERT_EQ(index.remove(filter, value), known);
          present.remove(filter, value);
          aside.remove(filter, value);
      }
      const std::string topic = names.topic();
      Values out;
      const std::size_t passed_by = index.match(topic, out);
      std::sort(out.begin(), out.end());
      ASSERT_EQ(out, present.match(topic)) << seed << ' ' << topic;
      ASSERT_EQ(passed_by, aside.match(topic).size()) << seed << ' ' << topic;
      ASSERT_EQ(index.any(topic), passed_by != 0 || !out.empty());
    }
  }
}

// What was answered for a topic is kept until anything changes.
TEST(FilterIndex, AnswersTheSameTopicAnewAfterEachChange) {
  FilterIndex index;
  const auto answer = [&index] {
    Values values{99};  // what is there already stays
    const std::size_t aside = index.match("a/b", values);
    std::sort(values.begin() + 1, values.end());
    return std::tuple(values, aside, index.any("a/b"));
  };
  const auto expect_twice = [&](const Values& values, std::size_t aside, bool any) {
    for (int i = 0; i < 2; ++i) EXPECT_EQ(answer(), std::tuple(values, aside, any)) << i;
  };
  expect_twice({99}, 0, false);
  index.add("a/b", 1);
  expect_twice({99, 1}, 0, true);
  index.add("a/+", 2);
  expect_twice({99, 1, 2}, 0, true);
  index.set_aside("a/+", 2, true);
  expect_twice({99, 1}, 1, true);
  index.remove("a/b", 1);
  expect_twice({99}, 1, true);
  index.set_aside("a/+", 2, false);
  expect_twice({99, 2}, 0, true);
  index.remove("a/+", 2);
  expect_twice({99}, 0, false);
  for (FilterIndex::Value value = 0; value < 20; ++value) index.add("a/b", value);
  for (int i = 0; i < 2; ++i) EXPECT_EQ(std::get<0>(answer()).size(), 21u);
  index.remove("a/b", 7);
  EXPECT_EQ(std::get<0>(answer()).size(), 20u);
}

TEST(FilterIndex, DeepFiltersAndTopics) {
  std::string literal = "l", plus = "+", topic = "l";
  for (int level = 1; level < 128; ++level) {
    literal += "/l";
    plus += level % 2 == 0 ? "/+" : "/l";
    topic += "/l";
  }
  FilterIndex index;
  index.add(literal, 1);
  index.add(plus, 2);
  index.add(literal.substr(0, literal.size() - 1) + "#", 3);
  EXPECT_EQ(matches(index, topic), (Values{1, 2, 3}));
  EXPECT_EQ(matches(index, topic + "/l"), (Values{3}));
  EXPECT_EQ(matches(index, std::string(60'000, '/')), Values{});
  EXPECT_TRUE(index.remove(plus, 2));
  EXPECT_EQ(matches(index, topic), (Values{1, 3}));
}

TEST(FilterIndex, ManyValuesUnderOneFilter) {
  constexpr FilterIndex::Value kValues = 100'000;
  for (const char* filter : {"crowd", "crowd/#"}) {
    FilterIndex index;
    for (FilterIndex::Value v = 0; v < kValues; ++v) ASSERT_TRUE(index.add(filter, v));
    EXPECT_FALSE(index.add(filter, kValues / 2));
    // In the order of adding: the worst for a list that is searched or moved from one end.
    for (FilterIndex::Value v = 0; v < kValues - 3; ++v) ASSERT_TRUE(index.remove(filter, v));
    EXPECT_EQ(matches(index, "crowd"), (Values{kValues - 3, kValues - 2, kValues - 1}));
  }
}

TEST(FilterIndex, GivesMemoryBack) {
  FilterIndex index;
  const std::size_t empty = index.bytes();
  const auto filter = [](int i) {
    const std::string name = "a-device-with-a-long-name-" + std::to_string(i);
    return i % 2 == 0 ? name + "/state" : name + "/+/state";
  };
  for (int i = 0; i < 20'000; ++i) index.add(filter(i), static_cast<uint64_t>(i));
  EXPECT_GT(index.bytes(), 20'000u * 40);
  for (int i = 0; i < 20'000; ++i) ASSERT_TRUE(index.remove(filter(i), static_cast<uint64_t>(i)));
  EXPECT_LT(index.bytes(), empty + 100'000);
}

TEST(ValueList, IsASetAtEverySize) {
  std::mt19937_64 random(5);
  ValueList list;
  std::set<uint64_t> naive, aside;
  for (int step = 0; step < 20'000; ++step) {
    const uint64_t value = random() % 60;
    const uint64_t moved_value = random() % 60;
    const bool to_aside = random() % 2 == 0;
    ASSERT_EQ(list.set_aside(moved_value, to_aside), naive.contains(moved_value));
    if (to_aside && naive.contains(moved_value)) aside.insert(moved_value);
    if (!to_aside) aside.erase(moved_value);
    // Leans to growth, then to shrinking, so that every threshold is crossed both ways.
    if (random() % 10 < ((step / 200) % 2 == 0 ? 8u : 2u)) {
      ASSERT_EQ(list.add(value), naive.insert(value).second);
    } else {
      ASSERT_EQ(list.remove(value), naive.erase(value) > 0);
      aside.erase(value);
    }
    Values got, wanted;
    list.append_to(got);
    std::sort(got.begin(), got.end());
    std::set_difference(naive.begin(), naive.end(), aside.begin(), aside.end(), std::back_inserter(wanted));
    ASSERT_EQ(got, wanted);
    ASSERT_EQ(list.size(), naive.size());
    ASSERT_EQ(list.aside(), aside.size());
    if (step % 50 == 0) {
      ValueList moved(std::move(list));
      list = std::move(moved);
    }
  }
}

}  // namespace
}  // namespace arena::broker
