// Section 3.1.2 of the specification: what outlives a connection. Sessions, wills, keep-alive.
#include "gateway/mqtt/test_rules.h"

namespace arena::gateway::mqtt::test {
namespace {

// ---- sessions ----

// [3.1.1 MQTT-3.1.2-4] [3.1.1 MQTT-3.1.2-5] [3.1.1 MQTT-3.2.2-2] [3.1.1 MQTT-3.2.2-3]
TEST(MqttRules, KeepAnUncleanSessionAndWhatItMisses) {
  DoorWorld world;
  Talker pub(world);
  pub.connect("pub");
  {
    Talker first(world, Version::v3_1_1);
    const am::Connack answer = first.connect("c", false);
    EXPECT_EQ(answer.reason, Reason::success);
    EXPECT_FALSE(answer.session_present);
    first.subscribe("x", k2);
  }
  pub.publish("x", "1", k1);
  pub.publish("x", "2", k2);
  world.run_ms(1'000'000);  // for good: 3.1.1 knows no expiry
  Talker second(world, Version::v3_1_1);
  EXPECT_TRUE(second.connect("c", false).session_present);
  const auto one = second.next<am::Publish>();
  EXPECT_EQ(one.payload, "1");
  EXPECT_EQ(one.qos, k1);
  const auto two = second.next<am::Publish>();
  EXPECT_EQ(two.payload, "2");
  EXPECT_EQ(two.qos, k2);
}

// [3.1.1 MQTT-3.1.2-6] [3.1.1 MQTT-3.1.4-3] [3.1.1 MQTT-3.2.2-1] [3.1.1 MQTT-3.2.2-3]
TEST(MqttRules, ForgetASessionAtACleanOne) {
  DoorWorld world;
  Talker pub(world);
  pub.connect("pub");
  const auto connect = [&](Talker& client, bool clean) {
    const am::Connack answer = client.connect("c", clean);
    EXPECT_EQ(answer.reason, Reason::success);
    EXPECT_FALSE(answer.session_present);
  };
  {
    Talker kept(world, Version::v3_1_1);
    connect(kept, false);
    kept.subscribe("kept", k1);
  }
  pub.publish("kept", "missed", k1);
  {
    Talker clean(world, Version::v3_1_1);
    connect(clean, true);
    EXPECT_TRUE(clean.silent());
    pub.publish("kept", "no longer subscribed", k1);
    EXPECT_TRUE(clean.silent());
    clean.subscribe("clean", k1);
  }
  pub.publish("clean", "nobody there", k1);
  Talker after(world, Version::v3_1_1);
  connect(after, false);  // the clean session died with its connection
  EXPECT_TRUE(after.silent());
}

// [5 MQTT-3.1.2-23] [5 MQTT-3.1.2-5] [5 MQTT-3.1.4-4]
TEST(MqttRules, KeepASessionAsLongAsItAsks) {
  DoorWorld world;
  Talker pub(world);
  pub.connect("pub");
  {
    Talker first(world);
    first.connect("c", true, 60);
    first.subscribe("x", k1);
  }
  pub.publish("x", "missed", k1);
  world.run_ms(59'000);
  {
    Talker second(world);
    EXPECT_TRUE(second.connect("c", false, 60).session_present);
    EXPECT_EQ(second.next<am::Publish>().payload, "missed");
    pub.publish("x", "still subscribed", k0);
    EXPECT_EQ(second.next<am::Publish>().payload, "still subscribed");
  }
  Talker third(world);
  EXPECT_FALSE(third.connect("c", true, 60).session_present);  // Clean Start wants a new one
  pub.publish("x", "unsubscribed", k0);
  EXPECT_TRUE(third.silent());
}

// [3.1.1 MQTT-3.1.2-7]
TEST(MqttRules, KeepRetainedMessagesOfSessionsThatEnd) {
  DoorWorld world;
  {
    Talker pub(world, Version::v3_1_1);
    pub.connect("pub", true);
    am::Publish packet = pub.message("x", "stays", k1);
    packet.retain = true;
    pub.say(packet);
    pub.acked(PacketType::puback, 1);
    pub.say(am::Disconnect{});
    EXPECT_TRUE(pub.closed());
  }
  world.run_ms(10'000);
  Talker sub(world, Version::v3_1_1);
  sub.connect("sub");
  sub.subscribe("x");
  EXPECT_EQ(sub.next<am::Publish>().payload, "stays");
}

// ---- wills ----

am::Connect testament(const Talker& client, bool clean = true, uint32_t expiry_s = 0) {
  am::Connect packet = client.connect_packet("dying", clean, expiry_s);
  packet.will = am::Will{.topic = "will", .payload = "gone", .qos = k1};
  return packet;
}

struct Heir {
  explicit Heir(DoorWorld& world) : client(world) {
    client.connect("heir");
    client.subscribe("will", k1);
  }
  bool inherits() {
    const auto will = client.next<am::Publish>();
    client.ack(PacketType::puback, will.packet_id);
    return will.payload == "gone" && will.qos == k1;
  }
  bool silent(int64_t ms = 200) { return client.silent(ms); }
  Talker client;
};

// [3.1.1 MQTT-3.1.2-8] [5 MQTT-3.1.2-8] [3.1.1 MQTT-3.1.2-24]: every end but DISCONNECT.
TEST(MqttRules, PublishAWillHoweverTheConnectionEnds) {
  DoorWorld world;
  Heir heir(world);
  for (const Version version : kVersions) {
    Talker broken(world, version);
    broken.connect(testament(broken));
    EXPECT_TRUE(heir.silent());
    broken.vanish();
    EXPECT_TRUE(heir.inherits());
    Talker silent(world, version);
    am::Connect packet = testament(silent);
    packet.keep_alive_s = 10;
    silent.connect(packet);
    EXPECT_TRUE(heir.silent(14'500));
    EXPECT_TRUE(heir.inherits());
    Talker faulty(world, version);
    faulty.connect(testament(faulty));
    faulty.bytes(bytes_of("36 { 00 }"));
    EXPECT_TRUE(heir.inherits());
    Talker succeeded(world, version), successor(world, version);
    succeeded.connect(testament(succeeded));
    successor.connect("dying");
    EXPECT_TRUE(heir.inherits());
    EXPECT_TRUE(heir.silent());
  }
}

// [3.1.1 MQTT-3.1.2-12]
TEST(MqttRules, PublishNothingForThoseWithoutAWill) {
  DoorWorld world;
  Talker watch(world);
  watch.connect("watch");
  watch.subscribe("#", k1);
  for (const Version version : kVersions) {
    Talker client(world, version);
    client.connect("c");
    client.vanish();
    EXPECT_TRUE(watch.silent(2000));
  }
}

// [5 MQTT-3.1.2-7]: it is the session's, and waits with it, until the delay or the session is over.
TEST(MqttRules, KeepAWillWithItsSession) {
  DoorWorld world;
  Heir heir(world);
  const std::pair<uint32_t, uint32_t> cases[] = {{30, 100}, {100, 30}};  // delay, expiry
  for (const auto& [delay_s, expiry_s] : cases) {
    Talker client(world);
    am::Connect packet = testament(client, true, expiry_s);
    packet.will->properties.will_delay_interval_s = delay_s;
    client.connect(packet);
    client.vanish();
    EXPECT_TRUE(heir.silent(29'000));
    world.run_ms(2'000);
    EXPECT_TRUE(heir.inherits());
  }
}

// [5 MQTT-3.1.2-10] [3.1.1 MQTT-3.1.2-10]: published once, and never after DISCONNECT.
TEST(MqttRules, ForgetAWillThatWasPublishedOrTakenBack) {
  for (const Version version : kVersions) {
    for (const bool polite : {false, true}) {
      DoorWorld world;
      Heir heir(world);
      Talker client(world, version), without(world, version);
      client.connect(testament(client, false, 1000));
      if (polite) {
        client.say(am::Disconnect{});
        EXPECT_TRUE(client.closed());
      } else {
        client.vanish();
        EXPECT_TRUE(heir.inherits());
      }
      EXPECT_TRUE(heir.silent());
      EXPECT_TRUE(without.connect("dying", false, 1000).session_present);
      without.vanish();
      EXPECT_TRUE(heir.silent(2'000'000));
    }
  }
}

// [5 MQTT-3.1.2-14] [5 MQTT-3.1.2-15] [3.1.1 MQTT-3.1.2-16] [3.1.1 MQTT-3.1.2-17]
TEST(MqttRules, RetainAWillOnlyWhenItSaysSo) {
  for (const Version version : kVersions) {
    for (const bool retain : {false, true}) {
      DoorWorld world;
      Talker keeper(world), client(world, version), late(world, version);
      keeper.connect("keeper");
      am::Subscribe subscribe = subscribe_packet(1, "will");
      subscribe.subscriptions[0].retain_as_published = true;
      keeper.subscribe(subscribe);
      am::Connect packet = testament(client);
      packet.will->retain = retain;
      client.connect(packet);
      client.vanish();
      EXPECT_EQ(keeper.next<am::Publish>().retain, retain);
      late.connect("late");
      late.subscribe("will");
      if (retain) {
        EXPECT_EQ(late.next<am::Publish>().payload, "gone");
      }
      EXPECT_TRUE(late.silent());
    }
  }
}

// [5 MQTT-3.1.2-22] [3.1.1 MQTT-3.1.2-24]: any packet counts, not only PINGREQ; half a packet is none.
TEST(MqttRules, CountAnyPacketAsASignOfLife) {
  DoorWorld world;
  for (const Version version : kVersions) {
    Talker client(world, version);
    am::Connect packet = client.connect_packet("c");
    packet.keep_alive_s = 4;
    client.connect(packet);
    for (int i = 0; i < 3; ++i) {
      EXPECT_TRUE(client.silent(5'800));
      client.publish("nowhere", "");
    }
    EXPECT_TRUE(client.silent(5'800));
    EXPECT_TRUE(client.ended_with(Reason::keep_alive_timeout));
  }
}

}  // namespace
}  // namespace arena::gateway::mqtt::test
