#include "base/units.h"

#include <gtest/gtest.h>

namespace arena {
namespace {

TEST(Units, ReadsTimes) {
  EXPECT_EQ(age_of("7d"), 604'800'000);
  EXPECT_EQ(age_of("90s"), 90'000);
  EXPECT_EQ(age_of("500ms"), 500);
  for (const char* text : {"", "7", "d", "7 days", "-1d", "1.5h", "99999999999999d"}) EXPECT_FALSE(age_of(text)) << text;
}

TEST(Units, ReadsSizes) {
  EXPECT_EQ(bytes_of("4096"), 4096u);
  EXPECT_EQ(bytes_of("10GB"), 10'000'000'000u);
  EXPECT_EQ(bytes_of("1 GiB"), 1u << 30);
  for (const char* text : {"", "GB", "1XB", "-1", "1.5GB", "99999999999TB"}) EXPECT_FALSE(bytes_of(text)) << text;
}

TEST(Units, WritesThem) {
  EXPECT_EQ(age_text(604'800'000), "7d");
  EXPECT_EQ(age_text(5'400'000), "90m");
  EXPECT_EQ(age_text(0), "0s");
  EXPECT_EQ(bytes_text(10'000'000'000), "10.0 GB");
  EXPECT_EQ(bytes_text(12), "12 B");
}

}  // namespace
}  // namespace arena
