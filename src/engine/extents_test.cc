#include "engine/extents.h"

#include <gtest/gtest.h>

namespace arena::engine {
namespace {

TEST(Extents, TellWhatWasWrittenWhen) {
  Extents extents;
  EXPECT_EQ(extents.written_at(0), std::nullopt);
  EXPECT_EQ(extents.offset_written_after(0), 0u);
  extents.append(10, 20, 20'000, 20'000);
  extents.append(20, 30, 20'000, 60'000);   // 20 KB to another log between
  extents.append(30, 40, 20'000, 100'000);
  EXPECT_EQ(extents.written_at(0), 20'000u) << "the first above";
  EXPECT_EQ(extents.written_at(25), 60'000u);
  EXPECT_EQ(extents.written_at(40), std::nullopt);
  EXPECT_EQ(extents.offset_written_after(0), 10u);
  EXPECT_EQ(extents.offset_written_after(59'999), 20u);
  EXPECT_EQ(extents.offset_written_after(60'000), 30u);
  EXPECT_EQ(extents.offset_written_after(100'000), 40u);
  extents.trim(20);
  EXPECT_EQ(extents.offset_written_after(0), 20u);
}

// Of a log that little comes to, what is old does not wait for what is new.
TEST(Extents, HoldNothingTogetherThatWasWrittenFarApart) {
  Extents extents;
  constexpr uint64_t kBetween = 100'000;
  for (uint64_t i = 0; i < 100; ++i) extents.append(i, i + 1, 100, (i + 1) * kBetween);
  for (uint64_t i = 20; i < 100; i += 7) {
    const uint64_t after = extents.offset_written_after(i * kBetween);
    EXPECT_LE(after, i);
    EXPECT_GE(after + kExtentSpanBytes / kBetween, i);
  }
  EXPECT_EQ(extents.bytes_from(0), 10'000u);
}

TEST(Extents, AreTakenForWrittenEvenlyWhenThatIsNotKnown) {
  Extents extents;
  for (uint64_t i = 0; i < 10; ++i) extents.append(i, i + 1, 100'000, 0);
  extents.trim(2);
  extents.spread(8'000'000);
  for (uint64_t i = 2; i < 10; ++i) EXPECT_EQ(extents.written_at(i), (i - 1) * 1'000'000);
  extents.append(10, 11, 100'000, 8'100'000);
  EXPECT_EQ(extents.offset_written_after(8'000'000), 10u);
}

}  // namespace
}  // namespace arena::engine
