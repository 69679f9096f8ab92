// Goal: any packet that the structs can hold and the protocol allows comes back equal from encode and decode,
// alone and in a stream of others.
#include <gtest/gtest.h>

#include <deque>
#include <random>

#include "codec/mqtt/decoder.h"
#include "codec/mqtt/encoder.h"

namespace arena::mqtt {
namespace {

// Makes packets from a seed; owns the text that they view.
class PacketMaker {
 public:
  PacketMaker(uint64_t seed, Version version) : bits_(seed), version_(version) {}

  // A packet that `receiver` may get.
  Packet make(Role receiver) {
    const bool to_server = receiver == Role::server;
    switch (pick(v5() ? 10 : 8)) {
      case 0:
        return to_server ? Packet(connect()) : Packet(connack());
      case 1:
      case 2:
        return publish(to_server);
      case 3:
      case 4:
        return ack();
      case 5:
        return to_server ? Packet(subscribe()) : Packet(suback());
      case 6:
        return to_server ? Packet(unsubscribe()) : Packet(unsuback());
      case 7:
        return to_server ? Packet(Pingreq{}) : Packet(Pingresp{});
      case 8:
        return disconnect(to_server);
      default:
        return auth(to_server);
    }
  }

 private:
  bool v5() const { return version_ == Version::v5; }
  uint64_t pick(uint64_t below) { return bits_() % below; }
  bool chance() { return pick(2) == 0; }
  uint16_t id() { return static_cast<uint16_t>(1 + pick(65535)); }
  Guarantee qos() { return static_cast<Guarantee>(pick(3)); }

  std::string_view keep(std::string text) { return kept_.emplace_back(std::move(text)); }
  std::string_view bytes(std::size_t most = 300) {
    std::string out(pick(4) == 0 ? pick(most) : pick(12), '\0');
    for (char& byte : out) byte = static_cast<char>(pick(256));
    return keep(std::move(out));
  }
  std::string_view text(std::size_t least = 0) {
    static constexpr std::string_view kPieces[] = {"a", "B", "/", "é", "€", "\xF0\x9F\x98\x80", "$", " "};
    std::string out;
    const std::size_t pieces = least + (pick(16) == 0 ? pick(200) : pick(8));
    for (std::size_t i = 0; i < pieces; ++i) out += kPieces[pick(std::size(kPieces))];
    return keep(std::move(out));
  }

  template <typename F>
  auto maybe(F&& make) -> std::optional<decltype(make())> {
    if (chance()) return std::nullopt;
    return make();
  }
  Text maybe_text() {
    return maybe([&] { return text(); });
  }
  Text maybe_bytes() {
    return maybe([&] { return bytes(); });
  }
  std::optional<bool> maybe_bool() {
    return maybe([&] { return chance(); });
  }
  std::optional<uint32_t> maybe_u32(uint32_t least = 0) {
    return maybe([&] { return static_cast<uint32_t>(least + pick(0xFFFFFFFF - least)); });
  }
  std::optional<uint16_t> maybe_u16(uint16_t least = 0) {
    return maybe([&] { return static_cast<uint16_t>(least + pick(0xFFFFU - least)); });
  }
  UserProperties user_properties() {
    UserProperties all;
    if (chance()) return all;
    for (uint64_t left = pick(4); left > 0; --left) all.push_back({text(), text()});
    return all;
  }
  Reason reason(PacketType type, Role sender) {
    for (;;) {
      const auto code = static_cast<uint8_t>(pick(256));
      if (may_send(sender, code, type)) return static_cast<Reason>(code);
    }
  }
  ReasonProperties reason_properties() {
    if (!v5()) return {};
    return {.reason_string = maybe_text(), .user_properties = user_properties()};
  }

