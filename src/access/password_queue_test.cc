// Goal: whoever has not guessed wrong is verified before those who have, in bounded room.
#include "access/password_queue.h"

#include <gtest/gtest.h>

#include <vector>

namespace arena::access {
namespace {

// The core is a label here.
PasswordQueue::Pushed push(PasswordQueue& queue, unsigned label, uint64_t address, int64_t now_ms = 0) {
  return queue.push({nullptr, label, address}, now_ms);
}

std::vector<unsigned> rest_of(PasswordQueue& queue) {
  std::vector<unsigned> labels;
  while (const auto entry = queue.next()) labels.push_back(entry->core);
  return labels;
}

using Labels = std::vector<unsigned>;

TEST(PasswordQueue, IsServedByOneAtATime) {
  PasswordQueue queue(8);
  EXPECT_TRUE(push(queue, 1, 1).start);
  EXPECT_FALSE(push(queue, 2, 2).start);
  EXPECT_EQ(rest_of(queue).size(), 2u);
  EXPECT_TRUE(push(queue, 3, 3).start);
}

TEST(PasswordQueue, VerifiesStrangersBeforeThoseWhoWereWrong) {
  PasswordQueue queue(8);
  queue.learn(1, false, 0);
  push(queue, 10, 1, 1000);
  push(queue, 20, 2, 1000);
  push(queue, 11, 1, 1000);
  EXPECT_EQ(rest_of(queue), (Labels{20, 11, 10}));
  push(queue, 12, 1, PasswordQueue::kWrongMs + 1000 + PasswordQueue::kUnansweredMs);
  push(queue, 30, 3, PasswordQueue::kWrongMs + 1000 + PasswordQueue::kUnansweredMs);
  EXPECT_EQ(rest_of(queue), (Labels{30, 12})) << "both strangers by now: the newest first";
}

TEST(PasswordQueue, PutsAnAddressBehindThatAsksAgainBeforeItHasAnAnswer) {
  PasswordQueue queue(8);
  push(queue, 20, 2);
  push(queue, 10, 1);
  push(queue, 11, 1);
  EXPECT_EQ(rest_of(queue), (Labels{20, 11, 10})) << "with what it asked before";
}

TEST(PasswordQueue, FindsTheStrangerAmongAddressesThatBeginToGuessTogether) {
  PasswordQueue queue(1000);
  for (uint64_t address = 1; address <= 200; ++address) push(queue, 1, address);
  push(queue, 7, 7'000);
  for (uint64_t address = 1; address <= 200; ++address) push(queue, 1, address);
  EXPECT_EQ(queue.next()->core, 7u);
}

TEST(PasswordQueue, LetsAnAddressAskAtOnceThatWasRight) {
  PasswordQueue queue(8);
  queue.learn(1, true, 0);
  push(queue, 10, 1);
  push(queue, 11, 1);
  push(queue, 20, 2);
  EXPECT_EQ(rest_of(queue), (Labels{20, 11, 10}));
}

TEST(PasswordQueue, IsFullAtItsBoundAndThenTheOldestSuspectGoes) {
  PasswordQueue queue(2);
  queue.learn(1, false, 0);
  push(queue, 10, 1);
  push(queue, 20, 2);
  EXPECT_EQ(push(queue, 30, 3).displaced->core, 10u);
  EXPECT_EQ(push(queue, 11, 1).displaced->core, 11u) << "a suspect displaces no stranger";
  EXPECT_EQ(push(queue, 40, 4).displaced->core, 20u);
  EXPECT_EQ(rest_of(queue), (Labels{40, 30}));
}

}  // namespace
}  // namespace arena::access
