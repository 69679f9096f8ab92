// CONNECT to CONNACK, keep-alive, take-over, the end: in virtual time, packet by packet.
#include <algorithm>

#include "gateway/mqtt/test_door.h"

namespace arena::gateway::mqtt::test {
namespace {

std::string_view raw(const char* bytes, std::size_t n) { return {bytes, n}; }

// [5 MQTT-3.1.4-5] [3.1.1 MQTT-3.1.4-4]
TEST(MqttConnect, LetsEveryDialectIn) {
  DoorWorld world;
  for (const Version version : {Version::v3_1, Version::v3_1_1, Version::v5}) {
    Talker client(world, version);
    const am::Connack answer = client.connect("c");
    EXPECT_EQ(answer.reason, Reason::success) << am::to_string(version);
    EXPECT_FALSE(answer.session_present);
  }
}

// [5 MQTT-3.1.0-2] [3.1.1 MQTT-3.1.0-2]
TEST(MqttConnect, EndsAtASecondConnect) {
  DoorWorld world;
  for (const Version version : {Version::v3_1_1, Version::v5}) {
    Talker client(world, version);
    client.connect("c");
    client.say(client.connect_packet("c"));
    EXPECT_TRUE(client.ended_with(Reason::protocol_error));
  }
}

// [5 MQTT-3.1.0-1] [3.1.1 MQTT-3.1.0-1]
TEST(MqttConnect, ClosesWithoutAWordWhenTheFirstPacketIsNotConnect) {
  DoorWorld world;
  Talker client(world);
  client.say(am::Pingreq{});
  EXPECT_TRUE(client.closed());
}

// [5 MQTT-3.1.2-2] [3.1.1 MQTT-3.1.2-2]: return code 1 in the old form.
TEST(MqttConnect, RefusesUnknownVersions) {
  DoorWorld world;
  Talker client(world, Version::v3_1_1);
  client.bytes(raw("\x10\x0d\x00\x04MQTT\x07\x02\x00\x00\x00\x01" "c", 15));
  EXPECT_EQ(client.next<am::Connack>().reason, Reason::unsupported_protocol_version);
  EXPECT_TRUE(client.closed());
}

// [3.1.1 MQTT-3.1.3-6] [3.1.1 MQTT-3.1.3-7] [3.1.1 MQTT-3.1.3-8] [5 MQTT-3.1.3-6] [5 MQTT-3.1.3-7]
TEST(MqttConnect, TakesEmptyClientIdsByTheRules) {
  DoorWorld world;
  Talker kept(world, Version::v3_1_1);
  EXPECT_EQ(kept.connect("", false).reason, Reason::client_identifier_not_valid);
  EXPECT_TRUE(kept.closed());
  Talker clean(world, Version::v3_1_1);
  EXPECT_EQ(clean.connect("", true).reason, Reason::success);
  Talker assigned(world, Version::v5);
  const am::Connack answer = assigned.connect("", false, 100);
  EXPECT_EQ(answer.reason, Reason::success);
  ASSERT_TRUE(answer.properties.assigned_client_identifier);
  Talker other(world, Version::v5);
  EXPECT_NE(other.connect("").properties.assigned_client_identifier, answer.properties.assigned_client_identifier);
  Talker again(world, Version::v5);
  EXPECT_TRUE(again.connect(std::string(*answer.properties.assigned_client_identifier), false).session_present);
}

// [5 MQTT-4.12.0-1]
TEST(MqttConnect, RefusesUnknownAuthenticationMethods) {
  DoorWorld world;
  Talker client(world);
  am::Connect packet = client.connect_packet("c");
  packet.properties.authentication_method = "SCRAM";
  EXPECT_EQ(client.connect(packet).reason, Reason::bad_authentication_method);
  EXPECT_TRUE(client.closed());
}

// [5 MQTT-4.12.0-7]
TEST(MqttConnect, EndsAtAuthWithoutAMethod) {
  DoorWorld world;
  Talker client(world);
  client.connect("c");
  am::Auth packet;
  packet.reason = Reason::reauthenticate;
  packet.properties.authentication_method = "SCRAM";
  client.say(packet);
  EXPECT_TRUE(client.ended_with(Reason::protocol_error));
}

TEST(MqttConnect, WaitsForConnectOnlySoLong) {
  Options options;
  options.connect_timeout_ms = 3000;
  DoorWorld world(1, options);
  Talker client(world);
  EXPECT_TRUE(client.silent(2900));
  client.bytes("\x10");
  EXPECT_TRUE(client.closed());
  EXPECT_EQ(world.counters[0]->refused[static_cast<std::size_t>(Refused::connect_timeout)].get(), 1u);
  world.run_ms(100);
  EXPECT_EQ(world.connections(), 0u);
  EXPECT_EQ(world.admission.half_open(), 0u);
  EXPECT_EQ(world.admission.connections(), 0u);
}

TEST(MqttConnect, RefusesAnOversizedConnectByItsFirstBytes) {
  DoorWorld world;
  Talker client(world);
  client.bytes("\x10\xff\xff\x7f");
  world.run_ms(10);
  EXPECT_TRUE(client.is_closed());
}

// [5 MQTT-3.1.2-20] [5 MQTT-3.1.2-22] [5 MQTT-3.2.2-22] [3.1.1 MQTT-3.1.2-23]: half as much again as was asked for.
TEST(MqttConnect, EndsWhenNothingIsHeardForOneAndAHalfKeepAlives) {
  DoorWorld world;
  for (const Version version : {Version::v3_1_1, Version::v5}) {
    Talker client(world, version);
    am::Connect packet = client.connect_packet("c");
    packet.keep_alive_s = 10;
    client.connect(packet);
    EXPECT_TRUE(client.silent(14'500));
    client.say(am::Pingreq{});
    client.next<am::Pingresp>();
    EXPECT_TRUE(client.silent(14'500));
    EXPECT_TRUE(client.ended_with(Reason::keep_alive_timeout));
  }
}

TEST(MqttConnect, WaitsForEverWithoutKeepAlive) {
  DoorWorld world;
  Talker client(world);
  client.connect("c");
  EXPECT_TRUE(client.silent(3'600'000));
}

// [5 MQTT-3.1.2-21] [5 MQTT-3.2.2-21]
TEST(MqttConnect, TellsItsOwnKeepAlive) {
  Options options;
  options.keepalive_max_s = 20;
  DoorWorld world(1, options);
  Talker client(world);
  EXPECT_EQ(client.connect("c").properties.server_keep_alive_s, 20);
  EXPECT_TRUE(client.silent(29'500));
  EXPECT_TRUE(client.ended_with(Reason::keep_alive_timeout));
}

// [5 MQTT-3.1.4-3] [3.1.1 MQTT-3.1.4-2]
TEST(MqttConnect, TellsWhoIsTakenOver) {
  DoorWorld world(2);
  for (const Version version : {Version::v3_1_1, Version::v5}) {
    Talker first(world, version, 0);
    Talker second(world, version, 1);
    first.connect("same");
    EXPECT_EQ(second.connect("same").reason, Reason::success);
    EXPECT_TRUE(first.ended_with(Reason::session_taken_over));
  }
}

// [5 MQTT-3.1.2-4] [5 MQTT-3.1.2-5] [5 MQTT-3.1.2-6] [5 MQTT-3.2.2-2] [5 MQTT-3.2.2-3]
TEST(MqttConnect, ResumesDiscardsAndExpiresSessions) {
  DoorWorld world;
  const auto present = [&](bool clean, uint32_t expiry_s) {
    Talker client(world);
    const am::Connack answer = client.connect("c", clean, expiry_s);
    client.vanish();
    return answer.session_present;
  };
  EXPECT_FALSE(present(false, 10));
  EXPECT_TRUE(present(false, 10));
  EXPECT_FALSE(present(true, 10));
  world.run_ms(9'000);
  EXPECT_TRUE(present(false, 10));
  world.run_ms(11'000);
  EXPECT_FALSE(present(false, 0));
  EXPECT_FALSE(present(false, 0));
}

// Section 3.14.2.2.2
TEST(MqttConnect, TakesAnotherExpiryAtDisconnectUnlessThereWasNone) {
  DoorWorld world;
  Talker first(world);
  first.connect("c", true, 100);
  am::Disconnect goodbye;
  goodbye.properties.session_expiry_interval_s = 5;
  first.say(goodbye);
  EXPECT_TRUE(first.closed());
  world.run_ms(6'000);
  Talker second(world);
  EXPECT_FALSE(second.connect("c", false, 0).session_present);
  second.say(goodbye);
  EXPECT_TRUE(second.ended_with(Reason::protocol_error));
}

am::Connect with_will(const Talker& client, uint32_t delay_s, uint32_t expiry_s) {
  am::Connect packet = client.connect_packet("dying", true, expiry_s);
  am::Will& will = packet.will.emplace();
  will.topic = "will";
  will.payload = "gone";
  will.qos = k1;
  if (delay_s != 0) will.properties.will_delay_interval_s = delay_s;
  will.properties.content_type = "text/plain";
  will.properties.user_properties = {{"b", "1"}, {"a", "2"}, {"b", "3"}};
  return packet;
}

// [5 MQTT-3.1.2-8] [5 MQTT-3.1.3-10]
TEST(MqttConnect, PublishesTheWillOfThoseWhoVanish) {
  DoorWorld world;
  Talker heir(world), dying(world);
  heir.connect("heir");
  heir.subscribe("will", k1);
  const am::Connect packet = with_will(dying, 0, 0);
  dying.connect(packet);
  dying.vanish();
  const auto will = heir.next<am::Publish>();
  EXPECT_EQ(will.payload, "gone");
  EXPECT_EQ(will.properties.content_type, "text/plain");
  EXPECT_EQ(will.properties.user_properties, packet.will->properties.user_properties);
}

// [5 MQTT-3.1.3-9] and section 3.1.3.2.2
TEST(MqttConnect, DelaysTheWillAndForgetsItWhenTheClientIsBack) {
  DoorWorld world;
  Talker heir(world), dying(world), back(world);
  heir.connect("heir");
  heir.subscribe("will");
  dying.connect(with_will(dying, 10, 100));
  dying.vanish();
  EXPECT_TRUE(heir.silent(9'000));
  back.connect("dying", false, 100);
  EXPECT_TRUE(heir.silent(10'000));
  back.vanish();
  Talker again(world);
  again.connect(with_will(again, 10, 100));
  again.vanish();
  EXPECT_TRUE(heir.silent(9'000));
  EXPECT_EQ(heir.next<am::Publish>().payload, "gone");
}

// [5 MQTT-3.14.4-3]
TEST(MqttConnect, KeepsOrDropsTheWillAtDisconnect) {
  DoorWorld world;
  Talker heir(world), polite(world), unusual(world);
  heir.connect("heir");
  heir.subscribe("will");
  polite.connect(with_will(polite, 0, 0));
  polite.say(am::Disconnect{});
  EXPECT_TRUE(heir.silent());
  unusual.connect(with_will(unusual, 0, 0));
  am::Disconnect packet;
  packet.reason = Reason::disconnect_with_will;
  unusual.say(packet);
  EXPECT_EQ(heir.next<am::Publish>().payload, "gone");
}

// Section 3.1.4: a client need not wait for CONNACK. On two cores the bytes travel along with the connection.
TEST(MqttConnect, TakesWhatWasSentBehindTheConnect) {
  for (const unsigned cores : {1u, 2u}) {
    DoorWorld world(cores);
    unsigned moves = 0;
    for (int i = 0; i < 8; ++i) {
      Talker client(world, Version::v5, static_cast<unsigned>(i) % cores);
      const std::string id = "client-" + std::to_string(i);
      am::Subscribe subscribe;
      subscribe.packet_id = 1;
      subscribe.subscriptions.push_back({id, k1});
      client.packet_id = 1;
      std::string all = client.encoded(client.connect_packet(id)) + client.encoded(subscribe);
      all += client.encoded(client.message(id, "hello", k1)) + client.encoded(am::Pingreq{});
      client.bytes(all);
      EXPECT_EQ(client.next<am::Connack>().reason, Reason::success);
      bool suback = false, puback = false, message = false, pong = false;
      for (int n = 0; n < 4; ++n) {
        const am::Packet packet = client.any();
        suback = suback || std::holds_alternative<am::Suback>(packet);
        puback = puback || std::holds_alternative<am::Ack>(packet);
        message = message || std::holds_alternative<am::Publish>(packet);
        pong = pong || std::holds_alternative<am::Pingresp>(packet);
      }
      EXPECT_TRUE(suback && puback && message && pong) << suback << puback << message << pong;
      moves += client.moves();
    }
    EXPECT_EQ(moves != 0, cores == 2);
    world.run_ms(100);
    EXPECT_EQ(world.connections(), 0u);
    EXPECT_EQ(world.admission.connections(), 0u);
    EXPECT_EQ(world.admission.half_open(), 0u);
  }
}

TEST(MqttConnect, ReadsByteByByteAsAllAtOnce) {
  DoorWorld world;
  const auto talk = [&](bool bytewise) {
    Talker client(world);
    am::Subscribe subscribe;
    subscribe.packet_id = 1;
    subscribe.subscriptions.push_back({"x/#", k2});
    std::string all = client.encoded(client.connect_packet("c")) + client.encoded(subscribe);
    client.packet_id = 1;
    all += client.encoded(client.message("x/y", "hello", k0));
    for (std::size_t i = 0; i < all.size(); i += bytewise ? 1 : all.size()) {
      client.bytes(std::string_view(all).substr(i, bytewise ? 1 : all.size()));
    }
    std::vector<std::string> heard;
    for (int n = 0; n < 3; ++n) heard.push_back(am::describe(client.any()));
    std::sort(heard.begin(), heard.end());
    return heard;
  };
  EXPECT_EQ(talk(true), talk(false));
}

// [5 MQTT-4.13.1-1]
TEST(MqttConnect, RefusesMalformedPacketsAndThoseOnlyServersSend) {
  DoorWorld world;
  const std::pair<std::string_view, Reason> cases[] = {
      {raw("\x82\x01\x00", 3), Reason::malformed_packet},        // a SUBSCRIBE that ends in its packet id
      {raw("\xc1\x00", 2), Reason::malformed_packet},            // PINGREQ with flags
      {raw("\x20\x03\x00\x00\x00", 5), Reason::protocol_error},  // CONNACK
      {raw("\xd0\x00", 2), Reason::protocol_error},              // PINGRESP
      {raw("\x90\x04\x00\x01\x00\x00", 6), Reason::protocol_error},  // SUBACK
  };
  for (const auto& [bytes, reason] : cases) {
    Talker client(world);
    client.connect("c");
    client.bytes(bytes);
    EXPECT_TRUE(client.ended_with(reason)) << static_cast<unsigned>(static_cast<unsigned char>(bytes[0]));
  }
}

// [5 MQTT-3.2.2-15]: told in CONNACK, ended with 0x95 when ignored.
TEST(MqttConnect, EndsAtPacketsAboveItsMaximum) {
  Options options;
  options.packet_bytes_max = 200;
  DoorWorld world(1, options);
  Talker client(world);
  EXPECT_EQ(client.connect("c").properties.maximum_packet_size, 200u);
  client.publish("x", std::string(300, 'x'));
  EXPECT_TRUE(client.ended_with(Reason::packet_too_large));
}

}  // namespace
}  // namespace arena::gateway::mqtt::test
