// The user properties that are ours: on PUBLISH, on SUBSCRIBE, in wills. Packet by packet, in virtual time.
#include "gateway/mqtt/own_properties.h"

#include "gateway/mqtt/test_door.h"

namespace arena::gateway::mqtt::test {
namespace {

using am::PacketType;

void create_stream(DoorWorld& world, const std::string& name, const std::string& filter) {
  ASSERT_TRUE(world.broker.create_stream(name, {filter}).ok());
}

am::Publish with(am::Publish packet, std::string_view name, std::string_view value) {
  packet.properties.user_properties.push_back({name, value});
  return packet;
}

std::string_view property(const am::UserProperties& properties, std::string_view name) {
  for (const am::UserProperty& one : properties) {
    if (one.name == name) return one.value;
  }
  return "(none)";
}

am::Subscribe asking(std::string_view filter, std::string_view name, std::string_view value, Guarantee qos = k1) {
  am::Subscribe packet;
  packet.packet_id = 77;
  packet.subscriptions.push_back({filter, qos});
  packet.properties.user_properties.push_back({name, value});
  return packet;
}

TEST(MqttOwnProperties, AreReadFromAPublish) {
  const auto read = [](std::string_view name, std::string_view value) { return read_own({{"a", "b"}, {name, value}}); };
  EXPECT_EQ(read("arena-id", "x").key->id, "x");
  const PublishOwn own = read("arena-producer", "my:producer:3:17");
  ASSERT_TRUE(own.key && own.refusal == nullptr);
  EXPECT_EQ(own.key->producer, "my:producer");
  EXPECT_EQ(own.key->epoch, 3u);
  EXPECT_EQ(own.key->sequence, 17u);
  EXPECT_FALSE(read("other", "x").key);
  for (const char* text : {"", "p", "p:1", ":1:1", "p:1:0", "p:1:-1", "p:x:1", "p:1:1x", "p:4294967296:1", "p:1:18446744073709551616"}) {
    EXPECT_NE(read("arena-producer", text).refusal, nullptr) << text;
  }
  EXPECT_NE(read("arena-producer", std::string(65, 'p') + ":1:1").refusal, nullptr);
  EXPECT_NE(read("arena-id", "").refusal, nullptr);
  EXPECT_NE(read("arena-id", std::string(129, 'x')).refusal, nullptr);
  EXPECT_NE(read("arena-position", "0.1.2.3").refusal, nullptr) << "ours, and not for publishers";
  EXPECT_NE(read_own({{"arena-id", "x"}, {"arena-id", "y"}}).refusal, nullptr);
}

TEST(MqttOwnProperties, APublishWithAnIdIsTakenOnceAndItsAcknowledgementSaysWhere) {
  DoorWorld world(2);
  create_stream(world, "s", "s/#");
  Talker pub(world), sub(world);
  pub.connect("pub");
  sub.connect("sub");
  sub.subscribe("s/#", k1);
  pub.say(with(pub.message("s/1", "a", k1), "arena-id", "x"));
  const auto first = pub.next<am::Ack>();
  EXPECT_EQ(first.reason, Reason::success);
  const std::string position(property(first.properties.user_properties, "arena-position"));
  EXPECT_NE(position, "(none)");
  EXPECT_EQ(property(first.properties.user_properties, "arena-duplicate"), "(none)");
  pub.say(with(pub.message("s/1", "a", k2), "arena-id", "x"));
  const auto again = pub.next<am::Ack>();
  EXPECT_EQ(again.type, PacketType::pubrec);
  EXPECT_EQ(property(again.properties.user_properties, "arena-position"), position);
  EXPECT_EQ(property(again.properties.user_properties, "arena-duplicate"), "1");
  pub.ack(PacketType::pubrel, again.packet_id);
  EXPECT_EQ(pub.acked(PacketType::pubcomp, again.packet_id), Reason::success);
  pub.say(with(pub.message("s/1", "b", k1), "arena-id", "x"));
  const auto conflict = pub.next<am::Ack>();
  EXPECT_EQ(conflict.reason, Reason::implementation_specific_error);
  EXPECT_TRUE(conflict.properties.reason_string.value_or("").starts_with("conflict"));
  pub.say(with(pub.message("s/1", "b", k1), "arena-producer", "p:1:2"));
  EXPECT_TRUE(pub.next<am::Ack>().properties.reason_string.value_or("").starts_with("unknown-producer"));
  const auto got = sub.next<am::Publish>();
  EXPECT_EQ(got.payload, "a");
  EXPECT_EQ(property(got.properties.user_properties, "arena-id"), "(none)") << "not handed on";
  EXPECT_TRUE(sub.silent());
}

TEST(MqttOwnProperties, WhatIsNotUnderstoodIsRefusedAloneAndNothingIsPublished) {
  DoorWorld world;
  Talker pub(world), sub(world);
  pub.connect("pub");
  sub.connect("sub");
  sub.subscribe("x", k1);
  pub.say(with(pub.message("x", "1", k1), "arena-whatever", "1"));
  EXPECT_EQ(pub.next<am::Ack>().reason, Reason::implementation_specific_error);
  pub.say(with(pub.message("x", "2", k2), "arena-id", ""));
  EXPECT_EQ(pub.next<am::Ack>().reason, Reason::implementation_specific_error);
  pub.say(with(pub.message("x", "3", k0), "arena-gap", "7"));
  pub.publish("x", "4", k1);
  EXPECT_EQ(pub.next<am::Ack>().reason, Reason::success);
  EXPECT_EQ(sub.next<am::Publish>().payload, "4");
  EXPECT_EQ(sub.subscribe(asking("x", "arena-whatever", "1")), std::vector{Reason::implementation_specific_error});
  am::Connect willed = pub.connect_packet("willed");
  willed.will.emplace();
  willed.will->topic = "x";
  willed.will->properties.user_properties.push_back({"arena-id", "x"});
  Talker third(world);
  EXPECT_EQ(third.connect(willed).reason, Reason::implementation_specific_error);
}

// [5 MQTT-3.1.2-29]
TEST(MqttOwnProperties, AcknowledgementsSayNothingMoreToWhoWantsNoProblemInformation) {
  DoorWorld world;
  create_stream(world, "s", "s/#");
  Talker pub(world);
  am::Connect packet = pub.connect_packet("pub");
  packet.properties.request_problem_information = false;
  pub.connect(packet);
  pub.say(with(pub.message("s/1", "a", k1), "arena-id", "x"));
  EXPECT_TRUE(pub.next<am::Ack>().properties.user_properties.empty());
  pub.say(with(pub.message("s/1", "b", k1), "arena-id", "x"));
  const auto conflict = pub.next<am::Ack>();
  EXPECT_EQ(conflict.reason, Reason::implementation_specific_error);
  EXPECT_FALSE(conflict.properties.reason_string.has_value());
}

TEST(MqttOwnProperties, StreamsAreReplayedByFilterAndByProperty) {
  DoorWorld world(2);
  create_stream(world, "s", "s/#");
  Talker pub(world);
  pub.connect("pub");
  for (int i = 0; i < 5; ++i) {
    pub.publish("s/1", std::to_string(i), k1);
    pub.next<am::Ack>();
  }
  for (const Version version : {Version::v3_1_1, Version::v5}) {
    Talker sub(world, version);
    sub.connect("sub");
    EXPECT_EQ(sub.subscribe("$replay/3/s/+", k0), std::vector{Reason::success});
    EXPECT_EQ(sub.next<am::Publish>().payload, "3");
    const auto last = sub.next<am::Publish>();
    EXPECT_EQ(last.payload, "4");
    EXPECT_EQ(last.topic, "s/1");
    EXPECT_TRUE(last.properties.user_properties.empty()) << "positions are for those who ask";
    EXPECT_TRUE(sub.silent());
    am::Unsubscribe end;
    end.packet_id = 99;
    end.filters = {"$replay/3/s/+"};
    sub.say(end);
    sub.next<am::Unsuback>();
    pub.publish("s/1", "not for it", k0);
    EXPECT_TRUE(sub.silent());
    ASSERT_TRUE(world.broker.change_streams(&broker::StreamRegistry::purge, "s").ok());
    for (int i = 0; i < 5; ++i) {  // the same again, at higher offsets
      pub.publish("s/1", std::to_string(i), k1);
      pub.next<am::Ack>();
    }
    if (version == Version::v3_1_1) world.broker.change_streams(&broker::StreamRegistry::remove, "s").ok();
    if (version == Version::v3_1_1) create_stream(world, "s", "s/#");
    for (int i = 0; i < 5 && version == Version::v3_1_1; ++i) {
      pub.publish("s/1", std::to_string(i), k1);
      pub.next<am::Ack>();
    }
  }
  Talker sub(world);
  sub.connect("sub2");
  am::Subscribe packet = asking("s/#", "arena-since", "earliest");
  packet.properties.user_properties.push_back({"arena-positions", "1"});
  EXPECT_EQ(sub.subscribe(packet), std::vector{Reason::granted_qos_1});
  std::string position;
  for (int i = 0; i < 5; ++i) {
    const auto got = sub.next<am::Publish>();
    EXPECT_EQ(got.payload, std::to_string(i));
    position = property(got.properties.user_properties, "arena-position");
    sub.ack(PacketType::puback, got.packet_id);
  }
  pub.publish("s/1", "live", k0);
  const auto live = sub.next<am::Publish>();
  EXPECT_EQ(live.payload, "live");
  EXPECT_EQ(live.qos, k0);
  EXPECT_NE(property(live.properties.user_properties, "arena-position"), position);
  EXPECT_EQ(sub.subscribe(asking("s/#", "arena-since", position)), std::vector{Reason::granted_qos_1}) << "what follows it";
  EXPECT_EQ(sub.next<am::Publish>().payload, "live");
}

TEST(MqttOwnProperties, AReplayGivesOnlyWhatTheRulesAllowNow) {
  DoorWorld world(2);
  create_stream(world, "s", "s/#");
  Talker pub(world), sub(world);
  pub.connect("pub");
  sub.connect("sub");
  const auto publish_both = [&] {
    for (const char* topic : {"s/secret", "s/open"}) {
      pub.publish(topic, topic, k1);
      pub.next<am::Ack>();
    }
  };
  publish_both();
  access::Rule deny;
  deny.allow = false;
  deny.subscribe = true;
  deny.filter = "s/secret";
  world.set_policy({deny});
  EXPECT_EQ(sub.subscribe("$replay/earliest/s/secret"), std::vector{Reason::not_authorized});
  EXPECT_EQ(sub.subscribe("$replay/earliest/s/#"), std::vector{Reason::success});
  publish_both();
  for (int i = 0; i < 2; ++i) EXPECT_EQ(sub.next<am::Publish>().payload, "s/open") << "from the log, then live";
  EXPECT_TRUE(sub.silent());
}

TEST(MqttOwnProperties, AReplayThatCannotBeIsRefused) {
  DoorWorld world;
  create_stream(world, "s", "s/#");
  Talker sub(world);
  sub.connect("sub");
  for (const char* filter : {"$replay/earliest/t", "$replay/whenever/s/1", "$replay/earliest", "$replay/", "$replay/10m/$share/g/s/1"}) {
    EXPECT_EQ(sub.subscribe(filter), std::vector{Reason::topic_filter_invalid}) << filter;
  }
  EXPECT_EQ(sub.subscribe(asking("s/1", "arena-since", "whenever")), std::vector{Reason::implementation_specific_error});
  EXPECT_EQ(sub.subscribe(asking("$share/g/s/1", "arena-since", "earliest")), std::vector{Reason::topic_filter_invalid});
}

TEST(MqttOwnProperties, AGapIsToldToWhoAsksForWhatIsGone) {
  DoorWorld world;
  create_stream(world, "s", "s/#");
  Talker pub(world), sub(world);
  pub.connect("pub");
  sub.connect("sub");
  for (int i = 0; i < 5; ++i) {
    pub.publish("s/1", std::to_string(i), k1);
    pub.next<am::Ack>();
  }
  ASSERT_TRUE(world.broker.change_streams(&broker::StreamRegistry::purge, "s").ok());
  pub.publish("s/1", "5", k1);
  pub.next<am::Ack>();
  am::Subscribe packet;
  packet.packet_id = 1;
  packet.subscriptions.push_back({"$replay/2/s/1", k0});
  sub.say(packet);
  sub.next<am::Suback>();
  const auto gap = sub.next<am::Publish>();
  EXPECT_EQ(gap.topic, "$gap/s");
  EXPECT_EQ(property(gap.properties.user_properties, "arena-gap"), "3");
  EXPECT_NE(gap.payload.find("\"missing\":3"), std::string_view::npos);
}

}  // namespace
}  // namespace arena::gateway::mqtt::test
