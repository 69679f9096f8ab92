// How connections end by the server's will, and what they leave behind: packet by packet, in virtual time.
#include "gateway/mqtt/test_rules.h"

namespace arena::gateway::mqtt::test {
namespace {

// Only MQTT 5 has a server's DISCONNECT.
TEST(MqttEnd, SaysThatItShutsDown) {
  DoorWorld world;
  Talker client(world), old(world, Version::v3_1_1);
  client.connect("c");
  old.connect("old");
  bool drained = false;
  world.doors[0]->shut();
  world.broker.shard(0).drain([&drained] { drained = true; });
  EXPECT_TRUE(client.ended_with(Reason::server_shutting_down));
  EXPECT_TRUE(old.closed());
  world.run_ms(100);
  EXPECT_TRUE(drained);
  EXPECT_EQ(world.connections(), 0u);
}

TEST(MqttEnd, SaysWhenAnOperatorEndsIt) {
  DoorWorld world;
  Talker client(world);
  client.connect("c");
  EXPECT_TRUE(world.broker.shard(0).kick(broker::session_key(Principal{}, "c")));
  EXPECT_TRUE(client.ended_with(Reason::administrative_action));
}

// Section 3.1.2.5: a take-over without a clean start is an abrupt end for the will.
TEST(MqttEnd, PublishesTheWillOfWhoIsTakenOver) {
  DoorWorld world;
  Talker heir(world), first(world), second(world);
  heir.connect("heir");
  heir.subscribe("will");
  am::Connect packet = first.connect_packet("same", true, 100);
  packet.will.emplace();
  packet.will->topic = "will";
  packet.will->payload = "taken over";
  first.connect(packet);
  second.connect("same", false, 100);
  EXPECT_EQ(heir.next<am::Publish>().payload, "taken over");
  EXPECT_TRUE(first.ended_with(Reason::session_taken_over));
}

// The handshake belongs to the session. [5 MQTT-4.3.3-10]
TEST(MqttEnd, FinishesAnExactlyOncePublishOnTheNextConnection) {
  DoorWorld world(2);
  Talker sub(world);
  sub.connect("sub");
  sub.subscribe("x");
  {
    Talker pub(world);
    pub.connect("pub", true, 100);
    pub.publish("x", "once", k2);
    pub.acked(am::PacketType::pubrec, 1);
  }
  EXPECT_EQ(sub.next<am::Publish>().payload, "once");
  Talker pub(world);
  pub.connect("pub", false, 100);
  am::Publish again = pub.message("x", "once", k2);
  again.dup = true;
  pub.say(again);
  EXPECT_EQ(pub.acked(am::PacketType::pubrec, 1), Reason::success);
  pub.ack(am::PacketType::pubrel, 1);
  EXPECT_EQ(pub.acked(am::PacketType::pubcomp, 1), Reason::success);
  EXPECT_TRUE(sub.silent());
}

// Section 4.8.2: what a leaving member has not acknowledged goes to another, unless it is QoS 2.
TEST(MqttEnd, GivesALeaversSharedMessagesToAnother) {
  DoorWorld world;
  Talker stays(world), leaves(world), pub(world);
  pub.connect("pub");
  leaves.connect("leaves");
  leaves.subscribe("$share/g/x", k1);
  pub.publish("x", "hello", k1);
  EXPECT_EQ(leaves.next<am::Publish>().payload, "hello");
  stays.connect("stays");
  stays.subscribe("$share/g/x", k1);
  leaves.vanish();
  EXPECT_EQ(stays.next<am::Publish>().payload, "hello");
}

// [5 MQTT-3.14.0-1]: whoever is refused hears CONNACK at most, and whoever has not been let in hears nothing.
TEST(MqttEnd, SaysNoDisconnectBeforeASuccessfulConnack) {
  DoorWorld world(2);
  Talker refused(world), malformed(world), stranger(world), late(world), silent(world);
  am::Connect packet = refused.connect_packet("c");
  packet.properties.authentication_method = "m";
  EXPECT_TRUE(am::is_error(refused.connect(packet).reason));
  EXPECT_TRUE(refused.closed());
  malformed.bytes(bytes_of(R"(10 { "MQTT" 05 03 003C {} "c" })"));
  EXPECT_TRUE(am::is_error(malformed.next<am::Connack>().reason));
  EXPECT_TRUE(malformed.closed());
  stranger.say(am::Pingreq{});
  EXPECT_TRUE(stranger.closed());
  Talker first(world), second(world);  // taken over while its session is being stored
  first.say(first.connect_packet("same", false, 100));
  second.say(second.connect_packet("same", false, 100));
  EXPECT_EQ(second.next<am::Connack>().reason, Reason::success);
  EXPECT_TRUE(first.closed());
  late.say(late.connect_packet("late"));  // is being let in when the doors shut
  for (const auto& door : world.doors) door->shut();
  world.run_ms(1000);
  EXPECT_TRUE(silent.closed());
  if (late.has_packet()) {
    EXPECT_EQ(late.next<am::Connack>().reason, Reason::success);
  }
}

// [5 MQTT-3.14.2-2]: nor anything else that only clients say; however it ends.
TEST(MqttEnd, SaysNoSessionExpiryInDisconnect) {
  DoorWorld world;
  const auto last_word = [](Talker& client) {
    const auto packet = client.next<am::Disconnect>();
    EXPECT_FALSE(packet.properties.session_expiry_interval_s);
    EXPECT_TRUE(client.closed());
    return packet.reason;
  };
  Talker first(world), second(world), third(world);
  first.connect("same", false, 100);
  second.connect("same", false, 100);
  EXPECT_EQ(last_word(first), Reason::session_taken_over);
  second.say(second.connect_packet("same", false, 100));
  EXPECT_EQ(last_word(second), Reason::protocol_error);
  third.connect("same", false, 100);
  EXPECT_TRUE(world.broker.shard(0).kick(broker::session_key(Principal{}, "same")));
  EXPECT_EQ(last_word(third), Reason::administrative_action);
}

// [5 MQTT-3.14.4-1] [3.1.1 MQTT-3.14.4-2]: what a client sends behind its DISCONNECT is not heard.
TEST(MqttEnd, HearsNothingBehindADisconnect) {
  DoorWorld world;
  Talker witness(world);
  witness.connect("witness");
  witness.subscribe("#");
  for (const Version version : kVersions) {
    Talker client(world, version);
    client.connect("c");
    client.bytes(client.encoded(client.message("x", "last words")) + client.encoded(am::Disconnect{}) +
                 client.encoded(client.message("x", "afterthought")) + client.encoded(am::Pingreq{}));
    EXPECT_EQ(witness.next<am::Publish>().payload, "last words");
    EXPECT_TRUE(client.closed());
    client.publish("x", "much later");
    EXPECT_TRUE(witness.silent());
  }
}

// [5 MQTT-3.14.4-1] [5 MQTT-3.14.4-2]: its own DISCONNECT is the last that a server sends, and then it closes.
TEST(MqttEnd, SaysNothingBehindItsDisconnect) {
  DoorWorld world;
  Talker client(world), pub(world);
  client.connect("c", false, 100);
  client.subscribe("x", k1);
  pub.connect("pub");
  for (int i = 0; i < 5; ++i) pub.publish("x", "", k1);
  client.bytes(client.encoded(client.connect_packet("c")) + client.encoded(am::Pingreq{}) +
               client.encoded(subscribe_packet(9, "y")) + client.encoded(client.message("y", "", k1)));
  pub.publish("x", "", k1);
  bool told = false;
  while (client.has_packet()) {
    EXPECT_FALSE(told);
    told = std::holds_alternative<am::Disconnect>(client.any());
  }
  EXPECT_TRUE(told);
  EXPECT_TRUE(client.closed());
}

// [5 MQTT-3.14.4-2] [3.1.1 MQTT-3.14.4-1]: a client that does not close behind its DISCONNECT is closed.
TEST(MqttEnd, ClosesBehindADisconnectWhenTheClientDoesNot) {
  DoorWorld world;
  for (const Version version : kVersions) {
    Talker client(world, version);
    client.connect("c");
    client.say(am::Disconnect{});
    EXPECT_TRUE(client.closed());
    world.run_ms(1);
    EXPECT_EQ(world.connections(), 0u);
  }
}

// [5 MQTT-3.14.4-3] [3.1.1 MQTT-3.14.4-3]
TEST(MqttEnd, ForgetsTheWillAtADisconnect) {
  DoorWorld world;
  Talker heir(world);
  heir.connect("heir");
  heir.subscribe("will");
  for (const Version version : kVersions) {
    for (const bool polite : {true, false}) {
      Talker client(world, version);
      am::Connect packet = client.connect_packet("c");
      packet.will.emplace();
      packet.will->topic = "will";
      client.connect(packet);
      if (polite) client.say(am::Disconnect{});
      client.vanish();
      world.run_ms(1000);
      EXPECT_NE(heir.has_packet(), polite);
      if (!polite) heir.next<am::Publish>();
    }
  }
}

// [5 MQTT-4.13.2-1]: with a word, or without where there is no room for one.
TEST(MqttEnd, ClosesAtAnErrorAlsoWhenItCannotSayWhich) {
  DoorWorld world;
  for (const uint32_t bytes_max : {200u, 4u}) {
    Talker refused(world);
    am::Connect packet = refused.connect_packet("c");
    packet.properties.maximum_packet_size = bytes_max;
    packet.properties.authentication_method = "m";
    refused.say(packet);
    if (bytes_max == 200) {
      EXPECT_TRUE(am::is_error(refused.next<am::Connack>().reason));
    }
    EXPECT_TRUE(refused.closed());
  }
  Talker wrong(world), leaver(world);
  wrong.connect("wrong");
  wrong.say(wrong.connect_packet("wrong"));
  EXPECT_TRUE(wrong.ended_with(Reason::protocol_error));
  leaver.connect("leaver");
  am::Disconnect packet;
  packet.reason = Reason::unspecified_error;
  leaver.say(packet);
  EXPECT_TRUE(leaver.closed());
}

// A client that vanishes while its session is being opened leaves nothing behind.
TEST(MqttEnd, ForgetsWhoVanishesInTheHandshake) {
  DoorWorld world(2);
  for (int i = 0; i < 20; ++i) {
    Talker client(world, Version::v5, static_cast<unsigned>(i % 2));
    client.say(client.connect_packet("c" + std::to_string(i % 3), i % 2 == 0, 100));
    world.run_ms(i % 4 == 0 ? 1 : 0);
  }
  world.run_ms(200'000);
  EXPECT_EQ(world.connections(), 0u);
  EXPECT_EQ(world.admission.connections(), 0u);
  EXPECT_EQ(world.admission.half_open(), 0u);
  EXPECT_EQ(world.broker.sum(&broker::Counters::sessions), 0u);
  EXPECT_EQ(world.broker.sum(&broker::Counters::sessions_connected), 0u);
}

}  // namespace
}  // namespace arena::gateway::mqtt::test
