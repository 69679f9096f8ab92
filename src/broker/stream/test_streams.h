// What tests of streams have in common.
#pragma once

#include <gtest/gtest.h>

#include "broker/test_world.h"

namespace arena::broker::test {

inline constexpr Guarantee k0 = Guarantee::at_most_once;
inline constexpr Guarantee k1 = Guarantee::at_least_once;
inline constexpr Guarantee k2 = Guarantee::exactly_once;

inline std::vector<std::string> numbers(int from, int upto) {
  std::vector<std::string> out;
  for (int i = from; i < upto; ++i) out.push_back(std::to_string(i));
  return out;
}

class Streams : public testing::TestWithParam<unsigned> {
 protected:
  // `count` messages to the topics orders/0 ... orders/2 in turn, at all guarantees.
  void publish(Peer& peer, int from, int upto, const std::string& topic = "orders/1") {
    for (int i = from; i < upto; ++i) {
      const Guarantee guarantee = i % 3 == 0 ? k0 : k1;
      if (guarantee == k0) {
        peer.send(topic, std::to_string(i), k0);
      } else {
        const Receipt receipt = peer.publish(topic, std::to_string(i), guarantee);
        ASSERT_EQ(receipt.outcome, Outcome::ok);
        ASSERT_TRUE(receipt.position.has_value()) << "what a stream captures is stored";
      }
    }
  }
  // In the stream "count": 20 to 29 are left, at those offsets.
  void keep_ten_of_thirty() {
    ASSERT_TRUE(world.create_stream("count", {"count"}, {0, 0, 10}).ok());
    Peer source(world, "thirty");
    ASSERT_TRUE(source.connect());
    for (int i = 0; i < 30; ++i) source.publish("count", std::to_string(i), k1);
    world.run_ms(2500);
  }
  World world{GetParam()};
};

}  // namespace arena::broker::test
