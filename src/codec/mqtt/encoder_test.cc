// Goal: what is encoded is what the specification shows, is read back as it was, fits the peer's limits, and
// tells truly where the patchable parts of a PUBLISH lie.
#include "codec/mqtt/encoder.h"

#include <gtest/gtest.h>

#include <tuple>

#include "codec/mqtt/decoder.h"
#include "codec/mqtt/packet_cases.h"

namespace arena::mqtt {
namespace {

using cases::bytes_of;

std::string encoded(const Packet& packet, Version version = Version::v5) {
  std::string out;
  EXPECT_TRUE(encode(out, packet, version)) << describe(packet);
  EXPECT_EQ(encoded_size(packet, version), out.size()) << describe(packet);
  return out;
}

Packet decoded(std::string_view bytes, Version version, Role receiver) {
  DecodeResult result = decode(bytes, version, receiver, {});
  EXPECT_TRUE(std::holds_alternative<Decoded>(result));
  if (!std::holds_alternative<Decoded>(result)) return Pingreq{};
  EXPECT_EQ(std::get<Decoded>(result).consumed, bytes.size());
  return std::get<Decoded>(result).packet;
}

template <typename Cases>
void expect_same_after_encoding(const Cases& all) {
  for (const cases::Case& one : all) {
    const std::string bytes = bytes_of(one.notation);
    for (const Version version : {Version::v3_1, Version::v3_1_1, Version::v5}) {
      for (const Role role : {Role::server, Role::client}) {
        if ((one.versions & cases::bit_of(version)) == 0 || (one.receivers & cases::bit_of(role)) == 0)
          continue;
        SCOPED_TRACE(one.name);
        const Packet packet = decoded(bytes, version, role);
        const std::string again = encoded(packet, version);
        EXPECT_EQ(decoded(again, version, role), packet) << describe(packet);
        EXPECT_LE(again.size(), bytes.size());
      }
    }
  }
}

TEST(Encoder, GivesBackWhatWasDecoded) {
  expect_same_after_encoding(cases::kGood);
  expect_same_after_encoding(cases::kGoodConnects);
}

TEST(Encoder, WritesTheShortestForms) {
  EXPECT_EQ(encoded(Ack{.type = PacketType::pubrel, .packet_id = 1}), bytes_of("62 { 0001 }"));
  for (const PacketType type : {PacketType::puback, PacketType::pubrec, PacketType::pubrel, PacketType::pubcomp}) {
    std::string plain;
    append_plain_ack(plain, type, 0xABCD);
    EXPECT_EQ(plain, encoded(Ack{.type = type, .packet_id = 0xABCD}));
  }
  for (const Version version : {Version::v3_1_1, Version::v5}) {
    for (const Guarantee qos : {Guarantee::at_most_once, Guarantee::at_least_once, Guarantee::exactly_once}) {
      const Publish packet{.qos = qos,
                           .retain = qos == Guarantee::at_least_once,
                           .packet_id = static_cast<uint16_t>(qos == Guarantee::at_most_once ? 0 : 1),
                           .topic = "a/b",
                           .payload = "payload"};
      std::string plain = "before";
      std::string general = plain;
      const EncodedPublish quick = append_plain_publish(plain, packet.topic, packet.payload, version, qos, packet.retain);
      const auto layout = encode_publish(general, packet, version);
      ASSERT_TRUE(layout);
      EXPECT_EQ(plain, general);
      EXPECT_EQ(std::tie(quick.bytes, quick.packet_id_offset, quick.message_expiry_offset),
                std::tie(layout->bytes, layout->packet_id_offset, layout->message_expiry_offset));
    }
  }
  EXPECT_EQ(encoded(Ack{.packet_id = 1, .reason = Reason::not_authorized}), bytes_of("40 { 0001 87 }"));
  EXPECT_EQ(encoded(Ack{.packet_id = 1, .properties = {.reason_string = ""}}),
            bytes_of(R"(40 { 0001 00 { 1F "" } })"));
  EXPECT_EQ(encoded(Disconnect{}), bytes_of("E0 {}"));
  EXPECT_EQ(encoded(Disconnect{.reason = Reason::session_taken_over}), bytes_of("E0 { 8E }"));
  EXPECT_EQ(encoded(Auth{}), bytes_of("F0 {}"));
  EXPECT_EQ(encoded(Connack{}), bytes_of("20 { 00 00 {} }"));
  EXPECT_EQ(encoded(Publish{.topic = "t", .payload = "x"}), bytes_of(R"(30 { "t" {} 'x' })"));
}

TEST(Encoder, SpeaksTheOldVersions) {
  const Ack ack{.packet_id = 1, .reason = Reason::not_authorized, .properties = {.reason_string = "no"}};
  EXPECT_EQ(encoded(ack, Version::v3_1_1), bytes_of("40 { 0001 }"));
  const Disconnect disconnect{.reason = Reason::server_busy};
  EXPECT_EQ(encoded(disconnect, Version::v3_1_1), bytes_of("E0 {}"));
  const Connack banned{.reason = Reason::banned};
  EXPECT_EQ(encoded(banned, Version::v3_1_1), bytes_of("20 { 00 05 }"));
  const Connack present{.session_present = true};
  EXPECT_EQ(encoded(present, Version::v3_1_1), bytes_of("20 { 01 00 }"));
  EXPECT_EQ(encoded(present, Version::v3_1), bytes_of("20 { 00 00 }"));
  const Suback suback{.packet_id = 1, .reasons = {Reason::granted_qos_2, Reason::topic_filter_invalid}};
  EXPECT_EQ(encoded(suback, Version::v3_1_1), bytes_of("90 { 0001 02 80 }"));
  const Unsuback unsuback{.packet_id = 1, .reasons = {Reason::no_subscription_existed}};
  EXPECT_EQ(encoded(unsuback, Version::v3_1_1), bytes_of("B0 { 0001 }"));
  const Subscribe subscribe{.packet_id = 1, .subscriptions = {{.filter = "a", .no_local = true}}};
  EXPECT_EQ(encoded(subscribe, Version::v3_1_1), bytes_of(R"(82 { 0001 "a" 00 })"));
  const Publish publish{.topic = "t", .payload = "x", .properties = {.content_type = "c"}};
  EXPECT_EQ(encoded(publish, Version::v3_1_1), bytes_of(R"(30 { "t" 'x' })"));
  const Connect connect{.version = Version::v3_1, .keep_alive_s = 60, .client_id = "c"};
  EXPECT_EQ(encoded(connect, Version::v5), bytes_of(R"(10 { "MQIsdp" 03 02 003C "c" })"));
}

TEST(Encoder, LeavesTheRestOfTheBufferAlone) {
  std::string out = "before";
  ASSERT_TRUE(encode(out, Pingresp{}, Version::v5));
  EXPECT_EQ(out, "before" + bytes_of("D0 {}"));
}

TEST(Encoder, RefusesWhatTheFormatCannotExpress) {
  const std::string long_text(65'536, 'a');
  std::string out = "as it was";
  EXPECT_FALSE(encode(out, Publish{.topic = long_text}, Version::v3_1_1));
  EXPECT_FALSE(
      encode(out, Publish{.topic = "t", .properties = {.user_properties = {{"k", long_text}}}}, Version::v5));
  EXPECT_FALSE(encode(out,
                      Subscribe{.packet_id = 1, .properties = {.subscription_identifier = kVarintMax + 1}},
                      Version::v5));
  EXPECT_FALSE(encoded_size(Publish{.topic = long_text}, Version::v5));
  EXPECT_EQ(out, "as it was");
  EXPECT_TRUE(encode(out, Publish{.topic = std::string_view(long_text).substr(1)}, Version::v5));
}

TEST(Encoder, WritesLengthsAtTheirEdges) {
  std::string payload;
  for (const std::size_t length : {127U, 128U, 16'383U, 16'384U, 2'097'151U, 2'097'152U}) {
    payload.resize(length - 3, 'x');
    const Publish publish{.topic = "t", .payload = payload};
    std::string out;
    ASSERT_TRUE(encode(out, publish, Version::v3_1_1));
    EXPECT_EQ(out.size(), 1 + varint_bytes(static_cast<uint32_t>(length)) + length);
    EXPECT_EQ(decoded(out, Version::v3_1_1, Role::server), Packet(publish));
  }
}

// The largest packet that there is, by its size and its head alone: its bytes are never touched.
TEST(Encoder, KnowsTheLargestPacket) {
  const char byte = 'x';
  const std::size_t most = kVarintMax - 3;
  EXPECT_EQ(encoded_size(Publish{.topic = "t", .payload = {&byte, most}}, Version::v3_1_1), kPacketBytesMax);
  EXPECT_EQ(encoded_size(Publish{.topic = "t", .payload = {&byte, most + 1}}, Version::v3_1_1), std::nullopt);
  std::string head;
  ASSERT_TRUE(encode_publish_head(head, Publish{.topic = "t", .payload = {&byte, most}}, Version::v3_1_1));
  EXPECT_EQ(head, bytes_of(R"(30 FFFFFF7F "t")"));
}

TEST(Encoder, DropsReasonStringThenUserPropertiesToFit) {
  const Ack ack{.packet_id = 1,
                .reason = Reason::quota_exceeded,
                .properties = {.reason_string = "because", .user_properties = {{"k", "v"}}}};
  const auto limited = [&](std::size_t bytes_max) {
    std::string out;
    return encode_limited(out, ack, Version::v5, bytes_max) ? out : std::string("refused");
  };
  const std::string whole = bytes_of(R"(40 { 0001 97 { 1F "because" 26 "k" "v" } })");
  const std::string no_reason = bytes_of(R"(40 { 0001 97 { 26 "k" "v" } })");
  const std::string bare = bytes_of(R"(40 { 0001 97 })");
  EXPECT_EQ(limited(whole.size()), whole);
  EXPECT_EQ(limited(whole.size() - 1), no_reason);
  EXPECT_EQ(limited(no_reason.size()), no_reason);
  EXPECT_EQ(limited(no_reason.size() - 1), bare);
  EXPECT_EQ(limited(bare.size()), bare);
  EXPECT_EQ(limited(bare.size() - 1), "refused");
}

TEST(Encoder, NeverShortensAPublish) {
  const Publish publish{.topic = "t", .properties = {.user_properties = {{"k", "v"}}}};
  const std::size_t size = encoded(publish).size();
  std::string out;
  EXPECT_FALSE(encode_limited(out, publish, Version::v5, size - 1));
  EXPECT_TRUE(out.empty());
  EXPECT_TRUE(encode_limited(out, publish, Version::v5, size));
}

TEST(Encoder, TellsWhereToPatchAPublish) {
  const std::string long_text(200, 'u');
  Publish publish{
      .qos = Guarantee::at_least_once,
      .packet_id = 1,
      .topic = "a/b",
      .payload = "hello",
      .properties = {
          .payload_is_text = true, .message_expiry_interval_s = 60, .user_properties = {{"k", long_text}}}};
  for (const Version version : {Version::v3_1_1, Version::v5}) {
    std::string out = "xyz";
    const std::optional<EncodedPublish> layout = encode_publish(out, publish, version);
    ASSERT_TRUE(layout);
    EXPECT_EQ(out.size(), 3 + layout->bytes);
    char* frame = out.data() + 3;
    set_packet_id(frame, *layout, 0xABCD);
    set_message_expiry(frame, *layout, 59);
    set_dup(frame, true);
    Publish expected = publish;
    expected.packet_id = 0xABCD;
    expected.dup = true;
    expected.properties.message_expiry_interval_s = 59;
    if (version != Version::v5) expected.properties = {};
    EXPECT_EQ(decoded(std::string_view(out).substr(3), version, Role::client), Packet(expected));
    set_dup(frame, false);
    expected.dup = false;
    EXPECT_EQ(decoded(std::string_view(out).substr(3), version, Role::client), Packet(expected));
  }
}

TEST(Encoder, APublishWithoutIdOrExpiryHasNothingToPatch) {
  std::string out;
  const std::optional<EncodedPublish> layout = encode_publish(out, Publish{.topic = "t"}, Version::v5);
  ASSERT_TRUE(layout);
  EXPECT_EQ(layout->packet_id_offset, 0U);
  EXPECT_EQ(layout->message_expiry_offset, 0U);
  const std::string before = out;
  set_packet_id(out.data(), *layout, 7);
  set_message_expiry(out.data(), *layout, 7);
  EXPECT_EQ(out, before);
}

TEST(Encoder, HeadAndPayloadMakeThePacket) {
  const Publish publish{.qos = Guarantee::exactly_once, .packet_id = 9, .topic = "t", .payload = "hello"};
  std::string head;
  const std::optional<EncodedPublish> layout = encode_publish_head(head, publish, Version::v5);
  ASSERT_TRUE(layout);
  EXPECT_EQ(layout->bytes, head.size());
  EXPECT_EQ(head + "hello", encoded(publish));
}

}  // namespace
}  // namespace arena::mqtt
