// Goal: what a client says and hears, byte by byte and over broken connections, without sockets.
#include "client/conversation.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "client/test_server.h"

namespace arena::client {
namespace {

using mqtt::PacketType;
using mqtt::Reason;
using mqtt::Version;

class ConversationTest : public testing::Test {
 protected:
  ConversationTest() { options.client_id = "c"; }

  void dial() {
    output.clear();
    conversation = std::make_unique<Conversation>(options, session, listener, output);
    conversation->connect();
  }
  template <typename P>
  void server_says(const P& packet) {
    std::string bytes;
    ASSERT_TRUE(mqtt::encode(bytes, packet, options.version));
    conversation->receive(bytes);
  }
  void dial_and_connack(bool present = false) {
    dial();
    output.clear();
    server_says(mqtt::Connack{present, Reason::success, connack});
  }
  void acked(PacketType type, uint16_t id, Reason reason = Reason::success) { server_says(mqtt::Ack{type, id, reason, {}}); }
  Lines written() {
    Lines lines = said(output, options.version);
    output.clear();
    return lines;
  }
  std::optional<uint16_t> publish(Guarantee qos, std::string_view topic = "t", std::string_view payload = "p") {
    mqtt::Publish packet;
    packet.qos = qos;
    packet.topic = topic;
    packet.payload = payload;
    return conversation->publish(packet);
  }
  static mqtt::Publish inbound(Guarantee qos, uint16_t id, std::string_view topic = "t") {
    mqtt::Publish packet;
    packet.qos = qos;
    packet.packet_id = id;
    packet.topic = topic;
    packet.payload = "p";
    return packet;
  }

