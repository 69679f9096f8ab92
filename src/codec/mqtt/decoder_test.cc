// Goal: every packet of the shared table is read or refused as it should be, however the input is cut; limits
// and sizes hold at their edges; no input crashes the decoder.
#include "codec/mqtt/decoder.h"

#include <gtest/gtest.h>

#include <random>

#include "codec/mqtt/encoder.h"
#include "codec/mqtt/packet_cases.h"

namespace arena::mqtt {
namespace {

constexpr Version kVersions[] = {Version::v3_1, Version::v3_1_1, Version::v5};
constexpr Role kRoles[] = {Role::server, Role::client};

DecodeResult read(std::string_view input, Version version, Role receiver = Role::server) {
  return decode(input, version, receiver, {});
}

std::string outcome(const DecodeResult& result) {
  if (const auto* decoded = std::get_if<Decoded>(&result)) {
    return "packet of " + std::to_string(decoded->consumed) + ": " + describe(decoded->packet);
  }
  if (const auto* bad = std::get_if<Malformed>(&result)) {
    return std::string(to_string(bad->reason)) + ": " + std::string(bad->text);
  }
  return "need more";
}

// Calls f(case, bytes, version, receiver) for every connection the cases speak of.
template <typename Cases, typename F>
void for_each(const Cases& all, F&& f) {
  for (const cases::Case& one : all) {
    const std::string bytes = cases::bytes_of(one.notation);
    ASSERT_FALSE(bytes.empty()) << one.name;
    for (const Version version : kVersions) {
      for (const Role role : kRoles) {
        if ((one.versions & cases::bit_of(version)) == 0 || (one.receivers & cases::bit_of(role)) == 0)
          continue;
        SCOPED_TRACE(std::string(one.name) + ", version " + std::string(to_string(version)) +
                     (role == Role::server ? ", server" : ", client"));
        f(one, bytes, version, role);
      }
    }
  }
}

template <typename F>
void for_every_case(F&& f) {
  for_each(cases::kGood, f);
  for_each(cases::kGoodConnects, f);
  for_each(cases::kBad, f);
  for_each(cases::kBadConnects, f);
}

bool is_plain(const Publish& packet) { return !packet.retain && packet.properties == PublishProperties{}; }

bool is_plain(const Ack& packet) { return packet.reason == Reason::success && packet.properties == ReasonProperties{}; }

// What the short ways made of the input, as decode() would give it.
std::optional<Decoded> read_plain(std::string_view input, std::string_view known_topic, Version version, uint32_t bytes_max) {
  const auto ack = decode_plain_ack(input, bytes_max);
  const auto publish = decode_plain_publish(input, known_topic, version, bytes_max);
  EXPECT_FALSE(ack && publish);
  if (ack) return Decoded{Ack{.type = ack->type, .packet_id = ack->packet_id}, kPlainAckBytes};
  if (!publish) return std::nullopt;
  const Publish packet{.dup = publish->dup,
                       .qos = publish->qos,
                       .packet_id = publish->packet_id,
                       .topic = publish->topic,
                       .payload = publish->payload};
  return Decoded{packet, publish->consumed};
}

// The short ways must say what the long one says, or nothing; and say it where MQTT 5 leaves them no reason not to.
void expect_same_as_decode(std::string_view input, std::string_view known_topic, Version version, uint32_t bytes_max) {
  DecodeLimits limits;
  limits.packet_bytes_max = bytes_max;
  for (const Role role : kRoles) {
    const DecodeResult result = decode(input, version, role, limits);
    const auto* decoded = std::get_if<Decoded>(&result);
    if (const auto quick = read_plain(input, known_topic, version, bytes_max)) {
      ASSERT_NE(decoded, nullptr) << outcome(result);
      EXPECT_EQ(quick->packet, decoded->packet) << outcome(result);
      EXPECT_EQ(quick->consumed, decoded->consumed);
    } else if (decoded != nullptr && version == Version::v5) {
      const auto* publish = std::get_if<Publish>(&decoded->packet);
      EXPECT_FALSE(publish != nullptr && is_plain(*publish)) << outcome(result);
      const auto* ack = std::get_if<Ack>(&decoded->packet);
      EXPECT_FALSE(ack != nullptr && is_plain(*ack) && decoded->consumed == kPlainAckBytes) << outcome(result);
    }
  }
}

TEST(Decoder, ReadsPlainPacketsTheShortWayAsTheLongOne) {
  std::mt19937 random(7);
  const std::string topics[] = {"a", "a/b", std::string(200, 't'), "a/+", "\xC3\xA9/b", "\xC3/b", std::string("a\0b", 3), ""};
  constexpr PacketType kAcks[] = {PacketType::puback, PacketType::pubrec, PacketType::pubrel, PacketType::pubcomp};
  for (int round = 0; round < 60'000; ++round) {
    const Version version = kVersions[random() % 3];
    const std::string& known = topics[random() % 3];
    std::string input;
    if (random() % 4 == 0) {
      append_plain_ack(input, kAcks[random() % 4], static_cast<uint16_t>(random() % 3 == 0 ? random() % 2 : random()));
    } else {
      const std::string& topic = random() % 2 == 0 ? known : topics[random() % 8];
      append_plain_publish(input, topic, std::string(random() % 300, 'p'), version, static_cast<Guarantee>(random() % 3), random() % 8 == 0);
    }
    if (random() % 2 == 0) input[random() % std::min<std::size_t>(input.size(), 8)] ^= static_cast<char>(1 << random() % 8);
    if (random() % 4 == 0) input.resize(random() % (input.size() + 1));
    if (random() % 4 == 0) input += input;
    expect_same_as_decode(input, random() % 4 == 0 ? "" : known, version, random() % 8 == 0 ? static_cast<uint32_t>(random() % 120) : 1U << 20);
  }
}

TEST(Decoder, ReadsTheSharedCasesTheShortWayAsTheLongOne) {
  for_every_case([](const cases::Case&, const std::string& bytes, Version version, Role) {
    expect_same_as_decode(bytes, {}, version, 1 << 20);
    expect_same_as_decode(bytes + "rest", "a/b", version, 1 << 20);
  });
}

TEST(Decoder, ReadsGoodPackets) {
  const auto check = [](const cases::Case&, const std::string& bytes, Version version, Role role) {
    const DecodeResult result = read(bytes + "rest", version, role);
    ASSERT_TRUE(std::holds_alternative<Decoded>(result)) << outcome(result);
    EXPECT_EQ(std::get<Decoded>(result).consumed, bytes.size());
  };
  for_each(cases::kGood, check);
  for_each(cases::kGoodConnects, check);
}

TEST(Decoder, RefusesBadPacketsWithTheRightReason) {
  const auto check = [](const cases::Case& one, const std::string& bytes, Version version, Role role) {
    const DecodeResult result = read(bytes, version, role);
    ASSERT_TRUE(std::holds_alternative<Malformed>(result)) << outcome(result);
    EXPECT_EQ(std::get<Malformed>(result).reason, one.fault) << outcome(result);
    EXPECT_FALSE(std::get<Malformed>(result).text.empty());
  };
  for_each(cases::kBad, check);
  for_each(cases::kBadConnects, check);
}

TEST(Decoder, ByteByByteSaysTheSameAsAllAtOnce) {
  for_every_case([](const cases::Case&, const std::string& bytes, Version version, Role role) {
    const std::string expected = outcome(read(bytes, version, role));
    std::size_t wanted = 0;
    for (std::size_t size = 0; size <= bytes.size(); ++size) {
      const DecodeResult result = read(std::string_view(bytes).substr(0, size), version, role);
      if (const auto* more = std::get_if<NeedMore>(&result)) {
        EXPECT_GT(more->bytes_min, size);
        EXPECT_LE(more->bytes_min, bytes.size());
        wanted = more->bytes_min;
        continue;
      }
      EXPECT_GE(size, wanted);
      EXPECT_EQ(outcome(result), expected) << "after " << size << " bytes";
      return;
    }
    FAIL() << "never decided";
  });
}

TEST(Decoder, EveryCutOrChangedByteIsReadWithinItsBounds) {
  for_every_case([](const cases::Case&, const std::string& bytes, Version version, Role role) {
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      for (const int value : {0x00, 0x01, 0x7F, 0x80, 0xFF}) {
        std::string changed = bytes;
        changed[i] = static_cast<char>(value);
        // In memory of exactly this size, so that the sanitizer sees a step too far.
        const std::vector<char> exact(changed.begin(), changed.end());
        const DecodeResult result = read({exact.data(), exact.size()}, version, role);
        if (const auto* decoded = std::get_if<Decoded>(&result)) {
          EXPECT_LE(decoded->consumed, exact.size());
        }
      }
    }
  });
}

TEST(Decoder, NoiseNeverCrashes) {
  std::mt19937_64 bits(7);
  for (int round = 0; round < 200'000; ++round) {
    std::vector<char> noise(bits() % 40);
    for (char& byte : noise) byte = static_cast<char>(bits());
    if (noise.size() > 2) noise[1] = static_cast<char>(noise.size() - 2);
    const Version version = kVersions[bits() % 3];
    const DecodeResult result = read({noise.data(), noise.size()}, version, kRoles[bits() % 2]);
    if (const auto* decoded = std::get_if<Decoded>(&result)) {
      EXPECT_LE(decoded->consumed, noise.size());
    }
  }
}

TEST(Decoder, ReadsEveryFieldOfConnect) {
  const std::string bytes = cases::bytes_of(
      R"(10 { "MQTT" 05 EE 012C { 11 0000000A 21 0014 27 00000064 22 0005 19 01 17 00 26 "k" "v" 15 "m" 16 "d" }
         "client" { 18 00000005 01 01 02 0000000B 03 "t" 08 "r" 09 "c" 26 "a" "b" 26 "a" "c" } "w" "bye" "u" "p" })");
  const DecodeResult result = decode_connect(bytes, {});
  ASSERT_TRUE(std::holds_alternative<Decoded>(result)) << outcome(result);
  const auto& packet = std::get<Connect>(std::get<Decoded>(result).packet);
  Connect expected;
  expected.version = Version::v5;
  expected.clean_start = true;
  expected.keep_alive_s = 300;
  expected.client_id = "client";
  expected.user_name = "u";
  expected.password = "p";
  expected.properties = {.session_expiry_interval_s = 10,
                         .receive_maximum = 20,
                         .maximum_packet_size = 100,
                         .topic_alias_maximum = 5,
                         .request_response_information = true,
                         .request_problem_information = false,
                         .authentication_method = "m",
                         .authentication_data = "d",
                         .user_properties = {{"k", "v"}}};
  expected.will = Will{.topic = "w",
                       .payload = "bye",
                       .qos = Guarantee::at_least_once,
                       .retain = true,
                       .properties = {.will_delay_interval_s = 5,
                                      .payload_is_text = true,
                                      .message_expiry_interval_s = 11,
                                      .content_type = "t",
                                      .response_topic = "r",
                                      .correlation_data = "c",
                                      .user_properties = {{"a", "b"}, {"a", "c"}}}};
  EXPECT_EQ(packet, expected);
}

