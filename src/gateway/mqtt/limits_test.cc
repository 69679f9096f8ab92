// Goal: each limit of the gateway's Options holds at the socket. docs/limits.md names these tests; who may connect at all is
// in door_test.cc.
#include "gateway/mqtt/test_door.h"

namespace arena::gateway::mqtt::test {
namespace {

TEST(MqttLimits, BytesOfAClientId) {
  Options options;
  options.client_id_bytes_max = 23;
  DoorWorld world(1, options);
  Talker fits(world), longer(world);
  EXPECT_EQ(fits.connect(std::string(23, 'x')).reason, Reason::success);
  EXPECT_EQ(longer.connect(std::string(24, 'x')).reason, Reason::client_identifier_not_valid);
  EXPECT_TRUE(longer.closed());
  EXPECT_EQ(world.counters[0]->connects_refused.get(), 1u);
}

void publish_with_properties(Talker& client, std::size_t count, std::size_t value_bytes) {
  client.connect("c");
  const std::string value(value_bytes, 'v');
  am::Publish packet = client.message("x", "");
  for (std::size_t i = 0; i < count; ++i) packet.properties.user_properties.push_back({"k", value});
  client.say(packet);
}

TEST(MqttLimits, UserPropertiesOfAPacket) {
  Options options;
  options.user_properties_max = 3;
  DoorWorld world(1, options);
  Talker fits(world), more(world);
  publish_with_properties(fits, 3, 1);
  EXPECT_TRUE(fits.silent());
  publish_with_properties(more, 4, 1);
  EXPECT_TRUE(more.ended_with(Reason::quota_exceeded));
  EXPECT_EQ(world.counters[0]->malformed.get(), 1u);
}

TEST(MqttLimits, UserPropertyBytesOfAPacket) {
  Options options;
  options.user_property_bytes_max = 100;
  DoorWorld world(1, options);
  Talker fits(world), more(world);
  publish_with_properties(fits, 2, 40);
  EXPECT_TRUE(fits.silent());
  publish_with_properties(more, 2, 60);
  EXPECT_TRUE(more.ended_with(Reason::quota_exceeded));
}

am::Subscribe subscribe_to(Talker& client, const std::vector<std::string_view>& filters) {
  am::Subscribe packet;
  packet.packet_id = ++client.packet_id;
  for (const std::string_view filter : filters) packet.subscriptions.push_back({filter, k0});
  return packet;
}

am::Unsubscribe unsubscribe_from(Talker& client, std::vector<std::string_view> filters) {
  am::Unsubscribe packet;
  packet.packet_id = ++client.packet_id;
  packet.filters = std::move(filters);
  return packet;
}

// One too many, and none is taken: the session that comes back has what it had before.
TEST(MqttLimits, FiltersOfASubscribeAndOfAnUnsubscribe) {
  Options options;
  options.filters_per_subscribe_max = 3;
  for (const Version version : {Version::v3_1, Version::v3_1_1, Version::v5}) {
    DoorWorld world(1, options);
    const auto resume = [&](Talker& client) {
      EXPECT_EQ(client.connect("c", false, version == Version::v5 ? 100 : 0).reason, Reason::success);
    };
    Talker pub(world), subscribes(world, version), unsubscribes(world, version), back(world, version);
    pub.connect("pub");
    resume(subscribes);
    EXPECT_EQ(subscribes.subscribe(subscribe_to(subscribes, {"a", "b", "c"})).size(), 3u);
    subscribes.say(subscribe_to(subscribes, {"d", "e", "f", "g"}));
    EXPECT_TRUE(subscribes.ended_with(Reason::quota_exceeded));
    EXPECT_EQ(world.counters[0]->malformed.get(), 1u);

    resume(unsubscribes);
    unsubscribes.say(unsubscribe_from(unsubscribes, {"x", "y", "z"}));
    unsubscribes.next<am::Unsuback>();
    unsubscribes.say(unsubscribe_from(unsubscribes, {"a", "b", "c", "d"}));
    EXPECT_TRUE(unsubscribes.ended_with(Reason::quota_exceeded));
    EXPECT_EQ(world.counters[0]->malformed.get(), 2u);

    resume(back);
    for (const char* topic : {"d", "e", "f", "g", "a", "b", "c"}) pub.publish(topic, "");
    for (const char* topic : {"a", "b", "c"}) EXPECT_EQ(back.next<am::Publish>().topic, topic);
    EXPECT_TRUE(back.silent());
  }
}

TEST(MqttLimits, LengthOfATopicAndOfAFilter) {
  Options options;
  options.topics.length_max = 10;
  DoorWorld world(1, options);
  Talker client(world);
  client.connect("c");
  EXPECT_EQ(client.subscribe("0123456789"), std::vector{Reason::success});
  EXPECT_EQ(client.subscribe("0123456789x"), std::vector{Reason::topic_filter_invalid});
  client.publish("0123456789x", "");
  EXPECT_TRUE(client.ended_with(Reason::topic_name_invalid));
}

TEST(MqttLimits, DepthOfATopicAndOfAFilter) {
  Options options;
  options.topics.depth_max = 3;
  DoorWorld world(1, options);
  Talker client(world);
  client.connect("c");
  EXPECT_EQ(client.subscribe("a/b/c"), std::vector{Reason::success});
  EXPECT_EQ(client.subscribe("a/b/c/d"), std::vector{Reason::topic_filter_invalid});
  client.publish("a/b/c/d", "");
  EXPECT_TRUE(client.ended_with(Reason::topic_name_invalid));
}

// A client that is told no limit is not ended: its socket is not read.
TEST(MqttLimits, PublishesThatWaitForTheirReceipts) {
  Options options;
  options.acks_pending_max = 5;
  DoorWorld world(2, options);
  Talker pub(world, Version::v3_1_1), sub(world);
  sub.connect("sub", true, 100);
  sub.subscribe("#", k1);
  pub.connect("pub");
  world.run_ms(100);
  for (unsigned core = 0; core < 2; ++core) world.broker.sim().pause_lane(runtime::Lane::commit, 1000);
  const auto received = [&] { return world.counters[0]->publishes_received.get() + world.counters[1]->publishes_received.get(); };
  world.broker.sim().pause_core(0, 1000);
  world.broker.sim().pause_core(1, 1000);
  for (int i = 0; i < 20; ++i) pub.publish("x/" + std::to_string(i), "", k1);
  EXPECT_EQ(received(), 5u);
  EXPECT_EQ(world.counters[0]->throttled.get() + world.counters[1]->throttled.get(), 1u);
  for (uint16_t i = 1; i <= 20; ++i) pub.acked(am::PacketType::puback, i);
  EXPECT_EQ(received(), 20u);
}

std::string id_on(DoorWorld& world, unsigned core) {
  int i = 0;
  while (world.broker.shard(0).home_core(broker::session_key(Principal{}, std::to_string(i))) != core) ++i;
  return std::to_string(i);
}

// Who both publishes and subscribes: what it is sent goes on while its publishes wait.
TEST(MqttLimits, AcknowledgementsAndPingsGoPastPublishesThatWait) {
  Options options;
  options.acks_pending_max = 5;
  DoorWorld world(2, options);
  Talker both(world, Version::v5), other(world);
  other.connect("other");
  const std::string id = id_on(world, 0);  // the packet refers to it
  am::Connect packet = both.connect_packet(id);
  packet.properties.receive_maximum = 1;
  both.connect(packet);
  both.subscribe("in", k1);
  other.publish("in", "first", k1);
  other.publish("in", "second", k1);
  const auto first = both.next<am::Publish>();
  world.run_ms(100);
  world.broker.sim().pause_core(1, 5000);
  std::string all;
  for (int i = 0; i < 20; ++i) all += both.encoded(both.message("out/" + std::to_string(i), "", k1));
  both.bytes(all.substr(0, all.size() / 2 + 3));
  both.bytes(all.substr(all.size() / 2 + 3));
  both.say(am::Pingreq{});
  both.ack(am::PacketType::puback, first.packet_id);
  bool pong = false, second = false;
  for (int64_t ms = 0; ms < 1000 && !(pong && second); ++ms) {
    world.run_ms(1);
    while (const auto one = both.poll()) {
      pong = pong || std::holds_alternative<am::Pingresp>(*one);
      if (const auto* publish = std::get_if<am::Publish>(&*one)) second = second || publish->payload == "second";
    }
  }
  EXPECT_TRUE(pong && second) << pong << second;
  EXPECT_LT(world.counters[0]->publishes_received.get(), 15u);
  world.run_ms(6000);
  std::size_t acked = 0;
  while (const auto one = both.poll()) acked += std::holds_alternative<am::Ack>(*one);
  EXPECT_GE(acked, 5u);
  EXPECT_EQ(world.counters[0]->publishes_received.get() + world.counters[1]->publishes_received.get(), 22u);
}

}  // namespace
}  // namespace arena::gateway::mqtt::test
