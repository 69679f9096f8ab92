// The three guarantees as MQTT's handshakes, both ways and across connections: packet by packet, in virtual time.
#include <set>

#include "gateway/mqtt/test_rules.h"

namespace arena::gateway::mqtt::test {
namespace {

// A client whose session outlives its connection, subscribed to x.
struct Lasting {
  Lasting(DoorWorld& in, Version its_version, Guarantee granted) : world(in), version(its_version) {
    back();
    talker->subscribe("x", granted);
  }
  // The connection breaks, and there is another.
  bool back() {
    talker.reset();
    talker = std::make_unique<Talker>(world, version);
    return talker->connect("lasting", false, 1000).session_present;
  }
  Talker* operator->() { return talker.get(); }

  DoorWorld& world;
  Version version;
  std::unique_ptr<Talker> talker;
};

// One that publishes what it is told, and does not wait.
struct Source {
  explicit Source(DoorWorld& world) : talker(world) { talker.connect("source"); }
  void say(std::string_view payload, Guarantee qos, uint32_t expiry_s = 0) {
    am::Publish packet = talker.message("x", payload, qos);
    if (expiry_s != 0) packet.properties.message_expiry_interval_s = expiry_s;
    talker.say(packet);
    if (qos != k0) talker.any();
  }
  Talker talker;
};

// [5 MQTT-4.3.1-1] [3.1.1 MQTT-4.3.1-1]: sent without DUP, and with it refused.
TEST(MqttGuarantee, HasNoRepetitionAtMostOnce) {
  for (const Version version : kVersions) {
    DoorWorld world;
    Talker sub(world, version), pub(world, version);
    sub.connect("sub");
    sub.subscribe("x", k0);
    pub.connect("pub");
    am::Publish packet = pub.message("x", "", k1);
    packet.dup = true;
    pub.say(packet);
    const auto got = sub.next<am::Publish>();
    EXPECT_EQ(got.qos, k0);
    EXPECT_FALSE(got.dup);
    pub.acked(PacketType::puback, 1);
    packet = pub.message("x", "", k0);
    packet.dup = true;
    pub.say(packet);
    EXPECT_TRUE(pub.ended_with(Reason::malformed_packet));
    EXPECT_TRUE(sub.silent());
  }
}

// [5 MQTT-4.3.2-1] [5 MQTT-4.3.2-2] [5 MQTT-4.3.2-3] [3.1.1 MQTT-4.3.2-1]
TEST(MqttGuarantee, SendsAtLeastOnceUntilAcknowledged) {
  for (const Version version : kVersions) {
    DoorWorld world;
    Lasting sub(world, version, k1);
    Source source(world);
    std::vector<uint16_t> ids;
    for (const char* payload : {"1", "2", "3"}) {
      source.say(payload, k1);
      const auto got = sub->next<am::Publish>();
      EXPECT_EQ(got.payload, payload);
      EXPECT_EQ(got.qos, k1);
      EXPECT_FALSE(got.dup);
      ids.push_back(got.packet_id);
    }
    EXPECT_EQ(std::set(ids.begin(), ids.end()).size(), 3u);
    sub->ack(PacketType::puback, ids[1]);
    EXPECT_TRUE(sub.back());
    for (const std::size_t i : {0u, 2u}) {
      const auto again = sub->next<am::Publish>();
      EXPECT_EQ(again.payload, std::to_string(i + 1));
      EXPECT_EQ(again.packet_id, ids[i]);
      EXPECT_TRUE(again.dup);
    }
    EXPECT_TRUE(sub->silent());
  }
}

// [5 MQTT-4.3.2-4] [5 MQTT-4.3.2-5] [3.1.1 MQTT-4.3.2-2]: once acknowledged, the id is free, whatever DUP says.
TEST(MqttGuarantee, TakesAnAcknowledgedIdForANewMessage) {
  for (const Version version : kVersions) {
    DoorWorld world;
    Talker sub(world), pub(world, version);
    sub.connect("sub");
    sub.subscribe("x", k0);
    pub.connect("pub");
    for (const bool dup : {false, true, true}) {
      am::Publish packet = pub.message("x", "message", k1);
      packet.packet_id = 7;
      packet.dup = dup;
      pub.say(packet);
      pub.acked(PacketType::puback, 7);
      EXPECT_EQ(sub.next<am::Publish>().payload, "message");
    }
    EXPECT_TRUE(sub.silent());
  }
}

// [5 MQTT-4.3.2-4] [5 MQTT-4.3.3-8]: ownership means that it is committed for whom it must wait, before it is answered.
TEST(MqttGuarantee, OwnsAMessageBeforeItAcknowledges) {
  DoorWorld world;
  Lasting sub(world, Version::v5, k2);
  sub.talker.reset();
  Talker pub(world);
  pub.connect("pub");
  world.broker.disk().fail_after(0);
  pub.publish("x", "1", k1);
  EXPECT_EQ(pub.acked(PacketType::puback, 1), Reason::unspecified_error);
  pub.publish("x", "2", k2);
  EXPECT_EQ(pub.acked(PacketType::pubrec, 2), Reason::unspecified_error);
  world.broker.disk().repair();
  pub.publish("x", "3", k1);
  EXPECT_EQ(pub.acked(PacketType::puback, 3), Reason::success);
  EXPECT_TRUE(sub.back());
  EXPECT_EQ(sub->next<am::Publish>().payload, "3");
}

// [5 MQTT-4.3.3-1] [5 MQTT-4.3.3-2] [5 MQTT-4.3.3-3] [5 MQTT-4.3.3-4] [3.1.1 MQTT-4.3.3-1]
TEST(MqttGuarantee, SendsExactlyOnceUntilReceived) {
  for (const Version version : kVersions) {
    DoorWorld world;
    Lasting sub(world, version, k2);
    Source source(world);
    std::vector<uint16_t> ids;
    for (const char* payload : {"1", "2", "3"}) {
      source.say(payload, k2);
      const auto got = sub->next<am::Publish>();
      EXPECT_EQ(got.payload, payload);
      EXPECT_EQ(got.qos, k2);
      EXPECT_FALSE(got.dup);
      ids.push_back(got.packet_id);
    }
    EXPECT_EQ(std::set(ids.begin(), ids.end()).size(), 3u);
    sub->ack(PacketType::pubrec, ids[1]);
    EXPECT_EQ(sub->acked(PacketType::pubrel, ids[1]), Reason::success);
    sub->ack(PacketType::pubcomp, ids[1]);
    EXPECT_TRUE(sub.back());
    for (const std::size_t i : {0u, 2u}) {
      const auto again = sub->next<am::Publish>();
      EXPECT_EQ(again.payload, std::to_string(i + 1));
      EXPECT_EQ(again.packet_id, ids[i]);
      EXPECT_TRUE(again.dup);
    }
    EXPECT_TRUE(sub->silent());
  }
}

// [5 MQTT-4.3.3-5] [5 MQTT-4.3.3-6] [3.1.1 MQTT-4.3.3-1]
TEST(MqttGuarantee, RepeatsTheReleaseButNotTheMessage) {
  for (const Version version : kVersions) {
    DoorWorld world;
    Lasting sub(world, version, k2);
    Source source(world);
    source.say("once", k2);
    const uint16_t id = sub->next<am::Publish>().packet_id;
    sub->ack(PacketType::pubrec, id);
    sub->acked(PacketType::pubrel, id);
    for (int i = 0; i < 2; ++i) {
      EXPECT_TRUE(sub.back());
      EXPECT_EQ(sub->acked(PacketType::pubrel, id), Reason::success);
      EXPECT_TRUE(sub->silent());
    }
    sub->ack(PacketType::pubrec, id);  // it may not have seen the release
    sub->acked(PacketType::pubrel, id);
    sub->ack(PacketType::pubcomp, id);
    EXPECT_TRUE(sub.back());
    EXPECT_TRUE(sub->silent());
  }
}

// [5 MQTT-4.3.3-4]: and not after one that says no, nor for a message of another guarantee.
TEST(MqttGuarantee, ReleasesOnlyWhatWasReceived) {
  DoorWorld world;
  Lasting sub(world, Version::v5, k2);
  Source source(world);
  source.say("refused", k2);
  sub->ack(PacketType::pubrec, sub->next<am::Publish>().packet_id, Reason::unspecified_error);
  EXPECT_TRUE(sub->silent());
  source.say("at least once", k1);
  sub->ack(PacketType::pubrec, sub->next<am::Publish>().packet_id);
  EXPECT_TRUE(sub->ended_with(Reason::protocol_error));
}

// [5 MQTT-4.3.3-8] [5 MQTT-4.3.3-10] [5 MQTT-4.3.3-11] [5 MQTT-4.3.3-12] [3.1.1 MQTT-4.3.3-2]
TEST(MqttGuarantee, TakesExactlyOnceWhatIsRepeated) {
  for (const Version version : kVersions) {
    DoorWorld world;
    Talker sub(world), pub(world, version);
    sub.connect("sub");
    sub.subscribe("x", k2);
    pub.connect("pub");
    for (const char* payload : {"first", "second"}) {
      am::Publish packet = pub.message("x", payload, k2);
      packet.packet_id = 7;
      for (const bool dup : {false, true, true}) {
        packet.dup = dup;
        pub.say(packet);
        EXPECT_EQ(pub.acked(PacketType::pubrec, 7), Reason::success);
      }
      EXPECT_EQ(sub.next<am::Publish>().payload, payload);
      EXPECT_TRUE(sub.silent());
      pub.ack(PacketType::pubrel, 7);
      EXPECT_EQ(pub.acked(PacketType::pubcomp, 7), Reason::success);
    }
    pub.ack(PacketType::pubrel, 7);  // its PUBCOMP may have been lost
    pub.acked(PacketType::pubcomp, 7);
    EXPECT_TRUE(sub.silent());
  }
}

// [5 MQTT-4.3.3-9]
TEST(MqttGuarantee, TakesARefusedIdForANewMessage) {
  DoorWorld world;
  access::Rule rule;
  rule.allow = false;
  rule.publish = true;
  rule.filter = "x";
  Talker sub(world), pub(world);
  sub.connect("sub");
  sub.subscribe("x", k0);
  pub.connect("pub");
  am::Publish packet = pub.message("x", "again", k2);
  world.set_policy({rule});
  pub.say(packet);
  EXPECT_EQ(pub.acked(PacketType::pubrec, 1), Reason::not_authorized);
  world.set_policy({});
  packet.dup = true;
  pub.say(packet);
  EXPECT_EQ(pub.acked(PacketType::pubrec, 1), Reason::success);
  EXPECT_EQ(sub.next<am::Publish>().payload, "again");
}

// [5 MQTT-4.3.3-7]: only what has not left yet may expire.
TEST(MqttGuarantee, RepeatsExactlyOnceWhatHasExpiredMeanwhile) {
  DoorWorld world;
  Lasting sub(world, Version::v5, k2);
  Source source(world);
  source.say("begun", k2, 5);
  const uint16_t id = sub->next<am::Publish>().packet_id;
  sub.talker.reset();
  source.say("not begun", k2, 5);
  world.run_ms(60'000);
  EXPECT_TRUE(sub.back());
  const auto again = sub->next<am::Publish>();
  EXPECT_EQ(again.payload, "begun");
  EXPECT_EQ(again.packet_id, id);
  EXPECT_TRUE(sub->silent());
}

// [5 MQTT-4.3.3-13]: coming in, too, the handshake goes on though the message is gone.
TEST(MqttGuarantee, CompletesTheHandshakeOfAnExpiredMessage) {
  DoorWorld world;
  Lasting sub(world, Version::v5, k2);
  sub.talker.reset();
  Talker pub(world);
  pub.connect("pub");
  am::Publish packet = pub.message("x", "short-lived", k2);
  packet.properties.message_expiry_interval_s = 1;
  pub.say(packet);
  pub.acked(PacketType::pubrec, 1);
  world.run_ms(10'000);
  packet.dup = true;
  pub.say(packet);
  EXPECT_EQ(pub.acked(PacketType::pubrec, 1), Reason::success);
  pub.ack(PacketType::pubrel, 1);
  EXPECT_EQ(pub.acked(PacketType::pubcomp, 1), Reason::success);
}

// [5 MQTT-4.4.0-1] [3.1.1 MQTT-4.4.0-1]: PUBLISH and PUBREL under their ids, once a session is resumed, and never before.
TEST(MqttGuarantee, RepeatsOnlyToAResumedSession) {
  for (const Version version : kVersions) {
    DoorWorld world;
    Lasting sub(world, version, k2);
    Source source(world);
    source.say("received", k2);
    const uint16_t received = sub->next<am::Publish>().packet_id;
    sub->ack(PacketType::pubrec, received);
    sub->acked(PacketType::pubrel, received);
    source.say("open", k1);
    const uint16_t open = sub->next<am::Publish>().packet_id;
    EXPECT_TRUE(sub->silent(600'000));
    EXPECT_TRUE(sub.back());
    sub->acked(PacketType::pubrel, received);
    EXPECT_EQ(sub->next<am::Publish>().packet_id, open);
    EXPECT_TRUE(sub->silent(600'000));
    Talker another(world, version);
    EXPECT_FALSE(another.connect("lasting", true).session_present);
    EXPECT_TRUE(another.silent());
  }
}

// [5 MQTT-4.4.0-2]
TEST(MqttGuarantee, NeverRepeatsWhatWasRefused) {
  DoorWorld world;
  Lasting sub(world, Version::v5, k2);
  Source source(world);
  source.say("1", k1);
  sub->ack(PacketType::puback, sub->next<am::Publish>().packet_id, Reason::implementation_specific_error);
  source.say("2", k2);
  sub->ack(PacketType::pubrec, sub->next<am::Publish>().packet_id, Reason::quota_exceeded);
  EXPECT_TRUE(sub.back());
  EXPECT_TRUE(sub->silent());
}

// [5 MQTT-4.5.0-1] [3.1.1 MQTT-4.5.0-1]: of those that are there and those that are not.
TEST(MqttGuarantee, GivesAMessageToEverySessionThatMatches) {
  for (const Version version : kVersions) {
    DoorWorld world(2);
    Lasting away(world, version, k1);
    away.talker.reset();
    Talker near(world, version), far(world, version, 1), other(world, version);
    near.connect("near");
    near.subscribe("x", k1);
    far.connect("far");
    far.subscribe("+", k2);
    other.connect("other");
    other.subscribe("y", k2);
    Source source(world);
    source.say("for all", k1);
    EXPECT_EQ(near.next<am::Publish>().payload, "for all");
    EXPECT_EQ(far.next<am::Publish>().payload, "for all");
    EXPECT_TRUE(away.back());
    EXPECT_EQ(away->next<am::Publish>().payload, "for all");
    EXPECT_TRUE(other.silent());
  }
}

// [5 MQTT-4.1.0-1] [3.1.1 MQTT-4.1.0-1] [3.1.1 MQTT-4.1.0-2]: whatever the expiry says.
TEST(MqttGuarantee, KeepsTheStateOfAConnectedSession) {
  DoorWorld world;
  for (const Version version : kVersions) {
    for (const uint32_t expiry_s : {0u, 1u}) {
      Talker client(world, version);
      client.connect("c", true, expiry_s);
      client.subscribe("x", k1);
      client.publish("y", "", k2);
      client.acked(PacketType::pubrec, 2);
      EXPECT_TRUE(client.silent(1'000'000));
      Talker other(world);
      other.connect("other");
      other.publish("x", "still there", k1);
      EXPECT_EQ(client.next<am::Publish>().payload, "still there");
      client.ack(PacketType::pubrel, 2);
      EXPECT_EQ(client.acked(PacketType::pubcomp, 2), Reason::success);
    }
  }
}

// [3.1.1 MQTT-4.1.0-1]: and of one that is not, where it is wanted; with what it had open.
TEST(MqttGuarantee, KeepsTheStateOfASessionThatIsAway) {
  DoorWorld world;
  Lasting client(world, Version::v3_1_1, k1);
  client->publish("y", "", k2);
  client->acked(PacketType::pubrec, 2);
  client.talker.reset();
  world.run_ms(1'000'000);
  EXPECT_TRUE(client.back());
  client->ack(PacketType::pubrel, 2);
  client->acked(PacketType::pubcomp, 2);
  Source source(world);
  source.say("hello", k1);
  EXPECT_EQ(client->next<am::Publish>().payload, "hello");
}

// [5 MQTT-4.1.0-2]: counted from the end of the connection.
TEST(MqttGuarantee, ForgetsASessionWhenItsTimeIsOver) {
  DoorWorld world;
  const auto there_after = [&](uint32_t expiry_s, int64_t away_ms) {
    {
      Talker client(world);
      client.connect("c", true, expiry_s);
      client.subscribe("x", k1);
      world.run_ms(60'000);
    }
    world.run_ms(away_ms);
    Source source(world);
    source.say("hello", k1);
    Talker client(world);
    const bool present = client.connect("c", false).session_present;
    if (present) {
      EXPECT_EQ(client.next<am::Publish>().payload, "hello");
    } else {
      EXPECT_TRUE(client.silent());
    }
    return present;
  };
  EXPECT_TRUE(there_after(10, 9'000));
  EXPECT_FALSE(there_after(10, 11'000));
  EXPECT_FALSE(there_after(0, 1));
}

}  // namespace
}  // namespace arena::gateway::mqtt::test
