// In which order things come: messages, repetitions and acknowledgements: packet by packet, in virtual time.
#include <map>

#include "gateway/mqtt/test_rules.h"

namespace arena::gateway::mqtt::test {
namespace {

// Of a server's own repetitions, which keep to the rule that binds clients.
// [5 MQTT-4.6.0-1] [3.1.1 MQTT-4.6.0-1] [3.1.1 MQTT-4.6.0-6]
TEST(MqttOrder, RepeatsInTheOrderOfTheFirstTime) {
  for (const Version version : kVersions) {
    DoorWorld world(2);
    Talker pub(world);
    pub.connect("pub");
    std::vector<uint16_t> ids;
    auto sub = std::make_unique<Talker>(world, version);
    sub->connect("sub", false, 100);
    sub->subscribe("#", k2);
    for (int i = 0; i < 12; ++i) {
      pub.publish("t/" + std::to_string(i % 5), std::to_string(i), i % 3 == 0 ? k2 : k1);
      ids.push_back(sub->next<am::Publish>().packet_id);
    }
    for (int i = 0; i < 2; ++i) {
      sub = std::make_unique<Talker>(world, version);
      EXPECT_TRUE(sub->connect("sub", false, 100).session_present);
      for (std::size_t n = 0; n < ids.size(); ++n) {
        const auto again = sub->next<am::Publish>();
        EXPECT_EQ(again.payload, std::to_string(n));
        EXPECT_EQ(again.packet_id, ids[n]);
      }
      EXPECT_TRUE(sub->silent());
    }
  }
}

// Topics of both cores, stored or not: the receipts come back in another order than the publishes came.
void expect_acks_in_order(Guarantee qos, PacketType type) {
  for (const Version version : kVersions) {
    DoorWorld world(2);
    Talker client(world, version), sub(world, Version::v5, 1);
    sub.connect("sub", true, 100);
    sub.subscribe("stored/#", k2);
    client.connect("c");
    std::string all;
    for (int i = 0; i < 40; ++i) {
      const std::string topic = (i % 2 == 0 ? "stored/" : "ephemeral/") + std::to_string(i);
      all += client.encoded(client.message(topic, "", qos));
    }
    client.bytes(all);
    for (uint16_t id = 1; id <= 40; ++id) client.acked(type, id);
  }
}

// [5 MQTT-4.6.0-2] [3.1.1 MQTT-4.6.0-2]
TEST(MqttOrder, SendsPubackInTheOrderOfThePublishes) { expect_acks_in_order(k1, PacketType::puback); }

// [5 MQTT-4.6.0-3] [3.1.1 MQTT-4.6.0-3]
TEST(MqttOrder, SendsPubrecInTheOrderOfThePublishes) { expect_acks_in_order(k2, PacketType::pubrec); }

// Whatever the order of the messages was, and whether the release is committed first or not.
// [5 MQTT-4.6.0-4] [3.1.1 MQTT-4.6.0-4]
TEST(MqttOrder, SendsPubrelInTheOrderOfThePubrecs) {
  for (const Version version : kVersions) {
    for (const bool lasting : {false, true}) {
      DoorWorld world;
      Talker pub(world), sub(world, version);
      pub.connect("pub");
      sub.connect("sub", !lasting, lasting ? 100 : 0);
      sub.subscribe("x", k2);
      std::vector<uint16_t> ids;
      for (int i = 0; i < 5; ++i) {
        pub.publish("x", "", k2);
        ids.push_back(sub.next<am::Publish>().packet_id);
      }
      std::string all;
      const std::size_t order[] = {3, 0, 4, 1, 2};
      for (const std::size_t i : order) {
        am::Ack packet;
        packet.type = PacketType::pubrec;
        packet.packet_id = ids[i];
        all += sub.encoded(packet);
      }
      sub.bytes(all);
      for (const std::size_t i : order) sub.acked(PacketType::pubrel, ids[i]);
    }
  }
}

// A server sees when a client acknowledges in another order; it settles each by its id all the same.
// [5 MQTT-4.6.0-2] [3.1.1 MQTT-4.6.0-2]
TEST(MqttOrder, TakesAcknowledgementsInAnyOrder) {
  for (const Version version : kVersions) {
    DoorWorld world;
    Talker pub(world);
    pub.connect("pub");
    auto sub = std::make_unique<Talker>(world, version);
    sub->connect("sub", false, 100);
    sub->subscribe("x", k1);
    std::vector<uint16_t> ids;
    for (const char* payload : {"1", "2", "3"}) {
      pub.publish("x", payload, k1);
      ids.push_back(sub->next<am::Publish>().packet_id);
    }
    sub->ack(PacketType::puback, ids[2]);
    sub->ack(PacketType::puback, ids[0]);
    EXPECT_TRUE(sub->silent());
    sub = std::make_unique<Talker>(world, version);
    sub->connect("sub", false, 100);
    EXPECT_EQ(sub->next<am::Publish>().payload, "2");
    EXPECT_TRUE(sub->silent());
  }
}

// From each publisher, each topic and guarantee in order, to whoever takes it live, from the log, or both.
// [5 MQTT-4.6.0-5] [5 MQTT-4.6.0-6] [3.1.1 MQTT-4.6.0-5] [3.1.1 MQTT-4.6.0-6]
TEST(MqttOrder, BringsEachPublishersMessagesInOrder) {
  for (const Version version : kVersions) {
    DoorWorld world(2);
    Talker live(world, version), first(world, version), second(world, version, 1);
    auto lasting = std::make_unique<Talker>(world, version, 1);
    live.connect("live");
    live.subscribe("#", k2);
    lasting->connect("lasting", false, 1000);
    lasting->subscribe("#", k2);
    first.connect("first");
    second.connect("second");
    std::map<std::string, int> sent;
    const auto say = [&](Talker& pub, const std::string& who, int i) {
      const std::string topic = who + "/" + std::to_string(i % 3);
      const auto qos = static_cast<Guarantee>(i % 4 == 3 ? 0 : i % 4);
      pub.publish(topic, std::to_string(i), qos);
      ++sent[topic + static_cast<char>('0' + static_cast<int>(qos))];
    };
    std::map<std::string, std::map<std::string, int>> last;
    const auto listen = [&](Talker& sub, const std::string& who, Guarantee at_least) {
      std::size_t n = 0;
      for (const auto& [flow, count] : sent) n += flow.back() - '0' >= static_cast<int>(at_least) ? static_cast<std::size_t>(count) : 0;
      for (; n > 0; --n) {
        const auto got = sub.next<am::Publish>();
        if (got.payload.empty()) return;
        if (got.qos == k1) sub.ack(PacketType::puback, got.packet_id);
        int& before = last[who][std::string(got.topic) + static_cast<char>('0' + static_cast<int>(got.qos))];
        const int now = std::stoi(std::string(got.payload)) + 1;
        EXPECT_LT(before, now) << who << " " << got.topic;
        before = now;
      }
    };
    for (int i = 0; i < 60; ++i) {
      say(first, "a", i);
      say(second, "b", i);
    }
    listen(live, "live", k0);
    lasting.reset();
    lasting = std::make_unique<Talker>(world, version, 1);
    lasting->connect("lasting", false, 1000);
    last.clear();
    listen(*lasting, "lasting", k1);
  }
}

}  // namespace
}  // namespace arena::gateway::mqtt::test
