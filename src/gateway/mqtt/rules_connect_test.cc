// Section 3.1 of the specification: what a CONNECT must be like, and who comes in.
#include <set>

#include "gateway/mqtt/test_rules.h"

namespace arena::gateway::mqtt::test {
namespace {

// ---- the packet ----

// [5 MQTT-3.1.2-1] [3.1.1 MQTT-3.1.2-1]: no other name is served, whatever the level behind it.
TEST(MqttRules, LetNobodyInUnderAnotherProtocolName) {
  for (const char* name : {R"("MQTX")", R"("mqtt")", R"("MQTT ")", R"("MQT")", R"("")", R"("HTTP/1.1")"}) {
    for (const char* rest : {R"( 04 02 003C "c" })", R"( 05 02 003C {} "c" })"}) {
      SCOPED_TRACE(name);
      DoorWorld world;
      Talker client(world, Version::v3_1_1);
      client.bytes(bytes_of(std::string("10 { ") + name + rest));
      EXPECT_EQ(client.next<am::Connack>().reason, Reason::unsupported_protocol_version);
      EXPECT_TRUE(client.closed());
    }
  }
}

// [5 MQTT-3.1.2-3] [3.1.1 MQTT-3.1.2-3]
TEST(MqttRules, LetNobodyInWithTheReservedConnectFlag) {
  expect_no_entry(Version::v3_1_1, R"(10 { "MQTT" 04 03 003C "c" })");
  expect_no_entry(Version::v5, R"(10 { "MQTT" 05 03 003C {} "c" })");
}

// [5 MQTT-3.1.2-9] [3.1.1 MQTT-3.1.2-9]: each field of the will, from the last one on, left out.
TEST(MqttRules, LetNobodyInWithHalfAWill) {
  for (const char* fields : {R"("w")", ""}) {
    expect_no_entry(Version::v3_1_1, std::string(R"(10 { "MQTT" 04 06 003C "c" )") + fields + " }");
  }
  for (const char* fields : {R"({} "w")", "{}", "", R"("w" "bye")"}) {
    expect_no_entry(Version::v5, std::string(R"(10 { "MQTT" 05 06 003C {} "c" )") + fields + " }");
  }
  expect_entry(Version::v3_1_1, R"(10 { "MQTT" 04 06 003C "c" "w" "bye" })");
  expect_entry(Version::v5, R"(10 { "MQTT" 05 06 003C {} "c" {} "w" "bye" })");
}

// [5 MQTT-3.1.2-11] [5 MQTT-3.1.2-13] [3.1.1 MQTT-3.1.2-13] [3.1.1 MQTT-3.1.2-15]
TEST(MqttRules, LetNobodyInWithQosOrRetainOfNoWill) {
  for (const char* flags : {"0A", "12", "22", "2A", "1A"}) {  // QoS 1, QoS 2, retain, both; QoS 3
    expect_no_entry(Version::v3_1_1, std::string(R"(10 { "MQTT" 04 )") + flags + R"( 003C "c" })");
    expect_no_entry(Version::v5, std::string(R"(10 { "MQTT" 05 )") + flags + R"( 003C {} "c" })");
  }
}

// [3.1.1 MQTT-3.1.2-11]
TEST(MqttRules, LetNobodyInWithAWillThatTheFlagDenies) {
  for (const char* flags : {"02", "0A", "22"}) {
    expect_no_entry(Version::v3_1_1, std::string(R"(10 { "MQTT" 04 )") + flags + R"( 003C "c" "w" "bye" })");
  }
}

// [5 MQTT-3.1.2-12] [3.1.1 MQTT-3.1.2-14]
TEST(MqttRules, LetNobodyInWithAWillOfQos3) {
  expect_no_entry(Version::v3_1_1, R"(10 { "MQTT" 04 1E 003C "c" "w" "bye" })");
  expect_no_entry(Version::v5, R"(10 { "MQTT" 05 1E 003C {} "c" {} "w" "bye" })");
  for (const char* flags : {"06", "0E", "16"}) {
    expect_entry(Version::v3_1_1, std::string(R"(10 { "MQTT" 04 )") + flags + R"( 003C "c" "w" "bye" })");
    expect_entry(Version::v5, std::string(R"(10 { "MQTT" 05 )") + flags + R"( 003C {} "c" {} "w" "bye" })");
  }
}

// [5 MQTT-3.1.2-16] [5 MQTT-3.1.2-17] [5 MQTT-3.1.2-18] [5 MQTT-3.1.2-19]: flags and fields go together.
TEST(MqttRules, LetNobodyInWhoseCredentialsAreNotAsFlagged) {
  expect_no_entry(Version::v5, R"(10 { "MQTT" 05 02 003C {} "c" "u" })");          // a field without a flag
  expect_no_entry(Version::v5, R"(10 { "MQTT" 05 82 003C {} "c" "u" "p" })");      // a password without a flag
  expect_no_entry(Version::v5, R"(10 { "MQTT" 05 42 003C {} "c" "u" "p" })");      // a user name without a flag
  expect_no_entry(Version::v5, R"(10 { "MQTT" 05 82 003C {} "c" })");              // a flag without a field
  expect_no_entry(Version::v5, R"(10 { "MQTT" 05 42 003C {} "c" })");
  expect_no_entry(Version::v5, R"(10 { "MQTT" 05 C2 003C {} "c" "u" })");
  for (const char* good : {R"(82 003C {} "c" "u" })", R"(42 003C {} "c" "p" })", R"(C2 003C {} "c" "u" "p" })"}) {
    expect_no_entry(Version::v5, std::string(R"(10 { "MQTT" 05 )") + good, Reason::bad_user_name_or_password);
  }
}

// [3.1.1 MQTT-3.1.2-18] [3.1.1 MQTT-3.1.2-19] [3.1.1 MQTT-3.1.2-20] [3.1.1 MQTT-3.1.2-21] [3.1.1 MQTT-3.1.2-22]
TEST(MqttRules, LetNoOldClientInWhoseCredentialsAreNotAsFlagged) {
  for (const char* bad : {R"(02 003C "c" "u" })", R"(82 003C "c" "u" "p" })", R"(42 003C "c" "u" "p" })",
                          R"(82 003C "c" })", R"(C2 003C "c" "u" })", R"(C2 003C "c" })",
                          R"(42 003C "c" "p" })"}) {  // a password needs a user name
    expect_no_entry(Version::v3_1_1, std::string(R"(10 { "MQTT" 04 )") + bad);
  }
  for (const char* good : {R"(82 003C "c" "u" })", R"(C2 003C "c" "u" "p" })"}) {
    DoorWorld world;
    Talker client(world, Version::v3_1_1);
    client.bytes(bytes_of(std::string(R"(10 { "MQTT" 04 )") + good));
    EXPECT_EQ(client.next<am::Connack>().reason, Reason::bad_user_name_or_password);  // read, and nobody's
  }
}

// [5 MQTT-3.1.3-1] [5 MQTT-3.1.3-3] [3.1.1 MQTT-3.1.3-1] [3.1.1 MQTT-3.1.3-3]
TEST(MqttRules, ReadThePayloadOfConnectInItsOrder) {
  for (const std::string& good : {bytes_of(R"(10 { "MQTT" 04 C6 003C "id" "w" "bye" "u" "p" })"),
                                  bytes_of(R"(10 { "MQTT" 05 C6 003C {} "id" { 03 "t" } "w" "bye" "u" "p" })")}) {
    const am::DecodeResult result = am::decode_connect(good, {});
    ASSERT_TRUE(std::holds_alternative<am::Decoded>(result));
    const auto& packet = std::get<am::Connect>(std::get<am::Decoded>(result).packet);
    EXPECT_EQ(packet.client_id, "id");
    EXPECT_EQ(packet.will->topic, "w");
    EXPECT_EQ(packet.will->payload, "bye");
    EXPECT_EQ(packet.user_name, "u");
    EXPECT_EQ(packet.password, "p");
  }
  // Only the will's payload and the password may be no text: elsewhere their bytes give the wrong order away.
  for (const char* bad : {R"("w" "bye" "u" 0001 FF "id")", R"(0001 FF "w" "id" "u" "p")", R"("id" 0001 FF "w" "u" "p")",
                          R"("id" "w" "bye" 0001 FF "u")", R"("w" "bye" "u" "p")", R"(0001 FF "id")", ""}) {
    expect_no_entry(Version::v3_1_1, std::string(R"(10 { "MQTT" 04 C6 003C )") + bad + " }");
  }
  for (const char* bad : {R"({} "id" "w" "bye" "u" "p")", R"("id" "w" {} "bye" "u" "p")",
                          R"("id" {} 0001 FF "w" "u" "p")",
                          R"("id" {} "w" "bye" 0001 FF "u")", R"({} "w" "bye" "u" "p")", ""}) {
    expect_no_entry(Version::v5, std::string(R"(10 { "MQTT" 05 C6 003C {} )") + bad + " }");
  }
  expect_no_entry(Version::v3_1_1, R"(10 { "MQTT" 04 02 003C })");
  expect_no_entry(Version::v5, R"(10 { "MQTT" 05 02 003C {} })");
}

const char* const kNoText[] = {"0001 FF", "0001 00", "0003 EDA080", "0002 'a' C3"};

// [5 MQTT-3.1.3-4] [5 MQTT-3.1.3-11] [5 MQTT-3.1.3-12]
TEST(MqttRules, LetNobodyInWhoseNamesAreNotText) {
  for (const std::string bad : kNoText) {
    expect_no_entry(Version::v5, R"(10 { "MQTT" 05 02 003C {} )" + bad + " }");
    expect_no_entry(Version::v5, R"(10 { "MQTT" 05 06 003C {} "c" {} )" + bad + R"( "bye" })");
    expect_no_entry(Version::v5, R"(10 { "MQTT" 05 82 003C {} "c" )" + bad + " }");
  }
  expect_entry(Version::v5, R"(10 { "MQTT" 05 06 003C {} "c" {} "w" 0002 FF00 })");  // the payload may be anything
}

// [3.1.1 MQTT-3.1.3-4] [3.1.1 MQTT-3.1.3-10] [3.1.1 MQTT-3.1.3-11]
TEST(MqttRules, LetNoOldClientInWhoseNamesAreNotText) {
  for (const std::string bad : kNoText) {
    expect_no_entry(Version::v3_1_1, R"(10 { "MQTT" 04 02 003C )" + bad + " }");
    expect_no_entry(Version::v3_1_1, R"(10 { "MQTT" 04 06 003C "c" )" + bad + R"( "bye" })");
    expect_no_entry(Version::v3_1_1, R"(10 { "MQTT" 04 82 003C "c" )" + bad + " }");
  }
  expect_entry(Version::v3_1_1, R"(10 { "MQTT" 04 06 003C "c" "w" 0002 FF00 })");
}

// [5 MQTT-3.1.4-1] [3.1.1 MQTT-3.1.4-1]: 3.1.1 gets no CONNACK at all.
TEST(MqttRules, LetNobodyInWithAMalformedConnect) {
  for (const char* bad : {R"(1F { "MQTT" 04 02 003C "c" })", R"(10 { "MQTT" 04 02 00 })",
                          R"(10 { "MQTT" 04 02 003C "c" 00 })", R"(10 { "MQTT" 04 02 003C 0005 'c' })",
                          R"(10 { "MQTT" 04 06 003C "c" "a/+" "bye" })"}) {
    expect_no_entry(Version::v3_1_1, bad);
  }
  for (const char* bad : {R"(1F { "MQTT" 05 02 003C {} "c" })", R"(10 { "MQTT" 05 02 00 })",
                          R"(10 { "MQTT" 05 02 003C {} "c" 00 })", R"(10 { "MQTT" 05 02 003C {} 0005 'c' })",
                          R"(10 { "MQTT" 05 06 003C {} "c" {} "a/+" "bye" })",
                          R"(10 { "MQTT" 05 02 003C { 7F 00 } "c" })"}) {
    expect_no_entry(Version::v5, bad);
  }
}

// ---- who comes in ----

// [5 MQTT-3.1.3-5] [3.1.1 MQTT-3.1.3-5]
TEST(MqttRules, LetEveryPlainClientIdIn) {
  DoorWorld world;
  const std::string all = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
  for (const Version version : kVersions) {
    for (std::size_t at = 0; at < all.size(); ++at) {
      Talker shortest(world, version), longest(world, version);
      EXPECT_EQ(shortest.connect(all.substr(at, 1)).reason, Reason::success);
      EXPECT_EQ(longest.connect((all + all).substr(at, 23)).reason, Reason::success);
    }
  }
}

// [5 MQTT-3.1.3-8] [3.1.1 MQTT-3.1.3-9]
TEST(MqttRules, RefuseAClientIdWithItsOwnCode) {
  Options options;
  options.client_id_bytes_max = 30;
  DoorWorld world(1, options);
  for (const Version version : kVersions) {
    Talker client(world, version);
    EXPECT_EQ(client.connect(std::string(31, 'c')).reason, Reason::client_identifier_not_valid);
    EXPECT_TRUE(client.closed());
    Talker fits(world, version);
    EXPECT_EQ(fits.connect(std::string(30, 'c')).reason, Reason::success);
  }
}

// [5 MQTT-3.1.3-2] [3.1.1 MQTT-3.1.3-2]: another identifier is another session, the same one is the same.
TEST(MqttRules, KeepASessionForEachClientId) {
  DoorWorld world(2);
  for (const Version version : kVersions) {
    const std::string suffix(am::to_string(version));
    for (const std::string id : {"a", "b"}) {
      Talker client(world, version);
      EXPECT_FALSE(client.connect(id + suffix, false, 100).session_present);
      client.subscribe("topic-of-" + id, k1);
    }
    Talker pub(world);
    pub.connect("pub");
    pub.publish("topic-of-a", "for a", k1);
    pub.publish("topic-of-b", "for b", k1);
    world.run_ms(100);
    for (const std::string id : {"b", "a"}) {
      Talker client(world, version);
      EXPECT_TRUE(client.connect(id + suffix, false, 100).session_present);
      EXPECT_EQ(client.next<am::Publish>().payload, "for " + id);
      EXPECT_TRUE(client.silent());
    }
  }
}

// [5 MQTT-3.2.2-16]
TEST(MqttRules, AssignClientIdsThatNobodyHas) {
  DoorWorld world(2);
  std::set<std::string> ids;
  std::deque<Talker> clients;
  for (unsigned i = 0; i < 50; ++i) {
    const am::Connack answer = clients.emplace_back(world, Version::v5, i % 2).connect("", i % 3 == 0, 100);
    EXPECT_FALSE(answer.session_present);
    ASSERT_TRUE(answer.properties.assigned_client_identifier);
    EXPECT_TRUE(ids.emplace(*answer.properties.assigned_client_identifier).second);
  }
  for (const Talker& client : clients) EXPECT_FALSE(client.is_closed());  // nobody was taken over
}

// [5 MQTT-3.1.4-2] [3.1.1 MQTT-3.2.2-5]: wrong credentials, a will that is not allowed.
TEST(MqttRules, CloseOnThoseWhoMayNotComeIn) {
  DoorWorld world;
  world.set_policy(deny_publish("secret/#"));
  for (const Version version : kVersions) {
    Talker stranger(world, version), testator(world, version);
    am::Connect packet = stranger.connect_packet("stranger");
    packet.user_name = "nobody";
    packet.password = "guess";
    EXPECT_EQ(stranger.connect(packet).reason, Reason::bad_user_name_or_password);
    EXPECT_TRUE(stranger.closed());
    EXPECT_EQ(testator.connect(with_will(testator, "testator", "secret/x")).reason, Reason::not_authorized);
    EXPECT_TRUE(testator.closed());
  }
}

// [5 MQTT-3.1.4-6] [3.1.1 MQTT-3.1.4-5]: refused at once, and refused after the password was looked at.
TEST(MqttRules, IgnoreWhatFollowsARefusedConnect) {
  Options options;
  options.client_id_bytes_max = 30;
  DoorWorld world(1, options);
  Talker watch(world);
  watch.connect("watch");
  watch.subscribe("#");
  for (const Version version : kVersions) {
    for (const bool with_password : {false, true}) {
      Talker client(world, version);
      am::Connect packet = client.connect_packet(with_password ? "c" : "an identifier of more than thirty bytes");
      if (with_password) {
        packet.user_name = "nobody";
        packet.password = "guess";
      }
      client.bytes(client.encoded(packet) + client.encoded(client.message("x", "ignored")) +
                   client.encoded(am::Pingreq{}));
      EXPECT_NE(client.next<am::Connack>().reason, Reason::success);
      client.publish("x", "ignored as well");
      EXPECT_TRUE(client.closed());
      EXPECT_TRUE(watch.silent());
    }
  }
}

// [5 MQTT-3.1.2-30]: no method is known here, so a client that has one is refused and nothing else of it is heard.
TEST(MqttRules, HearNothingButAuthFromThoseWithAMethod) {
  DoorWorld world;
  Talker watch(world), client(world);
  watch.connect("watch");
  watch.subscribe("#");
  am::Connect packet = client.connect_packet("c");
  packet.properties.authentication_method = "SCRAM-SHA-256";
  client.bytes(client.encoded(packet) + client.encoded(client.message("x", "too early")));
  EXPECT_EQ(client.next<am::Connack>().reason, Reason::bad_authentication_method);
  EXPECT_TRUE(client.closed());
  EXPECT_TRUE(watch.silent());
}

}  // namespace
}  // namespace arena::gateway::mqtt::test
