// Goal: a tag is never 0 and never one that is still outstanding, however often the numbers go round.
#include "broker/session/window.h"

#include <gtest/gtest.h>

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

}  // namespace
}  // namespace arena::broker
