#include "base/result.h"

#include <gtest/gtest.h>

#include <memory>

namespace arena {
namespace {

enum class Fault { small, large };

Result<int, Fault> half(int n) {
  if (n % 2 != 0) return fail(Fault::small);
  return n / 2;
}

TEST(Result, HoldsAValueOrAnError) {
  EXPECT_TRUE(half(4).ok());
  EXPECT_EQ(*half(4), 2);
  ASSERT_FALSE(half(3));
  EXPECT_EQ(half(3).error(), Fault::small);
}

TEST(Result, MovesItsValueOut) {
  Result<std::unique_ptr<int>> made = std::make_unique<int>(3);
  const std::unique_ptr<int> taken = std::move(made).value();
  EXPECT_EQ(*taken, 3);
}

TEST(Result, StatusCarriesAReason) {
  const Status good = Unit{};
  const Status bad = fail_with("port 1883 is taken");
  EXPECT_TRUE(good.ok());
  EXPECT_EQ(bad.error().reason, "port 1883 is taken");
  const Status literal = fail("no");
  EXPECT_EQ(literal.error().reason, "no");
}

}  // namespace
}  // namespace arena
