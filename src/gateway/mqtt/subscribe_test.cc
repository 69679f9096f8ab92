// SUBSCRIBE, UNSUBSCRIBE and what they make arrive: packet by packet, in virtual time.
#include <set>

#include "gateway/mqtt/test_door.h"

namespace arena::gateway::mqtt::test {
namespace {

using am::PacketType;
using Reasons = std::vector<Reason>;

am::Subscribe one(Talker& client, std::string_view filter, Guarantee qos = k0) {
  am::Subscribe packet;
  packet.packet_id = ++client.packet_id;
  packet.subscriptions.push_back({filter, qos});
  return packet;
}

// [5 MQTT-3.8.4-5] [5 MQTT-3.8.4-6] [5 MQTT-3.9.3-1] [3.1.1 MQTT-3.8.4-4] [3.1.1 MQTT-3.9.3-1]
TEST(MqttSubscribe, AnswersEveryFilterInOrder) {
  Options options;
  options.topics.depth_max = 3;
  DoorWorld world(1, options);
  for (const Version version : {Version::v3_1_1, Version::v5}) {
    Talker client(world, version);
    client.connect("c");
    am::Subscribe packet = one(client, "a", k2);
    packet.subscriptions.push_back({"b/c/d/#", k1});
    packet.subscriptions.push_back({"c/+", k0});
    packet.subscriptions.push_back({"$share/g/d", k1});
    // Well-formed, but too deep for this server: it has its own reason, and its neighbours are granted.
    const Reason bad = version == Version::v5 ? Reason::topic_filter_invalid : Reason::unspecified_error;
    EXPECT_EQ(client.subscribe(packet), (Reasons{Reason::granted_qos_2, bad, Reason::success, Reason::granted_qos_1}));
  }
}

// The SUBACK tells what was granted, also when the UNSUBSCRIBE behind it has already taken it away.
TEST(MqttSubscribe, AnswersWhatWasGrantedThoughUnsubscribedMeanwhile) {
  DoorWorld world(3);
  Talker client(world);
  client.connect("c");
  const am::Subscribe subscribe = one(client, "+/x", k2);
  am::Unsubscribe unsubscribe;
  unsubscribe.packet_id = ++client.packet_id;
  unsubscribe.filters.push_back("+/x");
  client.bytes(client.encoded(subscribe) + client.encoded(unsubscribe));
  std::map<uint16_t, Reason> answers;
  for (int i = 0; i < 2; ++i) {
    const am::Packet packet = client.any();
    if (const auto* suback = std::get_if<am::Suback>(&packet)) answers[suback->packet_id] = suback->reasons.at(0);
    if (const auto* unsuback = std::get_if<am::Unsuback>(&packet)) answers[unsuback->packet_id] = unsuback->reasons.at(0);
  }
  EXPECT_EQ(answers[subscribe.packet_id], Reason::granted_qos_2);
  EXPECT_EQ(answers[unsubscribe.packet_id], Reason::success);
}

// [5 MQTT-4.7.1-1] [5 MQTT-4.7.1-2] [5 MQTT-4.8.2-1] [5 MQTT-4.8.2-2]
// The connection ends: SUBACK's 0x8F is for filters that are correctly formed (table 3.9.3), so one that breaks the
// grammar is a malformed packet. EMQX and mosquitto close as well.
TEST(MqttSubscribe, EndsAtIllFormedFilters) {
  DoorWorld world;
  for (const char* filter : {"a#", "a/#/b", "#/a", "a+", "+a/b", "a/b+/c", "$share/g", "$share//x", "$share/g+/x",
                             "$share/g#/x", "$share/g/", "$share/g/a#"}) {
    for (const bool unsubscribes : {false, true}) {
      Talker client(world);
      client.connect("c");
      am::Subscribe subscribe = one(client, "fine", k0);
      subscribe.subscriptions.push_back({filter, k0});
      am::Unsubscribe unsubscribe;
      unsubscribe.packet_id = 1;
      unsubscribe.filters = {"fine", filter};
      client.say(unsubscribes ? am::Packet(unsubscribe) : am::Packet(subscribe));
      EXPECT_TRUE(client.ended_with(Reason::malformed_packet)) << filter;
    }
  }
}

// [3.1.1 MQTT-4.7.1-2] [3.1.1 MQTT-4.7.1-3] [3.1.1 MQTT-4.8.0-1]
TEST(MqttSubscribe, EndsOldClientsAtIllFormedFilters) {
  DoorWorld world;
  for (const char* filter : {"a#", "a/#/b", "#/a", "a+", "+a/b", "a/b+/c"}) {
    Talker client(world, Version::v3_1_1);
    client.connect("c");
    client.say(one(client, filter));
    EXPECT_TRUE(client.closed()) << filter;
  }
}

// MQTT 3.1.1 has no shared subscriptions, so their grammar binds no client of it: that one filter fails.
TEST(MqttSubscribe, RefusesOldClientsIllFormedGroups) {
  DoorWorld world;
  Talker client(world, Version::v3_1_1);
  client.connect("c");
  EXPECT_EQ(client.subscribe("$share/g"), Reasons{Reason::unspecified_error});
}

// [5 MQTT-3.8.3-2] [5 MQTT-3.8.3-4]
TEST(MqttSubscribe, EndsAtSubscriptionsThatBreakTheRules) {
  DoorWorld world;
  Talker none(world), shared(world);
  none.connect("none");
  am::Subscribe empty;
  empty.packet_id = 1;
  none.say(empty);
  EXPECT_TRUE(none.ended_with(Reason::protocol_error));
  shared.connect("shared");
  am::Subscribe no_local = one(shared, "$share/g/x");
  no_local.subscriptions[0].no_local = true;
  shared.say(no_local);
  EXPECT_TRUE(shared.ended_with(Reason::protocol_error));
}

TEST(MqttSubscribe, RefusesWhatIsSwitchedOff) {
  Options options;
  options.wildcard_available = false;
  options.shared_available = false;
  options.guarantee_max = k1;
  DoorWorld world(1, options);
  Talker client(world);
  const am::Connack answer = client.connect("c");
  EXPECT_EQ(answer.properties.maximum_qos, 1);
  EXPECT_EQ(answer.properties.wildcard_subscription_available, false);
  EXPECT_EQ(answer.properties.shared_subscription_available, false);
  EXPECT_EQ(client.subscribe("a/+"), Reasons{Reason::wildcard_subscriptions_not_supported});
  EXPECT_EQ(client.subscribe("$share/g/a"), Reasons{Reason::shared_subscriptions_not_supported});
  EXPECT_EQ(client.subscribe("a", k2), Reasons{Reason::granted_qos_1});
  client.publish("a", "", k2);
  EXPECT_TRUE(client.ended_with(Reason::qos_not_supported));
}

TEST(MqttSubscribe, RefusesWhatThePolicyForbids) {
  DoorWorld world;
  access::Rule rule;
  rule.allow = false;
  rule.subscribe = true;
  rule.filter = "secret/#";
  world.set_policy({rule});
  Talker client(world), old(world, Version::v3_1_1);
  client.connect("c");
  EXPECT_EQ(client.subscribe("secret/x"), Reasons{Reason::not_authorized});
  EXPECT_EQ(client.subscribe("public/x"), Reasons{Reason::success});
  old.connect("old");
  EXPECT_EQ(old.subscribe("secret/x"), Reasons{Reason::unspecified_error});
}

// [5 MQTT-3.10.4-4] [5 MQTT-3.10.4-5] [5 MQTT-3.11.3-1] [5 MQTT-3.11.3-2] [3.1.1 MQTT-3.10.4-5]
TEST(MqttSubscribe, UnsubscribesWithAReasonForEveryFilter) {
  Options options;
  options.topics.depth_max = 3;
  DoorWorld world(1, options);
  for (const Version version : {Version::v3_1_1, Version::v5}) {
    Talker client(world, version);
    client.connect("c");
    client.subscribe("a");
    am::Unsubscribe packet;
    packet.packet_id = 99;
    packet.filters = {"never", "a", "too/deep/by/far"};
    client.say(packet);
    const auto answer = client.next<am::Unsuback>();
    EXPECT_EQ(answer.packet_id, 99);
    if (version == Version::v5) {
      EXPECT_EQ(answer.reasons, (Reasons{Reason::no_subscription_existed, Reason::success, Reason::topic_filter_invalid}));
    }
    client.publish("a", "");
    EXPECT_TRUE(client.silent());
  }
}

TEST(MqttSubscribe, AnswersAnUnsubscribeOfNothingButRefusedFilters) {
  Options options;
  options.topics.depth_max = 3;
  DoorWorld world(1, options);
  Talker client(world);
  client.connect("c");
  am::Unsubscribe packet;
  packet.packet_id = 5;
  packet.filters = {"too/deep/by/far"};
  client.say(packet);
  EXPECT_EQ(client.next<am::Unsuback>().reasons, Reasons{Reason::topic_filter_invalid});
}

// [5 MQTT-3.3.4-3] [5 MQTT-3.3.4-4]
TEST(MqttSubscribe, TellsTheIdentifiersOfAllThatOverlap) {
  DoorWorld world;
  Talker client(world);
  client.connect("c");
  for (const auto& [filter, id] : {std::pair{"a/#", 7u}, std::pair{"a/b", 268'435'455u}, std::pair{"+/b", 0u}}) {
    am::Subscribe packet = one(client, filter);
    if (id != 0) packet.properties.subscription_identifier = id;
    client.subscribe(packet);
  }
  client.publish("a/b", "");
  const auto ids = client.next<am::Publish>().properties.subscription_identifiers;
  EXPECT_EQ(std::multiset<uint32_t>(ids.begin(), ids.end()), (std::multiset<uint32_t>{7, 268'435'455}));
  EXPECT_TRUE(client.silent());
}

// [5 MQTT-3.3.4-4]: also those at QoS 0, for which nothing is kept, when the log gives the message to another.
TEST(MqttSubscribe, TellsTheIdentifiersOfAllThatOverlapAfterAnAbsence) {
  DoorWorld world;
  Talker client(world), other(world);
  client.connect("c", true, 100);
  other.connect("other");
  for (const auto& [filter, qos, id] : {std::tuple{"a/#", k1, 7u}, std::tuple{"a/b", k0, 8u}, std::tuple{"$share/g/+/b", k0, 9u}}) {
    am::Subscribe packet = one(client, filter, qos);
    packet.properties.subscription_identifier = id;
    client.subscribe(packet);
  }
  client.vanish();
  other.say(other.message("a/b", "", k1));
  other.acked(PacketType::puback, other.packet_id);
  Talker again(world);
  again.connect("c", false, 100);
  const auto ids = again.next<am::Publish>().properties.subscription_identifiers;
  EXPECT_EQ(std::multiset<uint32_t>(ids.begin(), ids.end()), (std::multiset<uint32_t>{7, 8}));
}

// [5 MQTT-3.8.3-3]
TEST(MqttSubscribe, KeepsItsOwnMessagesFromNoLocal) {
  DoorWorld world;
  Talker client(world), other(world);
  client.connect("c");
  other.connect("other");
  am::Subscribe packet = one(client, "a");
  packet.subscriptions[0].no_local = true;
  client.subscribe(packet);
  client.publish("a", "mine");
  EXPECT_TRUE(client.silent());
  other.publish("a", "not mine");
  EXPECT_EQ(client.next<am::Publish>().payload, "not mine");
}

am::Publish retained(Talker& client, std::string_view topic, std::string_view payload) {
  am::Publish packet = client.message(topic, payload);
  packet.retain = true;
  return packet;
}

// [5 MQTT-3.3.1-9] [5 MQTT-3.3.1-10] [5 MQTT-3.3.1-11]
TEST(MqttSubscribe, SendsRetainedMessagesAsTheHandlingSays) {
  DoorWorld world;
  Talker client(world);
  client.connect("c");
  client.say(retained(client, "a", "last"));
  world.run_ms(100);  // else it may be routed after the subscription, as a live message
  const auto comes = [&](am::RetainHandling handling) {
    am::Subscribe packet = one(client, "a");
    packet.subscriptions[0].retain_handling = handling;
    client.subscribe(packet);
    world.run_ms(200);
    client.say(am::Pingreq{});
    const am::Packet first = client.any();
    if (std::holds_alternative<am::Pingresp>(first)) return false;
    EXPECT_TRUE(std::get<am::Publish>(first).retain);
    client.next<am::Pingresp>();
    return true;
  };
  EXPECT_FALSE(comes(am::RetainHandling::do_not_send));
  EXPECT_FALSE(comes(am::RetainHandling::send_if_new));
  EXPECT_TRUE(comes(am::RetainHandling::send));
  am::Unsubscribe leave;
  leave.packet_id = 99;
  leave.filters = {"a"};
  client.say(leave);
  client.next<am::Unsuback>();
  EXPECT_TRUE(comes(am::RetainHandling::send_if_new));
}

// [5 MQTT-3.3.1-6] [5 MQTT-3.3.1-7]
TEST(MqttSubscribe, ForgetsARetainedMessageAtAnEmptyOne) {
  DoorWorld world;
  Talker client(world);
  client.connect("c");
  client.say(retained(client, "a", "last"));
  client.say(retained(client, "a", ""));
  world.run_ms(100);
  client.subscribe("a");
  EXPECT_TRUE(client.silent());
}

// [5 MQTT-3.3.1-12] [5 MQTT-3.3.1-13]
TEST(MqttSubscribe, KeepsTheRetainFlagOnlyForThoseWhoAsk) {
  DoorWorld world;
  Talker plain(world), keeper(world);
  plain.connect("plain");
  plain.subscribe("a");
  keeper.connect("keeper");
  am::Subscribe packet = one(keeper, "a");
  packet.subscriptions[0].retain_as_published = true;
  keeper.subscribe(packet);
  plain.say(retained(plain, "a", "x"));
  EXPECT_FALSE(plain.next<am::Publish>().retain);
  EXPECT_TRUE(keeper.next<am::Publish>().retain);
}

// Section 4.8.2: each message to one member.
TEST(MqttSubscribe, SharesAmongMembers) {
  DoorWorld world(2);
  Talker a(world), b(world, Version::v3_1_1, 1), pub(world);
  a.connect("a");
  b.connect("b");
  pub.connect("pub");
  EXPECT_EQ(a.subscribe("$share/g/x", k1), Reasons{Reason::granted_qos_1});
  EXPECT_EQ(b.subscribe("$share/g/x", k1), Reasons{Reason::granted_qos_1});
  world.run_ms(100);
  for (int i = 0; i < 10; ++i) pub.publish("x", std::to_string(i), k1);
  std::multiset<std::string> got;
  for (int i = 0; i < 5; ++i) got.emplace(a.next<am::Publish>().payload);
  for (int i = 0; i < 5; ++i) got.emplace(b.next<am::Publish>().payload);
  EXPECT_TRUE(a.silent() && b.silent());
  EXPECT_EQ(got, (std::multiset<std::string>{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"}));
}

// [5 MQTT-4.7.2-1]
TEST(MqttSubscribe, KeepsDollarTopicsFromWildcards) {
  DoorWorld world;
  Talker client(world);
  client.connect("c");
  client.subscribe("#");
  client.subscribe("+/x");
  const auto publish = [&] {
    auto message = std::make_unique<Message>();
    message->topic = "$SYS/x";
    message->payload = "up";
    world.broker.shard(0).publish_internal(std::move(message));
  };
  publish();
  EXPECT_TRUE(client.silent());
  client.subscribe("$SYS/#");
  publish();
  EXPECT_EQ(client.next<am::Publish>().topic, "$SYS/x");
}

am::Subscribe asking_slow(std::string_view filter, std::string_view word) {
  am::Subscribe packet;
  packet.packet_id = 1;
  packet.subscriptions.push_back({filter, k0});
  packet.properties.user_properties.push_back({"arena-slow", word});
  return packet;
}

// docs/decisions/0007: a subscriber says for itself what it can do without.
TEST(MqttSubscribe, TakesThePolicyForASlowSubscriberFromItsUserProperty) {
  DoorWorld world;
  Talker pub(world), sub(world);
  pub.connect("pub");
  sub.connect("sub");
  EXPECT_EQ(sub.subscribe(asking_slow("x", "latest_per_topic")), std::vector{Reason::success});
  const std::string big(200'000, 'x');
  for (int i = 0; i < 20; ++i) pub.publish("x", big);  // its output is full long before
  EXPECT_GT(world.broker.dropped(broker::Drop::superseded), 5u);
}

TEST(MqttSubscribe, RefusesASlowPolicyItDoesNotKnow) {
  DoorWorld world;
  Talker sub(world);
  sub.connect("sub");
  EXPECT_EQ(sub.subscribe(asking_slow("x", "drop_all")), std::vector{Reason::implementation_specific_error});
}

}  // namespace
}  // namespace arena::gateway::mqtt::test
