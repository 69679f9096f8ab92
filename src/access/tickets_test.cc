// Goal: a ticket says who somebody is, for a while and one purpose, and nobody else can make one.
#include "access/tickets.h"

#include <gtest/gtest.h>

#include <set>

namespace arena::access {
namespace {

Principal named(const std::string& name) {
  Principal who;
  who.name = name;
  return who;
}

TEST(Tickets, SayWhoItIs) {
  const Tickets tickets;
  for (const std::string name : {"ann", "", "ünï cödé", "a b/c"}) {
    const auto who = tickets.redeem(tickets.issue("events", named(name), 3, 1000), "events", 3, 2000);
    ASSERT_TRUE(who) << name;
    EXPECT_EQ(who->name, name);
    EXPECT_EQ(who->space, "default");
    EXPECT_FALSE(who->internal);
  }
}

TEST(Tickets, EndWithTheirTimeTheirPurposeAndTheirPolicy) {
  const Tickets tickets;
  const std::string ticket = tickets.issue("events", named("ann"), 3, 1000);
  EXPECT_TRUE(tickets.redeem(ticket, "events", 3, 1000 + Tickets::kLifeMs - 1));
  EXPECT_FALSE(tickets.redeem(ticket, "events", 3, 1000 + Tickets::kLifeMs));
  EXPECT_FALSE(tickets.redeem(ticket, "other", 3, 1000));
  EXPECT_FALSE(tickets.redeem(ticket, "events", 4, 1000));
}

TEST(Tickets, AreNotForged) {
  const Tickets tickets, others;
  const std::string ticket = tickets.issue("events", named("ann"), 3, 1000);
  EXPECT_FALSE(others.redeem(ticket, "events", 3, 1000)) << "of another process";
  for (std::size_t at = 0; at < ticket.size(); ++at) {
    std::string changed = ticket;
    changed[at] = changed[at] == 'A' ? 'B' : 'A';
    EXPECT_FALSE(tickets.redeem(changed, "events", 3, 1000)) << at;
    EXPECT_FALSE(tickets.redeem(ticket.substr(0, at), "events", 3, 1000)) << at;
  }
  EXPECT_FALSE(tickets.redeem(ticket + "A", "events", 3, 1000));
  EXPECT_FALSE(tickets.redeem(ticket + "\n", "events", 3, 1000));
  EXPECT_FALSE(tickets.redeem(std::string(100'000, 'A'), "events", 3, 1000));
  std::set<std::string> different;
  for (int i = 0; i < 100; ++i) different.insert(tickets.issue("events", named("ann"), 3, 1000));
  EXPECT_EQ(different.size(), 100u);
}

}  // namespace
}  // namespace arena::access