TEST(Decoder, ReadsEveryFieldOfPublish) {
  const std::string bytes = cases::bytes_of(
      R"(3D { "a/b" 1234 { 01 01 02 0000003C 23 0007 08 "r/t" 09 "c" 0B 05 0B 8001 26 "k" "v" 03 "text/plain" } 'x' })");
  const DecodeResult result = read(bytes, Version::v5, Role::client);
  ASSERT_TRUE(std::holds_alternative<Decoded>(result)) << outcome(result);
  const auto& packet = std::get<Publish>(std::get<Decoded>(result).packet);
  Publish expected{.dup = true,
                   .qos = Guarantee::exactly_once,
                   .retain = true,
                   .packet_id = 0x1234,
                   .topic = "a/b",
                   .payload = "x",
                   .properties = {.payload_is_text = true,
                                  .message_expiry_interval_s = 60,
                                  .topic_alias = 7,
                                  .response_topic = "r/t",
                                  .correlation_data = "c",
                                  .content_type = "text/plain",
                                  .subscription_identifiers = {5, 128},
                                  .user_properties = {{"k", "v"}}}};
  EXPECT_EQ(packet, expected);
  // In place: the payload lies in the input.
  EXPECT_EQ(packet.payload.data(), bytes.data() + bytes.size() - 1);
}

