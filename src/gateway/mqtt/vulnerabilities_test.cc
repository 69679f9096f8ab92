// What broke other brokers, tried on this one. docs/assurance/known-vulnerabilities.md names the test of
// each; those that other tests cover stand there alone.
#include "gateway/mqtt/test_rules.h"

namespace arena::gateway::mqtt::test {
namespace {

access::Rule rule(bool allow, bool publish, bool subscribe, std::string filter) {
  access::Rule out;
  out.allow = allow;
  out.publish = publish;
  out.subscribe = subscribe;
  out.filter = std::move(filter);
  out.source = "arena.toml:1";
  return out;
}
access::Rule deny_publish(std::string filter) {
  return rule(false, true, false, std::move(filter));
}
access::Rule deny_subscribe(std::string filter) {
  return rule(false, false, true, std::move(filter));
}

am::Publish retained(Talker& client, std::string_view topic, std::string_view payload) {
  am::Publish packet = client.message(topic, payload);
  packet.retain = true;
  return packet;
}

am::Connect with_a_will(const Talker& client, std::string_view id, std::string_view topic) {
  am::Connect packet = client.connect_packet(id);
  packet.will.emplace();
  packet.will->topic = topic;
  packet.will->payload = "will";
  packet.will->qos = k1;
  packet.will->properties.user_properties = {{"k", std::string_view("v")}};
  return packet;
}

// NanoMQ CVE-2026-21888: a fifth byte of a length was read past its end.
TEST(MqttVulnerability, ALengthOfFiveBytesEndsTheConnectionAtTheFourth) {
  for (const char type : {'\x30', '\x82', '\x10', '\xe0'}) {
    DoorWorld world;
    Talker client(world), stranger(world);
    client.connect("c");
    const std::string bytes = type + std::string("\xff\xff\xff\xff");
    client.bytes(bytes);
    EXPECT_TRUE(client.ended_with(Reason::malformed_packet));
    stranger.bytes(bytes);
    world.run_ms(10);
    EXPECT_TRUE(stranger.is_closed());
  }
}

// ActiveMQ CVE-2026-40046: an overflowing length let the payload be read as packets.
TEST(MqttVulnerability, TheLargestLengthDesynchronisesNothing) {
  DoorWorld world;
  Talker client(world), victim(world);
  victim.connect("victim");
  victim.subscribe("#");
  client.connect("c");
  // The largest length there is; behind it a PUBLISH that is payload, not a packet.
  client.bytes("\x30\xff\xff\xff\x7f" + client.encoded(client.message("smuggled", "x")));
  EXPECT_TRUE(client.ended_with(Reason::packet_too_large));
  EXPECT_TRUE(victim.silent());
}

// mosquitto CVE-2023-0809 and CVE-2017-7651, RabbitMQ CVE-2021-22116, EMQX CVE-2021-33175, VerneMQ
// CVE-2021-33176: memory for those who have not said who they are.
TEST(MqttVulnerability, StrangersGetNoMemory) {
  DoorWorld world;
  for (const std::string_view first :
       {"\x30\xff\xff\xff\x7f", "\x82\xff\xff\xff\x7f", "\xf0\xff\xff\xff\x7f"}) {
    Talker stranger(world);
    stranger.bytes(first);
    world.run_ms(10);
    EXPECT_TRUE(stranger.is_closed()) << "something else than CONNECT";
  }
  Talker greedy(world), verbose(world);
  greedy.bytes("\x10\xff\xff\xff\x7f");
  world.run_ms(10);
  EXPECT_TRUE(greedy.is_closed()) << "a CONNECT of 256 MB";
  am::Connect packet = verbose.connect_packet("c");
  packet.properties.user_properties.assign(1000, {"", ""});
  verbose.say(packet);
  EXPECT_TRUE(am::is_error(verbose.next<am::Connack>().reason));
  EXPECT_TRUE(verbose.closed()) << "a thousand empty properties";
  world.run_ms(10);
  EXPECT_EQ(world.connections(), 0u);
}

// mosquitto CVE-2023-28366: each repetition of an exactly-once publish that is never released leaked.
TEST(MqttVulnerability, RepeatedExactlyOnceIdsTakeNoMemory) {
  DoorWorld world;
  Talker client(world), subscriber(world);
  client.connect("c");
  subscriber.connect("s");
  subscriber.subscribe("a");
  const std::string payload(1000, 'x');
  am::Publish packet = client.message("a", payload, k2);
  client.say(packet);
  EXPECT_EQ(client.acked(PacketType::pubrec, packet.packet_id), Reason::success);
  packet.dup = true;
  for (int i = 0; i < 10'000; ++i) {
    client.say(packet);
    EXPECT_EQ(client.acked(PacketType::pubrec, packet.packet_id), Reason::success);
  }
  subscriber.next<am::Publish>();
  EXPECT_TRUE(subscriber.silent());
  EXPECT_EQ(world.broker.sum(&broker::Counters::published), 1u);
  EXPECT_EQ(world.broker.sum(&broker::Counters::inbox_bytes), 0u);
}

// mosquitto CVE-2023-3592: a CONNECT with a will leaked. The leak sanitizer watches this one.
TEST(MqttVulnerability, WillsAreFreedWhateverBecomesOfTheirConnect) {
  DoorWorld world;
  for (int i = 0; i < 100; ++i) {
    Talker accepted(world), refused(world), cut(world);
    accepted.connect(with_a_will(accepted, "c", "w"));
    EXPECT_TRUE(am::is_error(refused.connect(with_a_will(refused, "d", "w/#")).reason));
    const std::string bytes = cut.encoded(with_a_will(cut, "e", "w"));
    cut.bytes(std::string_view(bytes).substr(0, bytes.size() - 1));
  }
  world.run_ms(100);
  EXPECT_EQ(world.broker.sum(&broker::Counters::sessions), 0u);
}

// FlashMQ 1.23.2: what was queued for a session kept itself alive. The leak sanitizer watches this one, too.
TEST(MqttVulnerability, WhatIsQueuedGoesWithItsSession) {
  DoorWorld world;
  Talker publisher(world);
  publisher.connect("p");
  {
    Talker away(world);
    away.connect("away", true, 10);
    away.subscribe("q", k2);
  }
  for (int i = 0; i < 50; ++i) {
    const am::Publish packet = publisher.message("q", "x", k1);
    publisher.say(packet);
    publisher.acked(PacketType::puback, packet.packet_id);
  }
  EXPECT_GT(world.broker.sum(&broker::Counters::inbox_bytes), 0u);
  world.run_ms(30'000);
  EXPECT_EQ(world.broker.sum(&broker::Counters::sessions), 1u);
  EXPECT_EQ(world.broker.sum(&broker::Counters::inbox_bytes), 0u);
}

// NanoMQ CVE-2025-59946 and CVE-2026-22040: lists of subscriptions used after they were freed while the same
// client came back again and again.
TEST(MqttVulnerability, TheSameClientMayComeBackAmidSubscribing) {
  DoorWorld world(2);
  Talker publisher(world);
  publisher.connect("p");
  for (int i = 0; i < 300; ++i) {
    Talker client(world, kVersions[i % 2], static_cast<unsigned>(i / 2 % 2));
    std::string bytes = client.encoded(client.connect_packet("same", i % 3 == 0, 100));
    bytes += client.encoded(subscribe_packet(1, "a/#", k1)) +
             client.encoded(subscribe_packet(2, "$share/g/a/+", k2));
    bytes += client.encoded(client.message("a/b", "own", k0));
    if (i % 5 != 0) bytes += client.encoded(unsubscribe_packet(3, "a/#"));
    client.bytes(bytes);
    publisher.publish("a/b", "x", i % 2 == 0 ? k0 : k1);
    if (i % 2 != 0) publisher.acked(PacketType::puback, publisher.packet_id);
    if (i % 7 == 0) world.run_ms(1);
  }
  world.run_ms(1000);
  EXPECT_EQ(world.broker.sum(&broker::Counters::sessions), 2u);
}

// RabbitMQ CVE-2016-9877 (a user name alone was let in) and NanoMQ CVE-2026-32696 (an absent one crashed):
// absent and empty are told apart, and neither is the right one. Here no user exists, so nothing is right.
TEST(MqttVulnerability, HalfOrEmptyCredentialsAreRefused) {
  DoorWorld world;
  const std::pair<am::Text, am::Text> cases[] = {
      {"ann", std::nullopt}, {"ann", ""},         {"", ""},
      {"", std::nullopt},    {std::nullopt, "x"}, {std::nullopt, ""}};
  for (const auto& [user, password] : cases) {
    Talker client(world);
    am::Connect packet = client.connect_packet("c");
    packet.user_name = user;
    packet.password = password;
    EXPECT_EQ(client.connect(packet).reason, Reason::bad_user_name_or_password);
    EXPECT_TRUE(client.closed());
  }
}

// mosquitto CVE-2018-12546: a retained message outlived its publisher's right to publish it.
TEST(MqttVulnerability, ARetainedMessageNeedsAPublisherWhoStillMay) {
  DoorWorld world;
  Talker publisher(world), reader(world);
  publisher.connect("p");
  publisher.say(retained(publisher, "r/secret", "x"));
  publisher.say(retained(publisher, "r/open", "y"));
  world.run_ms(10);
  world.set_policy({deny_publish("r/secret")});
  reader.connect("r");
  reader.subscribe("r/#");
  EXPECT_EQ(reader.next<am::Publish>().topic, "r/open");
  EXPECT_TRUE(reader.silent());
  EXPECT_EQ(world.broker.dropped(broker::Drop::denied_publish), 1u);
}

// Moquette CVE-2026-95846: wills went where their client may not publish. Asked at CONNECT and when it is
// sent.
TEST(MqttVulnerability, AWillNeedsTheRightToPublish) {
  DoorWorld world;
  Talker heir(world), refused(world), revoked(world);
  heir.connect("heir");
  heir.subscribe("#");
  world.set_policy({deny_publish("w/no")});
  EXPECT_EQ(refused.connect(with_a_will(refused, "a", "w/no")).reason, Reason::not_authorized);
  EXPECT_EQ(revoked.connect(with_a_will(revoked, "b", "w/yes")).reason, Reason::success);
  world.set_policy({deny_publish("w/yes")});
  revoked.vanish();
  EXPECT_TRUE(heir.silent());
  EXPECT_EQ(world.broker.dropped(broker::Drop::denied_publish), 1u);
}

// NATS 2026-26: retained messages and those repeated at QoS 1 and 2 skipped deny rules.
TEST(MqttVulnerability, DenyRulesHoldForRetainedAndForStoredMessages) {
  DoorWorld world;
  Talker publisher(world);
  publisher.connect("p");
  {
    Talker away(world);
    away.connect("away", true, 100);
    away.subscribe("d/#", k2);
  }
  for (const std::string_view topic : {"d/secret", "d/open"}) {
    publisher.say(retained(publisher, topic, "kept"));
    const am::Publish packet = publisher.message(topic, "stored", k2);
    publisher.say(packet);
    publisher.acked(PacketType::pubrec, packet.packet_id);
    publisher.ack(PacketType::pubrel, packet.packet_id);
    publisher.acked(PacketType::pubcomp, packet.packet_id);
  }
  world.set_policy({deny_subscribe("d/secret")});
  Talker back(world), fresh(world);
  back.connect("away", false, 100);
  EXPECT_EQ(back.next<am::Publish>().topic, "d/open");
  EXPECT_TRUE(back.silent());
  fresh.connect("fresh");
  fresh.subscribe("d/#", k2);
  EXPECT_EQ(fresh.next<am::Publish>().topic, "d/open");
  EXPECT_TRUE(fresh.silent());
}

// NATS 2026-18: a deny rule did not hold for members of a queue group. Here: when subscribing, and for each
// delivery.
TEST(MqttVulnerability, DenyRulesHoldForSharedSubscriptions) {
  DoorWorld world;
  Talker member(world), publisher(world);
  member.connect("m");
  publisher.connect("p");
  EXPECT_EQ(member.subscribe("$share/g/d/#", k1), Reasons{Reason::granted_qos_1});
  world.set_policy({deny_subscribe("d/secret")});
  EXPECT_EQ(member.subscribe("$share/h/d/secret"), Reasons{Reason::not_authorized});
  EXPECT_EQ(member.subscribe("$share/d/+/d/secret").at(0), Reason::success) << "another topic, allowed";
  publisher.publish("d/secret", "x", k1);
  publisher.acked(PacketType::puback, 1);
  publisher.publish("d/open", "y", k1);
  publisher.acked(PacketType::puback, 2);
  EXPECT_EQ(member.next<am::Publish>().topic, "d/open");
  EXPECT_TRUE(member.silent());
}

// NATS CVE-2026-33217: a namespace of the broker's own was outside of the rules.
TEST(MqttVulnerability, TopicsOfTheBrokersOwnAreNotOutsideOfTheRules) {
  DoorWorld world;
  world.set_policy({});
  Talker client(world), other(world);
  client.connect("c");
  for (const std::string_view topic : {"$CONTROL/x", "$inbox/c", "$MQTT/x", "$share", "$SYS/x", "$"}) {
    client.publish(topic, "x", k1);
    EXPECT_EQ(client.acked(PacketType::puback, client.packet_id), Reason::not_authorized) << topic;
  }
  for (const std::string_view filter : {"$CONTROL/#", "$inbox/#", "$MQTT/#", "$/+", "$share/g/$inbox/#"}) {
    EXPECT_EQ(client.subscribe(filter), Reasons{Reason::not_authorized}) << filter;
  }
}

// Moquette CVE-2026-95843: a malformed $share crashed the broker.
TEST(MqttVulnerability, MalformedSharesAreRefused) {
  for (const std::string_view filter : {"$share/", "$share/g", "$share/g/", "$share//a", "$share/+/a",
                                        "$share/#/a", "$share/g/a/#/b", "$share/g/$share/", "$share/g/a+"}) {
    for (const Version version : kVersions) {
      DoorWorld world;
      Talker client(world, version);
      client.connect("c");
      client.say(subscribe_packet(1, filter));
      world.run_ms(50);
      if (!client.is_closed()) {
        EXPECT_TRUE(am::is_error(client.next<am::Suback>().reasons.at(0))) << filter;
      }
      client.say(unsubscribe_packet(2, filter));
      world.run_ms(50);
      EXPECT_EQ(world.broker.sum(&broker::Counters::shared_subscriptions), 0u) << filter;
    }
  }
}

// mosquitto's "shared-sub-uaf": a group used after its last member had left with messages under way.
TEST(MqttVulnerability, AGroupEndsWithMessagesUnderWay) {
  for (unsigned cores = 1; cores <= 2; ++cores) {
    DoorWorld world(cores);
    Talker publisher(world);
    publisher.connect("p");
    for (int i = 0; i < 50; ++i) {
      Talker member(world);
      member.connect("m" + std::to_string(i % 3), true, i % 2 == 0 ? 0 : 1);
      member.subscribe("$share/g/t", static_cast<Guarantee>(i % 3));
      for (int n = 0; n < 3; ++n) publisher.publish("t", "x", k1);
      if (i % 4 != 0) member.say(unsubscribe_packet(60'000, "$share/g/t"));
    }
    world.run_ms(5000);
    EXPECT_EQ(world.broker.sum(&broker::Counters::groups), 0u);
    EXPECT_EQ(world.broker.sum(&broker::Counters::shared_subscriptions), 0u);
  }
}

// mosquitto CVE-2019-11779: 65,400 slashes overflowed the stack.
TEST(MqttVulnerability, SlashesAreOnlyLevels) {
  Options options;
  options.topics.depth_max = 65'535;
  for (const bool deep : {false, true}) {
    DoorWorld world(1, deep ? options : Options{});
    Talker client(world);
    client.connect("c");
    const std::string slashes(65'400, '/');
    for (const std::string& filter : {slashes, slashes + "#", "$share/g/" + slashes + "+"}) {
      EXPECT_EQ(am::is_error(client.subscribe(filter).at(0)), !deep);
    }
    if (!deep) continue;
    client.say(retained(client, slashes, "x"));
    for (int copies = 0; copies < 2; ++copies) EXPECT_EQ(client.next<am::Publish>().topic, slashes);
  }
}

// FlashMQ: a receive maximum read with a sign, and CVE-2026-42209, a division by a number of the client's.
TEST(MqttVulnerability, NumbersOfTheClientsMayBeZeroOrLarge) {
  for (const auto& [receive_max, packet_max] :
       {std::pair<uint16_t, uint32_t>{65'535, UINT32_MAX}, {32'768, 0x8000'0000}, {1, 200}}) {
    DoorWorld world;
    Talker client(world);
    am::Connect packet = client.connect_packet("c");
    packet.properties.receive_maximum = receive_max;
    packet.properties.maximum_packet_size = packet_max;
    packet.properties.topic_alias_maximum = receive_max;
    EXPECT_EQ(client.connect(packet).reason, Reason::success);
    client.subscribe("a", k1);
    client.publish("a", "x", k0);
    EXPECT_EQ(client.next<am::Publish>().payload, "x");
  }
  // Zero is refused where the protocol has no zero.
  expect_no_entry(Version::v5, R"(10 { "MQTT" 05 02 0000 { 21 0000 } "c" })", Reason::protocol_error);
  expect_no_entry(Version::v5, R"(10 { "MQTT" 05 02 0000 { 27 00000000 } "c" })", Reason::protocol_error);
}

// RabbitMQ CVE-2026-67418: a property that does not belong into PUBLISH disconnected the subscribers.
TEST(MqttVulnerability, ABadPropertyEndsItsSenderAlone) {
  for (const std::string_view properties :
       {"{ 21 0005 }", "{ 0B 05 }", "{ 1F \"no\" }", "{ 7F 00 }", "{ 01 02 }"}) {
    DoorWorld world;
    Talker publisher(world), subscriber(world);
    subscriber.connect("s");
    subscriber.subscribe("a");
    publisher.connect("p");
    publisher.bytes(bytes_of("30 { \"a\" " + std::string(properties) + " }"));
    const auto bye = publisher.next<am::Disconnect>();
    EXPECT_TRUE(am::is_error(bye.reason)) << properties;
    EXPECT_TRUE(publisher.closed());
    EXPECT_TRUE(subscriber.silent()) << properties;
  }
}

// SlowITe and SlowTT: clients that choose to be silent for as long as they like.
TEST(MqttVulnerability, TheServerBoundsKeepAlive) {
  Options options;
  options.keepalive_max_s = 10;
  DoorWorld world(1, options);
  for (const uint16_t asked : {uint16_t{0}, uint16_t{65'535}}) {
    Talker client(world);
    am::Connect packet = client.connect_packet("slow");
    packet.keep_alive_s = asked;
    EXPECT_EQ(client.connect(packet).properties.server_keep_alive_s, 10);
    world.run_ms(16'000);
    EXPECT_TRUE(client.ended_with(Reason::keep_alive_timeout));
  }
}

}  // namespace
}  // namespace arena::gateway::mqtt::test
