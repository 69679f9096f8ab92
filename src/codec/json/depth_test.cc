// Goal: JSON that is nested too deeply is told before anything walks it.
#include "codec/json/depth.h"

#include <gtest/gtest.h>

#include <string>

namespace arena {
namespace {

TEST(JsonDepth, CountsWhatIsOpenAtOnce) {
  EXPECT_FALSE(is_deep("[[],{},[{}]]", 3));
  EXPECT_TRUE(is_deep("[[[[]]]]", 3));
  EXPECT_TRUE(is_deep(std::string(100'000, '['), 16));
  EXPECT_FALSE(is_deep("", 0));
}

TEST(JsonDepth, WhatIsQuotedIsText) {
  EXPECT_FALSE(is_deep(R"({"a":"[[[[[\"[[["})", 2));
  EXPECT_TRUE(is_deep(R"({"a\\":[[1]]})", 2));
  EXPECT_FALSE(is_deep("\"\\", 0)) << "cut off";
}

}  // namespace
}  // namespace arena
