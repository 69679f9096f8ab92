// Goal: the messages of a burst, taken one by one, are what was published: in order, whole, with ids that rise.
#include "message/burst.h"

#include <gtest/gtest.h>

#include <array>

namespace arena {
namespace {

using namespace std::string_view_literals;

TEST(Burst, GivesBackItsMessages) {
  const std::array payloads{"one"sv, ""sv, "three"sv};
  Burst burst("a/b", payloads);
  burst.head().id = {7, 100};
  burst.head().principal = "ann";
  burst.head().publisher = 5;
  burst.head().published_ms = 1234;
  ASSERT_EQ(burst.size(), 3u);
  EXPECT_EQ(burst.payload_bytes(), 8u);
  for (std::size_t i = 0; i < burst.size(); ++i) {
    EXPECT_EQ(burst.payload(i), payloads[i]);
    const MessageRef message = burst.message(i);
    EXPECT_EQ(message->topic, "a/b");
    EXPECT_EQ(message->payload, payloads[i]);
    EXPECT_EQ(message->principal, "ann");
    EXPECT_EQ(message->publisher, 5u);
    EXPECT_EQ(message->published_ms, 1234);
    EXPECT_EQ(message->guarantee, Guarantee::at_most_once);
    EXPECT_EQ(message->id, (MessageId{7, 100 + i}));
  }
}

TEST(Burst, AccountsForItsBytes) {
  const std::string large(1000, 'x');
  const std::array payloads{std::string_view(large), std::string_view(large)};
  EXPECT_GE(Burst("t", payloads).accounted_bytes(), 2000u);
}

}  // namespace
}  // namespace arena
