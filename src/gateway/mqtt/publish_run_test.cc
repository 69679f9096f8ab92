// Publishes that came in one read and go on as one burst: packet by packet, in virtual time.
#include "gateway/mqtt/test_door.h"

namespace arena::gateway::mqtt::test {
namespace {

// Many publishes of one read to one topic go through the broker as one; nobody can tell.
std::string texts_from(Talker& talker, int count) {
  std::string out;
  for (int i = 0; i < count; ++i) {
    const auto packet = talker.next<am::Publish>();
    out += std::string(packet.topic) + "=" + std::string(packet.payload) + " ";
  }
  return out;
}

TEST(MqttRun, TakesRunsOfPublishesInTheirOrder) {
  for (const unsigned cores : {1U, 3U}) {
    DoorWorld world(cores);
    Talker pub(world), old(world, Version::v3_1_1), plain(world), labelled(world), member(world), small(world);
    pub.connect("pub");
    for (Talker* talker : {&old, &plain, &labelled, &member}) talker->connect("sub" + std::to_string(talker - &old));
    am::Connect connect = small.connect_packet("small");
    connect.properties.maximum_packet_size = 20;
    small.connect(connect);
    am::Subscribe with_id;
    with_id.packet_id = 9;
    with_id.subscriptions.push_back({"#", k0});
    with_id.properties.subscription_identifier = 5;
    labelled.subscribe(with_id);
    for (Talker* talker : {&old, &plain, &small}) talker->subscribe("#");
    member.subscribe("$share/g/#");
    const std::string large(30, 'L');
    std::string bytes;
    for (const auto& [topic, payload] : {std::pair("a", "1"), {"a", "2"}, {"a", large.c_str()}, {"b", "4"}, {"b", ""}, {"a", "6"}}) {
      bytes += pub.encoded(pub.message(topic, payload));
    }
    bytes += pub.encoded(pub.message("a", "7", k1)) + pub.encoded(pub.message("a", "8"));
    pub.bytes(bytes);
    const std::string all = "a=1 a=2 a=" + large + " b=4 b= a=6 a=7 a=8 ";
    EXPECT_EQ(texts_from(old, 8).size(), all.size());
    for (Talker* talker : {&plain, &labelled, &member}) {
      const std::string got = texts_from(*talker, 8);
      // The one at QoS 1 goes by way of its topic's owner, which on several cores may take longer.
      EXPECT_EQ(got.size(), all.size());
      if (cores == 1) {
        EXPECT_EQ(got, all);
      }
    }
    const std::string fitting = texts_from(small, 7);
    EXPECT_EQ(fitting.find('L'), std::string::npos) << fitting;
    EXPECT_EQ(world.broker.dropped(broker::Drop::unfit), 1u);
    EXPECT_EQ(world.broker.sum(&broker::Counters::published), 8u);
    EXPECT_EQ(world.broker.sum(&broker::Counters::delivered), 4u * 8 + 7);
  }
}

// What stands in front of a fault in one read was said before it.
TEST(MqttRun, PublishesTheRunBeforeAFault) {
  DoorWorld world;
  Talker pub(world), sub(world);
  pub.connect("pub");
  sub.connect("sub");
  sub.subscribe("x");
  pub.bytes(pub.encoded(pub.message("x", "1")) + pub.encoded(pub.message("x", "2")) + std::string("\xF0\x00", 2));
  EXPECT_EQ(sub.next<am::Publish>().payload, "1");
  EXPECT_EQ(sub.next<am::Publish>().payload, "2");
  EXPECT_TRUE(pub.ended_with(Reason::protocol_error));
}

TEST(MqttRun, DecidesARunByThePolicyAtBothEnds) {
  DoorWorld world;
  Talker pub(world), sub(world);
  pub.connect("pub");
  sub.connect("sub");
  sub.subscribe("x");
  const std::string twice = pub.encoded(pub.message("x", "1")) + pub.encoded(pub.message("x", "2"));
  access::Rule deny;
  deny.allow = false;
  deny.subscribe = true;
  deny.filter = "x";
  deny.source = "test";
  world.set_policy({deny});
  pub.bytes(twice);
  EXPECT_TRUE(sub.silent());
  EXPECT_EQ(world.broker.dropped(broker::Drop::denied_delivery), 2u);
  deny.publish = true;
  deny.subscribe = false;
  world.set_policy({deny});
  pub.bytes(twice);
  EXPECT_TRUE(sub.silent());
  EXPECT_EQ(world.broker.dropped(broker::Drop::denied_publish), 2u);
}

}  // namespace
}  // namespace arena::gateway::mqtt::test
