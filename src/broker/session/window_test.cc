// Goal: a tag is never 0 and never one that is still outstanding, however often the numbers go round.
#include "broker/session/window.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

namespace arena::broker {
namespace {

// [5 MQTT-2.2.1-4] [3.1.1 MQTT-2.3.1-4]
TEST(Window, PassesOverTagsThatAreOutstandingWhenTheNumbersGoRound) {
  Window window;
  const uint16_t first = window.add({}, Stage::sent).tag;
  const uint16_t second = window.add({}, Stage::received).tag;
  window.reserve(40'000);
  for (int i = 0; i < 140'000; ++i) {
    const uint16_t tag = window.add({}, Stage::sent).tag;
    ASSERT_NE(tag, 0);
    ASSERT_NE(tag, first);
    ASSERT_NE(tag, second);
    ASSERT_NE(tag, 40'000);
    window.remove(tag);
  }
  window.remove(first);
  bool again = false;
  for (int i = 0; i < 65'535 && !again; ++i) {
    const uint16_t tag = window.add({}, Stage::sent).tag;
    again = tag == first;
    window.remove(tag);
  }
  EXPECT_TRUE(again);  // what is settled is free
}

// Settled in any order, some never, some tags given from outside: against a list of what is out.
TEST(Window, NeverGivesATagThatIsOut) {
  for (uint32_t seed = 1; seed <= 30; ++seed) {
    std::minstd_rand numbers(seed);
    const auto random = [&numbers] { return static_cast<uint32_t>(numbers()); };
    Window window;
    std::vector<uint16_t> out;
    const uint32_t most = 1 + random() % 40;
    for (int i = 0; i < 100'000; ++i) {
      if (out.size() < most) {
        uint16_t tag = 0;
        if (seed % 3 == 0 && random() % 5'000 == 0) tag = static_cast<uint16_t>(1 + random() % 65'535);
        if (tag != 0 && std::find(out.begin(), out.end(), tag) != out.end()) continue;
        tag = window.add({}, Stage::sent, tag).tag;
        ASSERT_EQ(std::find(out.begin(), out.end(), tag), out.end()) << "seed " << seed << ", " << i;
        out.push_back(tag);
        if (random() % 50 != 0) continue;
      }
      // The first stays out for long; now and then all are settled.
      const std::size_t kept = random() % 1'000 == 0 ? 0 : std::min<std::size_t>(seed % 4, out.size());
      while (out.size() > kept) {
        const std::size_t at = kept + random() % (out.size() - kept);
        window.remove(out[at]);
        out.erase(out.begin() + static_cast<std::ptrdiff_t>(at));
        if (kept != 0) break;
      }
    }
  }
}

}  // namespace
}  // namespace arena::broker
