// Goal: Ring behaves as the deque it stands in for, under any sequence of operations; Lazy as the container it wraps.
#include "base/ring.h"

#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <random>
#include <set>
#include <string>

#include "base/lazy.h"

namespace arena {
namespace {

TEST(Ring, DoesWhatADequeDoes) {
  std::mt19937 random(3);
  Ring<std::string> ring;
  std::deque<std::string> deque;
  for (int step = 0; step < 50'000; ++step) {
    const auto choice = random() % 100;
    // Long runs up, then down, so that it grows far and empties again.
    if (choice < ((step / 500) % 2 == 0 ? 60 : 30)) {
      if (step % 2 == 0) {
        ring.push_back(std::to_string(step));
      } else {
        ring.push_back() = std::to_string(step);  // in place
      }
      deque.push_back(std::to_string(step));
    } else if (!deque.empty() && choice < 95) {
      EXPECT_EQ(ring.front(), deque.front());
      ring.pop_front();
      deque.pop_front();
    } else if (!deque.empty()) {
      const std::size_t at = random() % deque.size();
      auto it = ring.begin();
      for (std::size_t i = 0; i < at; ++i) ++it;
      ring.erase(it);
      deque.erase(deque.begin() + static_cast<std::ptrdiff_t>(at));
    }
    ASSERT_EQ(ring.size(), deque.size());
    ASSERT_EQ(ring.empty(), deque.empty());
    if (step % 100 == 0) {
      EXPECT_TRUE(std::equal(ring.begin(), ring.end(), deque.begin(), deque.end()));
    }
    if (!deque.empty()) {
      ASSERT_EQ(ring.back(), deque.back());
    }
  }
}

TEST(Ring, LetsGoOfWhatItNoLongerHolds) {
  const auto alive = std::make_shared<int>(1);
  Ring<std::shared_ptr<int>> ring;
  for (int i = 0; i < 5; ++i) ring.push_back(alive);
  Ring<std::shared_ptr<int>> other = std::move(ring);
  EXPECT_TRUE(ring.empty());
  EXPECT_EQ(alive.use_count(), 6);
  other.pop_front();
  other.erase(++other.begin());
  EXPECT_EQ(alive.use_count(), 4);
  other.clear();
  EXPECT_EQ(alive.use_count(), 1);
}

TEST(Lazy, IsAPointerWhileEmpty) {
  Lazy<std::map<int, int>> map;
  static_assert(sizeof map == sizeof(void*));
  EXPECT_TRUE(map.empty() && map.begin() == map.end() && map.find(1) == map.end() && !map.contains(1));
  EXPECT_EQ(map.erase(1), 0u);
  map[1] = 10;
  EXPECT_FALSE(map.try_emplace(1, 11).second);
  EXPECT_TRUE(map.try_emplace(2, 20).second);
  EXPECT_EQ(map.size(), 2u);
  EXPECT_EQ(map.find(1)->second, 10);
  for (auto it = map.begin(); it != map.end();) it = map.erase(it);
  EXPECT_TRUE(map.empty() && map.begin() == map.end());
  Lazy<std::set<int>> set;
  set.insert(4);
  EXPECT_EQ(set.copy(), std::set<int>{4});
  set.erase(4);
  EXPECT_TRUE(set.empty() && set.copy().empty());
}

}  // namespace
}  // namespace arena
