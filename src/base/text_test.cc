// Goal: Text says what a string says, in one pointer.
#include "base/text.h"

#include <gtest/gtest.h>

#include <string>

namespace arena {
namespace {

TEST(Text, IsOnePointer) { EXPECT_EQ(sizeof(Text), sizeof(void*)); }

TEST(Text, SaysWhatItWasMadeOf) {
  const std::string long_one(1000, 'x');
  for (const std::string_view said : {std::string_view(), std::string_view("a"), std::string_view("a\0b", 3), std::string_view(long_one)}) {
    const Text text(said);
    EXPECT_EQ(text.view(), said);
    EXPECT_EQ(text.empty(), said.empty());
    EXPECT_TRUE(text == said);
  }
}

TEST(Text, IsCopiedMovedAndReplaced) {
  Text one("one"), two("two");
  Text copy = one;
  EXPECT_EQ(copy, one);
  EXPECT_LT(one, two);
  one = two;
  EXPECT_EQ(one.view(), "two");
  EXPECT_EQ(copy.view(), "one");
  const Text moved = std::move(copy);
  EXPECT_EQ(moved.view(), "one");
  one = Text();
  EXPECT_TRUE(one.empty());
}

}  // namespace
}  // namespace arena
