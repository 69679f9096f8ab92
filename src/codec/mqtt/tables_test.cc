// Goal: the tables of reasons and properties say what sections 2.4 and 2.2.2.2 of MQTT 5 say.
#include <gtest/gtest.h>

#include "codec/mqtt/properties.h"
#include "codec/mqtt/reason.h"

namespace arena::mqtt {
namespace {

TEST(Reasons, ThereAre43CodesWithTheirOwnNames) {
  int known = 0;
  for (int code = 0; code < 256; ++code) known += to_string(static_cast<Reason>(code)) != "unknown reason";
  EXPECT_EQ(known, 43);  // 0x00 has three names in the specification and one here
}

TEST(Reasons, EachPacketHasTheNumberOfCodesOfItsTable) {
  const auto codes_of = [](PacketType type) {
    int count = 0;
    for (int code = 0; code < 256; ++code) count += is_listed(static_cast<uint8_t>(code), type);
    return count;
  };
  EXPECT_EQ(codes_of(PacketType::connack), 22);
  EXPECT_EQ(codes_of(PacketType::puback), 9);
  EXPECT_EQ(codes_of(PacketType::pubrec), 9);
  EXPECT_EQ(codes_of(PacketType::pubrel), 2);
  EXPECT_EQ(codes_of(PacketType::pubcomp), 2);
  EXPECT_EQ(codes_of(PacketType::suback), 12);
  EXPECT_EQ(codes_of(PacketType::unsuback), 7);
  EXPECT_EQ(codes_of(PacketType::disconnect), 30);  // table 3.13 has 29; section 2.4 adds 0x8C
  EXPECT_EQ(codes_of(PacketType::auth), 3);
  EXPECT_EQ(codes_of(PacketType::publish), 0);
}

TEST(Reasons, KnowWhoMaySendThem) {
  EXPECT_TRUE(may_send(Role::client, 0x04, PacketType::disconnect));
  EXPECT_FALSE(may_send(Role::server, 0x04, PacketType::disconnect));
  EXPECT_TRUE(may_send(Role::server, 0x8E, PacketType::disconnect));
  EXPECT_FALSE(may_send(Role::client, 0x8E, PacketType::disconnect));
  EXPECT_FALSE(may_send(Role::client, 0x00, PacketType::auth));
  EXPECT_FALSE(may_send(Role::server, 0x19, PacketType::auth));
}

TEST(Reasons, MapToReturnCodesAndBack) {
  for (uint8_t code = 0; code <= 5; ++code)
    EXPECT_EQ(connack_return_code(*reason_of_return_code(code)), code);
  EXPECT_EQ(reason_of_return_code(6), std::nullopt);
  EXPECT_EQ(connack_return_code(Reason::malformed_packet), std::nullopt);
  EXPECT_EQ(suback_return_code(Reason::granted_qos_2), 2);
  EXPECT_EQ(suback_return_code(Reason::quota_exceeded), 0x80);
}

TEST(Properties, ThereAre27WithTheirOwnNames) {
  int known = 0;
  for (uint32_t id = 0; id < 1000; ++id) {
    const PropertySpec* spec = property_spec(id);
    if (spec == nullptr) continue;
    ++known;
    EXPECT_EQ(static_cast<uint32_t>(spec->id), id);
    EXPECT_FALSE(spec->name.empty());
  }
  EXPECT_EQ(known, 27);
}

TEST(Properties, EachPlaceHasTheNumberOfItsSection) {
  const auto count = [](PropertyPlace place) {
    int found = 0;
    for (uint32_t id = 0; id < 64; ++id)
      found += property_spec(id) != nullptr && property_spec(id)->allowed_in(place);
    return found;
  };
  EXPECT_EQ(count(PropertyPlace::connect), 9);
  EXPECT_EQ(count(PropertyPlace::will), 7);
  EXPECT_EQ(count(PropertyPlace::connack), 17);
  EXPECT_EQ(count(PropertyPlace::publish), 8);
  for (const PropertyPlace place : {PropertyPlace::puback, PropertyPlace::pubrec, PropertyPlace::pubrel,
                                    PropertyPlace::pubcomp, PropertyPlace::suback, PropertyPlace::unsuback}) {
    EXPECT_EQ(count(place), 2);
  }
  EXPECT_EQ(count(PropertyPlace::subscribe), 2);
  EXPECT_EQ(count(PropertyPlace::unsubscribe), 1);
  EXPECT_EQ(count(PropertyPlace::disconnect), 4);
  EXPECT_EQ(count(PropertyPlace::auth), 4);
}

TEST(Properties, OnlyTwoMayRepeat) {
  EXPECT_TRUE(property_spec(0x26)->repeats_in(PropertyPlace::connect));
  EXPECT_TRUE(property_spec(0x0B)->repeats_in(PropertyPlace::publish));
  EXPECT_FALSE(property_spec(0x0B)->repeats_in(PropertyPlace::subscribe));
  EXPECT_FALSE(property_spec(0x23)->repeats_in(PropertyPlace::publish));
}

}  // namespace
}  // namespace arena::mqtt