  Will will() {
    Will will{.topic = text(1), .payload = bytes(), .qos = qos(), .retain = chance()};
    if (v5()) {
      will.properties = {.will_delay_interval_s = maybe_u32(),
                         .payload_is_text = maybe_bool(),
                         .message_expiry_interval_s = maybe_u32(),
                         .content_type = maybe_text(),
                         .response_topic = maybe([&] { return text(1); }),
                         .correlation_data = maybe_bytes(),
                         .user_properties = user_properties()};
    }
    return will;
  }
  Connect connect() {
    Connect packet{.version = version_, .clean_start = chance(), .keep_alive_s = id(), .client_id = text(1)};
    packet.will = maybe([&] { return will(); });
    packet.user_name = maybe_text();
    if (packet.user_name || v5()) packet.password = maybe_bytes();
    if (v5()) {
      packet.properties = {.session_expiry_interval_s = maybe_u32(),
                           .receive_maximum = maybe_u16(1),
                           .maximum_packet_size = maybe_u32(1),
                           .topic_alias_maximum = maybe_u16(),
                           .request_response_information = maybe_bool(),
                           .request_problem_information = maybe_bool(),
                           .authentication_method = maybe_text(),
                           .authentication_data = maybe_bytes(),
                           .user_properties = user_properties()};
      if (!packet.properties.authentication_method) packet.properties.authentication_data.reset();
    }
    return packet;
  }
  Connack connack() {
    Connack packet;
    if (!v5()) {
      packet.reason = reason_of_return_code(static_cast<uint8_t>(pick(6))).value();
    } else {
      packet.reason = reason(PacketType::connack, Role::server);
      packet.properties = connack_properties();
    }
    packet.session_present = packet.reason == Reason::success && version_ != Version::v3_1 && chance();
    return packet;
  }
  ConnackProperties connack_properties() {
    ConnackProperties all{.session_expiry_interval_s = maybe_u32(),
                          .receive_maximum = maybe_u16(1),
                          .maximum_qos = maybe([&] { return static_cast<uint8_t>(pick(2)); }),
                          .retain_available = maybe_bool(),
                          .maximum_packet_size = maybe_u32(1),
                          .assigned_client_identifier = maybe_text(),
                          .topic_alias_maximum = maybe_u16(),
                          .reason_string = maybe_text(),
                          .wildcard_subscription_available = maybe_bool(),
                          .subscription_identifier_available = maybe_bool(),
                          .shared_subscription_available = maybe_bool(),
                          .server_keep_alive_s = maybe_u16(),
                          .response_information = maybe_text(),
                          .server_reference = maybe_text(),
                          .authentication_method = maybe_text(),
                          .authentication_data = maybe_bytes(),
                          .user_properties = user_properties()};
    if (!all.authentication_method) all.authentication_data.reset();
    return all;
  }
  Publish publish(bool to_server) {
    Publish packet{.qos = qos(), .retain = chance(), .topic = text(1), .payload = bytes(40'000)};
    if (packet.qos != Guarantee::at_most_once) {
      packet.packet_id = id();
      packet.dup = chance();
    }
    if (!v5()) return packet;
    packet.properties = {.payload_is_text = maybe_bool(),
                         .message_expiry_interval_s = maybe_u32(),
                         .topic_alias = maybe_u16(1),
                         .response_topic = maybe([&] { return text(1); }),
                         .correlation_data = maybe_bytes(),
                         .content_type = maybe_text(),
                         .user_properties = user_properties()};
    if (packet.properties.topic_alias && chance()) packet.topic = {};
    for (uint64_t left = to_server ? 0 : pick(3); left > 0; --left) {
      packet.properties.subscription_identifiers.push_back(static_cast<uint32_t>(1 + pick(268'435'455)));
    }
    return packet;
  }
  Ack ack() {
    Ack packet{.type = static_cast<PacketType>(4 + pick(4)), .packet_id = id()};
    if (!v5()) return packet;
    packet.reason = reason(packet.type, Role::server);
    packet.properties = reason_properties();
    return packet;
  }
  Subscribe subscribe() {
    Subscribe packet{.packet_id = id()};
    for (uint64_t left = 1 + pick(5); left > 0; --left) {
      Subscription& one = packet.subscriptions.emplace_back(Subscription{.filter = text(1), .qos = qos()});
      if (!v5()) continue;
      one.no_local = chance();
      one.retain_as_published = chance();
      one.retain_handling = static_cast<RetainHandling>(pick(3));
    }
    if (v5()) {
      packet.properties = {
          .subscription_identifier = maybe([&] { return static_cast<uint32_t>(1 + pick(268'435'455)); }),
          .user_properties = user_properties()};
    }
    return packet;
  }
  Suback suback() {
    Suback packet{.packet_id = id(), .properties = reason_properties()};
    for (uint64_t left = 1 + pick(5); left > 0; --left) {
      const Reason code = reason(PacketType::suback, Role::server);
      packet.reasons.push_back(v5() || !is_error(code) ? code : Reason::unspecified_error);
    }
    return packet;
  }
  Unsubscribe unsubscribe() {
    Unsubscribe packet{.packet_id = id()};
    for (uint64_t left = 1 + pick(5); left > 0; --left) packet.filters.push_back(text());
    if (v5()) packet.properties = {.user_properties = user_properties()};
    return packet;
  }
  Unsuback unsuback() {
    Unsuback packet{.packet_id = id(), .properties = reason_properties()};
    for (uint64_t left = v5() ? 1 + pick(5) : 0; left > 0; --left) {
      packet.reasons.push_back(reason(PacketType::unsuback, Role::server));
    }
    return packet;
  }
  Disconnect disconnect(bool to_server) {
    Disconnect packet{.reason = reason(PacketType::disconnect, to_server ? Role::client : Role::server),
                      .properties = {.reason_string = maybe_text(), .user_properties = user_properties()}};
    if (to_server) {
      packet.properties.session_expiry_interval_s = maybe_u32();
    } else {
      packet.properties.server_reference = maybe_text();
    }
    return packet;
  }
  Auth auth(bool to_server) {
    return {.reason = reason(PacketType::auth, to_server ? Role::client : Role::server),
            .properties = {.authentication_method = text(),
                           .authentication_data = maybe_bytes(),
                           .reason_string = maybe_text(),
                           .user_properties = user_properties()}};
  }

  std::mt19937_64 bits_;
  Version version_;
  std::deque<std::string> kept_;
};

void expect_stream_comes_back(uint64_t seed, Version version, Role receiver) {
  PacketMaker maker(seed, version);
  std::vector<Packet> sent;
  std::string stream;
  for (int i = 0; i < 20; ++i) {
    sent.push_back(maker.make(receiver));
    const std::size_t before = stream.size();
    ASSERT_TRUE(encode(stream, sent.back(), version));
    ASSERT_EQ(encoded_size(sent.back(), version), stream.size() - before);
  }
  std::string_view rest = stream;
  for (const Packet& packet : sent) {
    const DecodeResult result = decode(rest, version, receiver, {});
    ASSERT_TRUE(std::holds_alternative<Decoded>(result)) << describe(packet);
    EXPECT_EQ(std::get<Decoded>(result).packet, packet) << describe(packet);
    rest.remove_prefix(std::get<Decoded>(result).consumed);
  }
  EXPECT_TRUE(rest.empty());
}

TEST(RoundTrip, RandomPacketsComeBackEqual) {
  for (uint64_t seed = 1; seed <= 1000; ++seed) {
    for (const Version version : {Version::v3_1, Version::v3_1_1, Version::v5}) {
      for (const Role receiver : {Role::server, Role::client}) {
        SCOPED_TRACE("seed " + std::to_string(seed) + ", version " + std::string(to_string(version)));
        expect_stream_comes_back(seed, version, receiver);
        if (testing::Test::HasFailure()) return;
      }
    }
  }
}

}  // namespace
}  // namespace arena::mqtt
