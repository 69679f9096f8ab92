// What SUBSCRIBE and UNSUBSCRIBE promise, in MQTT 3.1.1 and 5 alike: packet by packet, in virtual time.
#include <set>

#include "gateway/mqtt/test_rules.h"

namespace arena::gateway::mqtt::test {
namespace {

am::Subscribe many(Talker& client, std::initializer_list<am::Subscription> subscriptions) {
  am::Subscribe packet;
  packet.packet_id = ++client.packet_id;
  packet.subscriptions = subscriptions;
  return packet;
}

Reasons unsubscribe(Talker& client, std::initializer_list<std::string_view> filters) {
  am::Unsubscribe packet;
  packet.packet_id = ++client.packet_id;
  packet.filters = filters;
  client.say(packet);
  const auto answer = client.next<am::Unsuback>();
  EXPECT_EQ(answer.packet_id, packet.packet_id);
  return answer.reasons;
}

void retain(Talker& client, std::string_view topic, std::string_view payload) {
  am::Publish packet = client.message(topic, payload, k1);
  packet.retain = true;
  client.say(packet);
  client.acked(PacketType::puback, client.packet_id);
}

// [5 MQTT-3.8.4-1] [5 MQTT-3.8.4-2] [3.1.1 MQTT-3.8.4-1] [3.1.1 MQTT-3.8.4-2]
TEST(MqttSubscription, IsAnsweredUnderItsOwnId) {
  for (const Version version : kVersions) {
    DoorWorld world(2);
    Talker client(world, version);
    client.connect("c");
    std::string all;
    std::multiset<uint16_t> asked, answered;
    for (const uint16_t id : std::initializer_list<uint16_t>{65535, 9, 1, 300}) {
      am::Subscribe packet = many(client, {{"a/+", k1}, {"$share/g/a", k1}});
      packet.packet_id = id;
      asked.insert(id);
      all += client.encoded(packet);
    }
    client.bytes(all);
    for (int i = 0; i < 4; ++i) answered.insert(client.next<am::Suback>().packet_id);
    EXPECT_EQ(answered, asked);
    EXPECT_TRUE(client.silent());
  }
}

// [5 MQTT-3.8.4-6] [5 MQTT-3.8.4-7] [3.1.1 MQTT-3.8.4-5] [5 MQTT-3.9.3-1] [3.1.1 MQTT-3.9.3-1]
TEST(MqttSubscription, IsGrantedOrRefusedFilterByFilter) {
  Options options;
  options.topics.depth_max = 3;
  DoorWorld world(1, options);
  access::Rule rule;
  rule.allow = false;
  rule.subscribe = true;
  rule.filter = "secret/#";
  world.set_policy({rule});
  for (const Version version : kVersions) {
    Talker client(world, version);
    client.connect("c");
    const bool v5 = version == Version::v5;
    const Reasons expected = {Reason::granted_qos_1,
                              v5 ? Reason::not_authorized : Reason::unspecified_error,
                              Reason::granted_qos_2,
                              v5 ? Reason::topic_filter_invalid : Reason::unspecified_error,
                              Reason::success,
                              Reason::granted_qos_1};
    EXPECT_EQ(client.subscribe(many(client, {{"a", k1}, {"secret/x", k2}, {"b/#", k2}, {"c/d/e/f", k0}, {"+", k0}, {"$share/g/a", k1}})),
              expected);
  }
}

// [5 MQTT-3.9.3-2] [3.1.1 MQTT-3.9.3-2]: whatever the reason for a refusal.
TEST(MqttSubscription, IsRefusedWithACodeOfTheTable) {
  Options options;
  options.wildcard_available = false;
  options.shared_available = false;
  options.topics.depth_max = 3;
  DoorWorld world(1, options);
  access::Rule rule;
  rule.allow = false;
  rule.subscribe = true;
  rule.filter = "secret";
  world.set_policy({rule});
  const std::pair<const char*, unsigned> cases[] = {{"+", 0xA2}, {"$share/g/a", 0x9E}, {"secret", 0x87}, {"a/b/c/d", 0x8F}, {"ok", 0x02}};
  for (const Version version : kVersions) {
    Talker client(world, version);
    client.connect("c");
    for (const auto& [filter, code] : cases) {
      client.subscribe(filter, k2);
      const unsigned last = static_cast<unsigned char>(client.last_bytes().back());
      EXPECT_EQ(last, version == Version::v5 || code < 3 ? code : 0x80u) << filter;
    }
  }
}

// [3.1.1 MQTT-3.8.3-2]
TEST(MqttSubscription, IsRefusedWithWildcardsWhereThereAreNone) {
  Options options;
  options.wildcard_available = false;
  DoorWorld world(1, options);
  Talker client(world, Version::v3_1_1);
  client.connect("c");
  for (const char* filter : {"#", "a/#", "+", "a/+/b", "$share/g/+"}) {
    EXPECT_EQ(client.subscribe(filter), Reasons{Reason::unspecified_error}) << filter;
  }
  EXPECT_EQ(client.subscribe("a/b"), Reasons{Reason::success});
}

// [5 MQTT-3.8.4-3] [5 MQTT-3.8.4-4] [3.1.1 MQTT-3.8.4-3]: its options change, and nothing that flows is lost or doubled.
TEST(MqttSubscription, IsReplacedByTheSameFilter) {
  for (const Version version : kVersions) {
    DoorWorld world(2);
    Talker client(world, version), pub(world, Version::v5, 1);
    client.connect("c");
    pub.connect("pub");
    retain(pub, "a/last", "kept");
    client.subscribe("a/+", k0);
    EXPECT_EQ(client.next<am::Publish>().payload, "kept");
    std::vector<std::string> live;
    int kept = 0;
    for (int i = 0; i < 20; ++i) {
      pub.publish("a/live", std::to_string(i), k1);
      client.say(many(client, {{"a/+", i % 2 == 0 ? k1 : k2}}));
    }
    world.run_ms(1000);
    for (int subacks = 0; subacks < 20 || kept < 20 || live.size() < 20;) {
      const am::Packet packet = client.any();
      if (std::holds_alternative<am::Suback>(packet)) ++subacks;
      if (const auto* publish = std::get_if<am::Publish>(&packet)) {
        if (publish->topic == "a/last") {
          EXPECT_TRUE(publish->retain);
          ++kept;
        } else {
          live.emplace_back(publish->payload);
        }
      }
      if (std::holds_alternative<am::Auth>(packet)) break;  // silence
    }
    EXPECT_TRUE(client.silent());
    std::vector<std::string> expected;
    for (int i = 0; i < 20; ++i) expected.push_back(std::to_string(i));
    EXPECT_EQ(live, expected);
    EXPECT_EQ(kept, 20);
    pub.publish("a/live", "twice as good", k2);
    EXPECT_EQ(client.next<am::Publish>().qos, k2);
    EXPECT_TRUE(client.silent());
  }
}

// [5 MQTT-3.8.4-5] [3.1.1 MQTT-3.8.4-4]: the same filter twice is a subscription and its replacement.
TEST(MqttSubscription, TreatsManyFiltersOneAfterTheOther) {
  for (const Version version : kVersions) {
    DoorWorld world;
    Talker client(world, version), pub(world);
    pub.connect("pub");
    retain(pub, "b", "kept");
    client.connect("c");
    EXPECT_EQ(client.subscribe(many(client, {{"a", k2}, {"b", k1}, {"a", k0}})),
              (Reasons{Reason::granted_qos_2, Reason::granted_qos_1, Reason::success}));
    EXPECT_EQ(client.next<am::Publish>().payload, "kept");
    EXPECT_TRUE(client.silent());  // one answer for all
    pub.publish("a", "", k2);
    EXPECT_EQ(client.next<am::Publish>().qos, k0);
    EXPECT_TRUE(client.silent());
  }
}

// [5 MQTT-3.8.4-8] [3.1.1 MQTT-3.8.4-6]
TEST(MqttSubscription, BringsTheLowerOfPublishedAndGranted) {
  for (const Version version : kVersions) {
    DoorWorld world;
    Talker client(world, version), pub(world);
    client.connect("c");
    pub.connect("pub");
    for (const Guarantee granted : {k0, k1, k2}) {
      client.subscribe("a", granted);
      for (const Guarantee published : {k0, k1, k2}) {
        pub.publish("a", "", published);
        EXPECT_EQ(client.next<am::Publish>().qos, std::min(granted, published));
      }
    }
  }
}

// [5 MQTT-3.8.3-3]: nor when the publisher has been away, nor through another filter that has the option too.
TEST(MqttSubscription, BringsNothingOfItsOwnWithNoLocal) {
  DoorWorld world;
  Talker other(world);
  other.connect("other");
  auto client = std::make_unique<Talker>(world);
  client->connect("c", false, 100);
  am::Subscribe packet = many(*client, {{"a", k1}, {"+", k1}});
  for (am::Subscription& subscription : packet.subscriptions) subscription.no_local = true;
  client->subscribe(packet);
  client->publish("a", "mine", k1);
  client->acked(PacketType::puback, client->packet_id);
  EXPECT_TRUE(client->silent());
  client = std::make_unique<Talker>(world);
  client->connect("c", false, 100);
  client->publish("a", "mine again", k0);
  other.publish("a", "another's", k0);
  EXPECT_EQ(client->next<am::Publish>().payload, "another's");
  EXPECT_TRUE(client->silent());
}

// [5 MQTT-3.10.4-1] [3.1.1 MQTT-3.10.4-1]
TEST(MqttSubscription, EndsByItsOwnCharactersAlone) {
  for (const Version version : kVersions) {
    DoorWorld world;
    Talker client(world, version);
    client.connect("c");
    client.subscribe("a/+", k0);
    client.subscribe("a/b", k0);
    const Reasons none(version == Version::v5 ? 5 : 0, Reason::no_subscription_existed);
    EXPECT_EQ(unsubscribe(client, {"a/#", "A/+", "+/b", "/a/b", "a/c"}), none);
    client.publish("a/c", "through the wildcard");
    EXPECT_EQ(client.next<am::Publish>().payload, "through the wildcard");
    EXPECT_EQ(unsubscribe(client, {"a/+"}), Reasons(none.empty() ? 0 : 1, Reason::success));
    client.publish("a/c", "to nobody");
    client.publish("a/b", "through the other");
    EXPECT_EQ(client.next<am::Publish>().payload, "through the other");
    EXPECT_TRUE(client.silent());
  }
}

// [5 MQTT-3.10.4-2] [3.1.1 MQTT-3.10.4-2]: neither what comes later nor what was waiting for its turn.
TEST(MqttSubscription, BringsNothingNewOnceEnded) {
  for (const Version version : kVersions) {
    DoorWorld world;
    Talker client(world, version), pub(world);
    am::Connect packet = client.connect_packet("c");
    if (version == Version::v5) packet.properties.receive_maximum = 1;
    client.connect(packet);
    client.subscribe("x", k1);
    pub.connect("pub");
    pub.publish("x", "1", k1);
    const uint16_t id = client.next<am::Publish>().packet_id;
    if (version == Version::v5) pub.publish("x", "2", k1);  // the window is full
    world.run_ms(100);
    unsubscribe(client, {"x"});
    pub.publish("x", "3", k1);
    client.ack(PacketType::puback, id);
    EXPECT_TRUE(client.silent());
  }
}

// [5 MQTT-3.10.4-3] [3.1.1 MQTT-3.10.4-3]: on this connection and the next.
TEST(MqttSubscription, CompletesWhatHadBegunWhenItEnded) {
  for (const Version version : kVersions) {
    DoorWorld world;
    auto client = std::make_unique<Talker>(world, version);
    Talker pub(world);
    client->connect("c", false, 100);
    client->subscribe("x", k2);
    pub.connect("pub");
    pub.publish("x", "1", k1);
    const auto first = client->next<am::Publish>();
    pub.publish("x", "2", k2);
    const uint16_t second = client->next<am::Publish>().packet_id;
    unsubscribe(*client, {"x"});
    client->ack(PacketType::pubrec, second);
    EXPECT_EQ(client->acked(PacketType::pubrel, second), Reason::success);
    client = std::make_unique<Talker>(world, version);
    EXPECT_TRUE(client->connect("c", false, 100).session_present);
    client->acked(PacketType::pubrel, second);
    const auto again = client->next<am::Publish>();
    EXPECT_TRUE(again.dup);
    EXPECT_EQ(again.packet_id, first.packet_id);
    EXPECT_EQ(again.payload, "1");
    EXPECT_TRUE(client->silent());
  }
}

// [5 MQTT-3.10.4-4] [5 MQTT-3.10.4-5] [3.1.1 MQTT-3.10.4-4] [3.1.1 MQTT-3.10.4-5]
TEST(MqttSubscription, IsEndedWithAnAnswerUnderTheSameId) {
  for (const Version version : kVersions) {
    DoorWorld world;
    Talker client(world, version);
    client.connect("c");
    client.subscribe("a");
    for (const uint16_t id : std::initializer_list<uint16_t>{65535, 9, 300}) {  // only the first finds a subscription
      am::Unsubscribe packet;
      packet.packet_id = id;
      packet.filters = {"a"};
      client.say(packet);
      EXPECT_EQ(client.next<am::Unsuback>().packet_id, id);
    }
    EXPECT_TRUE(client.silent());
  }
}

// [5 MQTT-3.10.4-6] [3.1.1 MQTT-3.10.4-6] [5 MQTT-3.11.3-1] [5 MQTT-3.11.3-2]
TEST(MqttSubscription, IsEndedFilterByFilterWithOneAnswer) {
  for (const Version version : kVersions) {
    Options options;
    options.topics.depth_max = 3;
    DoorWorld world(1, options);
    Talker client(world, version);
    client.connect("c");
    client.subscribe(many(client, {{"a", k0}, {"b", k0}, {"c", k0}}));
    const Reasons reasons = unsubscribe(client, {"a", "none", "a", "b", "a/b/c/d"});
    if (version == Version::v5) {
      EXPECT_EQ(reasons, (Reasons{Reason::success, Reason::no_subscription_existed, Reason::no_subscription_existed,
                                  Reason::success, Reason::topic_filter_invalid}));
    } else {
      EXPECT_EQ(client.last_bytes().size(), 4u);  // no codes there
    }
    for (const char* topic : {"a", "b", "c"}) client.publish(topic, topic);
    EXPECT_EQ(client.next<am::Publish>().payload, "c");
    EXPECT_TRUE(client.silent());
  }
}

}  // namespace
}  // namespace arena::gateway::mqtt::test