  ClientOptions options;
  ClientSession session;
  Listener listener;
  std::string output;
  mqtt::ConnackProperties connack;
  std::unique_ptr<Conversation> conversation;
};

constexpr auto kQos0 = Guarantee::at_most_once;
constexpr auto kQos1 = Guarantee::at_least_once;
constexpr auto kQos2 = Guarantee::exactly_once;

TEST_F(ConversationTest, ConnectsIn311) {
  options.version = Version::v3_1_1;
  options.user_name = "u";
  options.password = "";
  dial();
  EXPECT_EQ(output, std::string("\x10\x12\x00\x04MQTT\x04\xC2\x00\x3C\x00\x01" "c\x00\x01u\x00\x00", 20));
}

TEST_F(ConversationTest, ConnectsIn5WithEverything) {
  options.session_expiry_s = kNeverExpires;
  options.receive_maximum = 7;
  options.topic_alias_maximum = 3;
  options.packet_bytes_max = 1000;
  options.will = WillOptions{"w", "gone", kQos1, true, 5};
  dial();
  const auto result = mqtt::decode_connect(output, {});
  const auto& packet = std::get<mqtt::Connect>(std::get<mqtt::Decoded>(result).packet);
  EXPECT_EQ(packet.properties.session_expiry_interval_s, kNeverExpires);
  EXPECT_EQ(packet.properties.receive_maximum, 7);
  EXPECT_EQ(packet.properties.topic_alias_maximum, 3);
  EXPECT_EQ(packet.properties.maximum_packet_size, 1000u);
  ASSERT_TRUE(packet.will);
  EXPECT_EQ(packet.will->payload, "gone");
  EXPECT_EQ(packet.will->properties.will_delay_interval_s, 5u);
}

TEST_F(ConversationTest, EndsWhenRefused) {
  dial();
  server_says(mqtt::Connack{false, Reason::not_authorized, {}});
  EXPECT_EQ(listener.take(), Lines{"connack not authorized"});
  ASSERT_TRUE(conversation->ending());
  EXPECT_EQ(conversation->ending()->kind, Ending::Kind::refused);
  EXPECT_FALSE(conversation->connected());
}

TEST_F(ConversationTest, HearsTheSameHoweverTheInputIsCut) {
  std::string input;
  mqtt::encode(input, mqtt::Connack{}, options.version);
  mqtt::encode(input, inbound(kQos0, 0, "first"), options.version);
  mqtt::Publish big = inbound(kQos1, 9, "second");
  const std::string payload(300, 'x');
  big.payload = payload;
  mqtt::encode(input, big, options.version);
  mqtt::encode(input, mqtt::Pingresp{}, options.version);
  const Lines expected{"connack success", "message first=p", "message second=" + payload, "pong"};
  for (std::size_t piece = 1; piece <= input.size(); ++piece) {
    dial();
    output.clear();
    for (std::size_t at = 0; at < input.size(); at += piece) conversation->receive(input.substr(at, piece));
    EXPECT_EQ(listener.take(), expected) << "in pieces of " << piece;
    EXPECT_EQ(written(), Lines{"PUBACK 9"}) << "in pieces of " << piece;
  }
}

TEST_F(ConversationTest, PublishesWithEachGuarantee) {
  dial_and_connack();
  listener.take();
  EXPECT_EQ(publish(kQos0), 0);
  EXPECT_EQ(publish(kQos1), 1);
  EXPECT_EQ(publish(kQos2), 2);
  EXPECT_EQ(written(), (Lines{"PUBLISH 0", "PUBLISH 1", "PUBLISH 2"}));
  acked(PacketType::pubrec, 2);
  acked(PacketType::puback, 1);
  EXPECT_EQ(written(), Lines{"PUBREL 2"});
  acked(PacketType::pubcomp, 2);
  EXPECT_EQ(listener.take(), (Lines{"published 1 success", "published 2 success"}));
  EXPECT_EQ(session.unfinished(), 0u);
}

TEST_F(ConversationTest, ARefusedPubrecEndsTheHandshake) {
  dial_and_connack();
  listener.take();
  publish(kQos2);
  output.clear();
  acked(PacketType::pubrec, 1, Reason::quota_exceeded);
  EXPECT_EQ(listener.take(), Lines{"published 1 quota exceeded"});
  EXPECT_EQ(written(), Lines{});
  EXPECT_EQ(session.unfinished(), 0u);
}

TEST_F(ConversationTest, HandsOnWhatTheServerSaysOfAMessageOnce) {
  options.version = Version::v5;
  dial_and_connack();
  listener.take();
  publish(kQos1);
  publish(kQos2);
  mqtt::Ack answer{PacketType::puback, 1, Reason::success, {}};
  answer.properties.reason_string = "why";
  server_says(answer);
  answer.type = PacketType::pubrec;
  answer.packet_id = 2;
  server_says(answer);
  server_says(answer);  // once more, as after a repetition
  acked(PacketType::pubcomp, 2);
  EXPECT_EQ(listener.take(), (Lines{"answered 1: why", "published 1 success", "answered 2: why", "published 2 success"}));
}

TEST_F(ConversationTest, ResendsInOrderWhenTheSessionIsThere) {
  options.clean_start = false;
  dial_and_connack();
  publish(kQos1);
  publish(kQos2);
  publish(kQos2);
  acked(PacketType::pubrec, 2);
  dial_and_connack(true);
  EXPECT_EQ(written(), (Lines{"PUBLISH 1 dup", "PUBREL 2", "PUBLISH 3 dup"}));
  acked(PacketType::puback, 1);
  acked(PacketType::pubcomp, 2);
  acked(PacketType::pubrec, 3);
  acked(PacketType::pubcomp, 3);
  EXPECT_EQ(session.unfinished(), 0u);
}

TEST_F(ConversationTest, DropsWhatTheServerForgotButSendsWhatNeverWasSent) {
  options.clean_start = false;
  connack.receive_maximum = 1;
  dial_and_connack();
  publish(kQos1);
  publish(kQos1);
  EXPECT_EQ(written(), Lines{"PUBLISH 1"});
  listener.take();
  dial_and_connack(false);
  EXPECT_EQ(listener.take(), (Lines{"unknown 1", "connack success"}));
  EXPECT_EQ(written(), Lines{"PUBLISH 2"});
}

TEST_F(ConversationTest, KeepsToTheReceiveMaximum) {
  connack.receive_maximum = 2;
  dial_and_connack();
  for (int i = 0; i < 4; ++i) publish(i == 1 ? kQos2 : kQos1);
  EXPECT_EQ(written(), (Lines{"PUBLISH 1", "PUBLISH 2"}));
  acked(PacketType::pubrec, 2);
  EXPECT_EQ(written(), Lines{"PUBREL 2"});  // still counts
  acked(PacketType::pubcomp, 2);
  EXPECT_EQ(written(), Lines{"PUBLISH 3"});
  acked(PacketType::puback, 1);
  EXPECT_EQ(written(), Lines{"PUBLISH 4"});
}

TEST_F(ConversationTest, TakesMessagesBeforeItIsConnected) {
  dial();
  output.clear();
  EXPECT_EQ(publish(kQos0), std::nullopt);
  EXPECT_EQ(publish(kQos1), 1);
  EXPECT_EQ(written(), Lines{});
  server_says(mqtt::Connack{});
  EXPECT_EQ(written(), Lines{"PUBLISH 1"});
}

TEST_F(ConversationTest, RefusesWhatIsTooLargeForTheServer) {
  connack.maximum_packet_size = 20;
  dial_and_connack();
  EXPECT_EQ(publish(kQos0, "t", std::string(30, 'x')), std::nullopt);
  EXPECT_EQ(publish(kQos1, "t", std::string(30, 'x')), std::nullopt);
  EXPECT_EQ(written(), Lines{});
  EXPECT_EQ(publish(kQos1), 1);
}

TEST_F(ConversationTest, HearsQos2OnceEvenOverABreak) {
  options.clean_start = false;
  dial_and_connack();
  listener.take();
  server_says(inbound(kQos2, 5));
  EXPECT_EQ(written(), Lines{"PUBREC 5"});
  dial_and_connack(true);
  mqtt::Publish again = inbound(kQos2, 5);
  again.dup = true;
  server_says(again);
  acked(PacketType::pubrel, 5);
  acked(PacketType::pubrel, 5);
  EXPECT_EQ(written(), (Lines{"PUBREC 5", "PUBCOMP 5", "PUBCOMP 5 packet identifier not found"}));
  EXPECT_EQ(listener.take(), (Lines{"message t=p", "connack success"}));
}

TEST_F(ConversationTest, LeavesAcknowledgingToItsOwnerWhenAsked) {
  options.manual_acks = true;
  dial_and_connack();
  server_says(inbound(kQos1, 1));
  server_says(inbound(kQos2, 2));
  EXPECT_EQ(written(), Lines{});
  conversation->acknowledge(2, kQos2);
  conversation->acknowledge(1, kQos1, Reason::quota_exceeded);
  EXPECT_EQ(written(), (Lines{"PUBREC 2", "PUBACK 1 quota exceeded"}));
}

TEST_F(ConversationTest, NamesTheTopicOfAnAlias) {
  options.topic_alias_maximum = 1;
  dial_and_connack();
  listener.take();
  mqtt::Publish packet = inbound(kQos0, 0, "long/name");
  packet.properties.topic_alias = uint16_t{1};
  server_says(packet);
  packet.topic = {};
  server_says(packet);
  EXPECT_EQ(listener.take(), (Lines{"message long/name=p", "message long/name=p"}));
  packet.properties.topic_alias = uint16_t{2};
  server_says(packet);
  EXPECT_EQ(written(), Lines{"DISCONNECT topic alias invalid"});
  EXPECT_EQ(conversation->ending()->kind, Ending::Kind::protocol_error);
}

TEST_F(ConversationTest, SubscribesAndUnsubscribes) {
  dial_and_connack();
  listener.take();
  EXPECT_EQ(conversation->subscribe({0, {{"a/#"}}, {}}), 1);
  EXPECT_EQ(conversation->unsubscribe({0, {"a/#"}, {}}), 2);
  EXPECT_EQ(written(), (Lines{"SUBSCRIBE 1", "UNSUBSCRIBE 2"}));
  server_says(mqtt::Unsuback{2, {Reason::success}, {}});
  server_says(mqtt::Suback{1, {Reason::success}, {}});
  EXPECT_EQ(listener.take(), (Lines{"unsuback 2", "suback 1"}));
  server_says(mqtt::Suback{1, {Reason::success}, {}});
  EXPECT_EQ(conversation->ending()->kind, Ending::Kind::protocol_error);
}

TEST_F(ConversationTest, EndsWhenTheServerSaysSo) {
  dial_and_connack();
  listener.take();
  server_says(mqtt::Disconnect{Reason::session_taken_over, {}});
  EXPECT_EQ(listener.take(), Lines{"disconnect"});
  EXPECT_EQ(conversation->ending()->kind, Ending::Kind::told);
  EXPECT_EQ(conversation->ending()->reason, Reason::session_taken_over);
}

TEST_F(ConversationTest, EndsAtNonsense) {
  dial_and_connack();
  conversation->receive(std::string("\xF0\x00", 2) + "never read");
  EXPECT_TRUE(conversation->ending());
  EXPECT_EQ(written(), Lines{"DISCONNECT protocol error"}) << conversation->ending()->text;
}

TEST_F(ConversationTest, NothingButConnackComesFirst) {
  dial();
  output.clear();
  server_says(inbound(kQos0, 0));
  EXPECT_EQ(conversation->ending()->kind, Ending::Kind::protocol_error);
  EXPECT_EQ(listener.take(), Lines{});
}

TEST_F(ConversationTest, IdentifiersWrapAroundAndAreNeverUsedTwice) {
  dial_and_connack();
  std::vector<uint16_t> in_flight;
  for (std::size_t i = 0; i < 150'000; ++i) {
    const auto id = publish(kQos1);
    ASSERT_TRUE(id && *id != 0);
    ASSERT_EQ(std::count(in_flight.begin(), in_flight.end(), *id), 0);
    in_flight.push_back(*id);
    if (in_flight.size() < 40) continue;
    const auto one = in_flight.begin() + static_cast<std::ptrdiff_t>(i * 7 % 40);
    acked(PacketType::puback, *one);
    in_flight.erase(one);
    output.clear();
  }
  EXPECT_EQ(session.unfinished(), in_flight.size());
}

TEST_F(ConversationTest, SaysWhenNoIdentifierIsFree) {
  dial_and_connack();
  for (int i = 0; i < 65535; ++i) ASSERT_TRUE(publish(kQos1));
  EXPECT_EQ(publish(kQos1), std::nullopt);
  EXPECT_EQ(conversation->subscribe({0, {{"a"}}, {}}), std::nullopt);
  acked(PacketType::puback, 1);
  EXPECT_EQ(publish(kQos1), 1);
}

}  // namespace
}  // namespace arena::client