TEST(Decoder, ReadsSubscriptionOptions) {
  const std::string bytes = cases::bytes_of(R"(82 { 0001 { 0B 09 } "a" 2D "b" 12 })");
  const DecodeResult result = read(bytes, Version::v5);
  ASSERT_TRUE(std::holds_alternative<Decoded>(result)) << outcome(result);
  const auto& packet = std::get<Subscribe>(std::get<Decoded>(result).packet);
  ASSERT_EQ(packet.subscriptions.size(), 2U);
  EXPECT_EQ(packet.properties.subscription_identifier, 9U);
  EXPECT_EQ(packet.subscriptions[0],
            (Subscription{"a", Guarantee::at_least_once, true, true, RetainHandling::do_not_send}));
  EXPECT_EQ(packet.subscriptions[1],
            (Subscription{"b", Guarantee::exactly_once, false, false, RetainHandling::send_if_new}));
}

TEST(Decoder, MapsReturnCodesOf3x) {
  const Reason reasons[] = {Reason::success,
                            Reason::unsupported_protocol_version,
                            Reason::client_identifier_not_valid,
                            Reason::server_unavailable,
                            Reason::bad_user_name_or_password,
                            Reason::not_authorized};
  for (std::size_t code = 0; code < std::size(reasons); ++code) {
    const std::string bytes{'\x20', '\x02', '\0', static_cast<char>(code)};
    const DecodeResult result = read(bytes, Version::v3_1_1, Role::client);
    ASSERT_TRUE(std::holds_alternative<Decoded>(result)) << outcome(result);
    EXPECT_EQ(std::get<Connack>(std::get<Decoded>(result).packet).reason, reasons[code]);
  }
}

