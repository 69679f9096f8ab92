#include "broker/session/cursor.h"

#include <gtest/gtest.h>

namespace arena::broker {
namespace {

TEST(Cursor, TheFloorStopsAtWhatIsNotSettled) {
  Cursor cursor(10);
  for (const uint64_t offset : {10U, 11U, 12U}) EXPECT_TRUE(cursor.take(offset));
  cursor.settle(11);
  EXPECT_EQ(cursor.floor(), 10U);
  EXPECT_EQ(cursor.settled_above(), std::set<uint64_t>{11});
  cursor.settle(10);
  EXPECT_EQ(cursor.floor(), 12U);
  EXPECT_TRUE(cursor.settled_above().empty());
}

TEST(Cursor, WhatWasSettledAboveTheFloorIsNotTakenAgainAfterARestart) {
  Cursor cursor(10);
  cursor.restore_settled(11);
  EXPECT_TRUE(cursor.take(10));
  EXPECT_FALSE(cursor.take(11));
  EXPECT_TRUE(cursor.take(12));
  EXPECT_EQ(cursor.floor(), 10U);
}

// One is given back and read again; what lies above it and is still out is neither taken twice nor forgotten when it is
// settled.
TEST(Cursor, WhatIsOutStaysOutWhenSomethingBelowItIsGivenBack) {
  Cursor cursor(10);
  for (const uint64_t offset : {10U, 11U, 12U, 13U}) EXPECT_TRUE(cursor.take(offset));
  cursor.untake(10);
  EXPECT_EQ(cursor.floor(), 10U);
  EXPECT_EQ(cursor.next(), 10U);
  cursor.settle(12);
  EXPECT_EQ(cursor.settled_above(), std::set<uint64_t>{12});
  EXPECT_TRUE(cursor.take(10));
  EXPECT_FALSE(cursor.take(11)) << "it is still out";
  EXPECT_FALSE(cursor.take(12)) << "it is settled";
  EXPECT_FALSE(cursor.take(13)) << "it is still out";
  cursor.settle(10);
  cursor.settle(11);
  EXPECT_EQ(cursor.floor(), 13U);
  cursor.settle(13);
  EXPECT_EQ(cursor.floor(), 14U);
}

}  // namespace
}  // namespace arena::broker
