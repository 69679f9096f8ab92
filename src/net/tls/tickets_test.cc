// Goal: all cores have the same keys at the same time, and old ones are neither taken nor to be found out.
#include "net/tls/tickets.h"

#include <gtest/gtest.h>

namespace arena::net {
namespace {

constexpr int64_t kPeriodMs = 1000;

TEST(TicketKeys, CoresAgreeWhenever) {
  const TicketSeed seed = TicketSeed::make(5000, kPeriodMs);
  TicketKeys one(seed);
  TicketKeys other(seed);
  for (int64_t now = 5000; now < 9000; now += 100) one.current(now);
  EXPECT_EQ(one.current(9000).cipher, other.current(9000).cipher);
  EXPECT_EQ(one.current(9000).name, other.current(9000).name);
  EXPECT_EQ(one.current(9000).mac, other.current(9000).mac);
}

TEST(TicketKeys, AKeyIsTakenForOnePeriodMore) {
  TicketKeys keys(TicketSeed::make(0, kPeriodMs));
  const TicketKey first = keys.current(999);
  const TicketKey second = keys.current(1000);
  EXPECT_NE(first.cipher, second.cipher);
  EXPECT_NE(first.mac, second.mac);
  ASSERT_NE(keys.find(first.name, 1999), nullptr);
  EXPECT_EQ(keys.find(first.name, 1999)->cipher, first.cipher);
  EXPECT_EQ(keys.find(first.name, 2000), nullptr);
  EXPECT_NE(keys.find(second.name, 2000), nullptr);
  EXPECT_EQ(keys.find(second.name, 1'000'000), nullptr);
}

TEST(TicketKeys, AnotherProcessHasOthers) {
  TicketKeys one(TicketSeed::make(0, kPeriodMs));
  TicketKeys other(TicketSeed::make(0, kPeriodMs));
  EXPECT_NE(one.current(0).cipher, other.current(0).cipher);
  EXPECT_EQ(other.find(one.current(0).name, 0), nullptr);
}

}  // namespace
}  // namespace arena::net