TEST(Decoder, OnlyConnectComesFirst) {
  for (int type = 0; type < 16; ++type) {
    const std::string first(1, static_cast<char>(type << 4));
    const DecodeResult result = decode_connect(first, {});
    if (type == 1) {
      EXPECT_TRUE(std::holds_alternative<NeedMore>(result));
    } else {
      ASSERT_TRUE(std::holds_alternative<Malformed>(result)) << type;
      EXPECT_EQ(std::get<Malformed>(result).reason, Reason::protocol_error);
    }
  }
  EXPECT_TRUE(std::holds_alternative<NeedMore>(decode_connect("", {})));
}

TEST(Decoder, TellsTheVersionToAnswerIn) {
  const auto answer = [](std::string_view notation) {
    return std::get<Malformed>(decode_connect(cases::bytes_of(notation), {})).version;
  };
  EXPECT_EQ(answer(R"(10 { "MQTT" 05 03 003C {} "c" })"), Version::v5);
  EXPECT_EQ(answer(R"(10 { "MQTT" 04 03 003C "c" })"), Version::v3_1_1);
  EXPECT_EQ(answer(R"(10 { "MQIsdp" 03 1E 003C "c" "w" "p" })"), Version::v3_1);
  EXPECT_EQ(answer(R"(10 { "MQTT" 09 02 003C "c" })"), Version::v3_1_1);
}

TEST(Decoder, RefusesTooLargePacketsByTheirHeaderAlone) {
  const DecodeLimits limits{.packet_bytes_max = 100};
  std::string header = cases::bytes_of("30 62");  // 98 + 2 bytes
  EXPECT_TRUE(std::holds_alternative<NeedMore>(decode(header, Version::v5, Role::server, limits)));
  header = cases::bytes_of("30 63");
  const DecodeResult result = decode(header, Version::v5, Role::server, limits);
  ASSERT_TRUE(std::holds_alternative<Malformed>(result));
  EXPECT_EQ(std::get<Malformed>(result).reason, Reason::packet_too_large);
  const DecodeResult connect = decode_connect(cases::bytes_of("10 FFFFFF7F"), limits);
  ASSERT_TRUE(std::holds_alternative<Malformed>(connect));
  EXPECT_EQ(std::get<Malformed>(connect).reason, Reason::packet_too_large);
}

TEST(Decoder, LimitsUserPropertiesAndFilters) {
  const DecodeLimits limits{.user_properties_max = 2, .user_property_bytes_max = 6, .filters_max = 2};
  const auto reason = [&](std::string_view notation) {
    const DecodeResult result = decode(cases::bytes_of(notation), Version::v5, Role::server, limits);
    return std::holds_alternative<Malformed>(result) ? std::get<Malformed>(result).reason : Reason::success;
  };
  EXPECT_EQ(reason(R"(30 { "t" { 26 "k" "v" 26 "k" "v" } })"), Reason::success);
  EXPECT_EQ(reason(R"(30 { "t" { 26 "k" "v" 26 "k" "v" 26 "" "" } })"), Reason::quota_exceeded);
  EXPECT_EQ(reason(R"(30 { "t" { 26 "abc" "def" } })"), Reason::success);
  EXPECT_EQ(reason(R"(30 { "t" { 26 "abc" "defg" } })"), Reason::quota_exceeded);
  EXPECT_EQ(reason(R"(82 { 0001 {} "a" 00 "b" 00 })"), Reason::success);
  EXPECT_EQ(reason(R"(82 { 0001 {} "a" 00 "b" 00 "c" 00 })"), Reason::quota_exceeded);
  EXPECT_EQ(reason(R"(A2 { 0001 {} "a" "b" "c" })"), Reason::quota_exceeded);
}

// MQTT-275 of the errata: decoders that went wrong above 2,097,151.
TEST(Decoder, ReadsLengthsAtTheirEdges) {
  for (const uint32_t length : {0U, 1U, 127U, 128U, 16'383U, 16'384U, 2'097'151U, 2'097'152U, kVarintMax}) {
    std::string header;
    for (uint32_t left = length; left >= 128; left >>= 7) header.push_back(static_cast<char>(left | 128));
    header.push_back(static_cast<char>(length >> (7 * header.size())));
    EXPECT_EQ(header.size(), varint_bytes(length));
    const Varint varint = read_varint(header);
    ASSERT_EQ(varint.state, Varint::State::complete);
    EXPECT_EQ(varint.value, length);
    if (length == 0) continue;
    const DecodeResult result = read("\x30" + header, Version::v5);
    ASSERT_TRUE(std::holds_alternative<NeedMore>(result)) << outcome(result);
    EXPECT_EQ(std::get<NeedMore>(result).bytes_min, 1 + header.size() + length);
  }
  EXPECT_EQ(read_varint("\x80\x80\x80\x80").state, Varint::State::too_long);
  EXPECT_EQ(read_varint("\x80\x80\x80").state, Varint::State::incomplete);
}

}  // namespace
}  // namespace arena::mqtt
