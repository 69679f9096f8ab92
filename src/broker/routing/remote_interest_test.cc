// Goal: no core with interest is ever missed, whatever the others announce and withdraw.
#include "broker/routing/remote_interest.h"

#include <gtest/gtest.h>

#include <random>
#include <set>
#include <string>
#include <utility>

#include "message/topic.h"

namespace arena::broker {
namespace {

TEST(RemoteInterest, NamesExactlyTheCoresThatAnnounced) {
  RemoteInterest interest;
  EXPECT_EQ(interest.match("a/b"), 0u);
  interest.add("a/b", 0);
  interest.add("a/b", 63);
  interest.add("a/+", 5);
  interest.add("#", 5);
  EXPECT_EQ(interest.match("a/b"), uint64_t{1} | (uint64_t{1} << 5) | (uint64_t{1} << 63));
  EXPECT_EQ(interest.match("x"), uint64_t{1} << 5);
  EXPECT_EQ(interest.match("$SYS/x"), 0u);
  interest.remove("a/b", 63);
  interest.remove("#", 5);
  EXPECT_EQ(interest.match("a/b"), uint64_t{1} | (uint64_t{1} << 5));
  interest.remove("a/+", 5);
  interest.remove("a/b", 0);
  EXPECT_EQ(interest.match("a/b"), 0u);
}

// Two filters of a core with the same hash look like one that is announced twice.
TEST(RemoteInterest, KeepsACoreUntilAllThatShareAHashAreWithdrawn) {
  RemoteInterest interest;
  interest.add("a", 3);
  interest.add("a", 3);
  interest.add("a", 4);
  interest.remove("a", 3);
  EXPECT_EQ(interest.match("a"), (uint64_t{1} << 3) | (uint64_t{1} << 4));
  interest.remove("a", 3);
  EXPECT_EQ(interest.match("a"), uint64_t{1} << 4);
}

TEST(RemoteInterest, AgreesWithComparingEachFilter) {
  std::mt19937_64 random(7);
  const std::vector<std::string> levels = {"a", "b", "c", "+", "#"};
  const auto name = [&](bool filter) {
    std::string out;
    for (std::size_t depth = 1 + random() % 3; depth > 0; --depth) {
      if (!out.empty()) out += '/';
      const std::string& level = levels[random() % (filter ? 5 : 3)];
      out += level;
      if (level == "#") break;
    }
    return out;
  };
  RemoteInterest interest;
  std::set<std::pair<std::string, unsigned>> naive;
  for (int step = 0; step < 5000; ++step) {
    const std::string filter = name(true);
    const auto core = static_cast<unsigned>(random() % 3);
    if (naive.emplace(filter, core).second) {
      interest.add(filter, core);
    } else {
      naive.erase({filter, core});
      interest.remove(filter, core);
    }
    const std::string topic = name(false);
    uint64_t wanted = 0;
    for (const auto& [each, by] : naive) {
      if (filter_matches(each, topic)) wanted |= uint64_t{1} << by;
    }
    ASSERT_EQ(interest.match(topic), wanted) << topic;
  }
}

}  // namespace
}  // namespace arena::broker
