// What must be there when a broker that has come back begins to listen.
#include "broker/test_world.h"

namespace arena::broker::test {
namespace {

constexpr auto k2 = Guarantee::exactly_once;

// However long mail between cores takes: a publish that is repeated on the first connection after a crash is not a new one.
TEST(Recovery, KnowsOpenHandshakesBeforeItListens) {
  runtime::SimOptions slow_mail;
  slow_mail.mail_delay_max_us = 100'000;
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    World world(3, seed, {}, slow_mail);
    Peer pub(world, "pub"), sub(world, "sub");
    ASSERT_TRUE(pub.connect(true, 100) && sub.connect(true, 100));
    sub.subscribe("t/+", k2);
    for (uint16_t tag = 1; tag <= 8; ++tag) pub.publish("t/" + std::to_string(tag), "x", k2, false, tag);
    world.crash();
    pub.forget();
    sub.forget();
    ASSERT_TRUE(pub.connect(false, 100));
    for (uint16_t tag = 1; tag <= 8; ++tag) {
      EXPECT_TRUE(pub.publish("t/" + std::to_string(tag), "x", k2, false, tag).duplicate) << "seed " << seed << ", tag " << tag;
    }
  }
}

}  // namespace
}  // namespace arena::broker::test
