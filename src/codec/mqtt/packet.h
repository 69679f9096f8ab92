// One struct for each control packet, the same for all versions. Text and bytes are views into the decoded
// input, or into memory that must outlive the call to the encoder. In MQTT 3.x properties are always empty
// when decoded and ignored when encoded. Every member has a value, so that designated initializers may leave
// out what they do not care for.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "codec/mqtt/packet_type.h"
#include "codec/mqtt/properties.h"
#include "codec/mqtt/reason.h"
#include "codec/mqtt/version.h"
#include "message/message.h"

namespace arena::mqtt {

struct Will {
  std::string_view topic{};
  std::string_view payload{};
  Guarantee qos = Guarantee::at_most_once;
  bool retain = false;
  WillProperties properties{};
  friend bool operator==(const Will&, const Will&) = default;
};

struct Connect {
  Version version = Version::v5;  // what the packet says; also the version it is encoded in
  bool clean_start = true;        // 3.x: clean session
  uint16_t keep_alive_s = 0;
  std::string_view client_id{};
  std::optional<Will> will{};
  Text user_name{};
  Text password{};
  ConnectProperties properties{};
  friend bool operator==(const Connect&, const Connect&) = default;
};

struct Connack {
  bool session_present = false;
  Reason reason = Reason::success;  // 3.x: mapped from and to the return code
  ConnackProperties properties{};
  friend bool operator==(const Connack&, const Connack&) = default;
};

struct Publish {
  bool dup = false;
  Guarantee qos = Guarantee::at_most_once;
  bool retain = false;
  uint16_t packet_id = 0;    // 0 exactly for QoS 0
  std::string_view topic{};  // empty only with a topic alias
  std::string_view payload{};
  PublishProperties properties{};
  friend bool operator==(const Publish&, const Publish&) = default;
};

// PUBACK, PUBREC, PUBREL and PUBCOMP.
struct Ack {
  PacketType type = PacketType::puback;
  uint16_t packet_id = 0;
  Reason reason = Reason::success;
  ReasonProperties properties{};
  friend bool operator==(const Ack&, const Ack&) = default;
};

// One that says success and nothing else takes so many, in all versions.
inline constexpr std::size_t kPlainAckBytes = 4;

enum class RetainHandling : uint8_t { send = 0, send_if_new = 1, do_not_send = 2 };

struct Subscription {
  std::string_view filter{};  // well-formed text; its wildcards and "$share" parts are the caller's to check
  Guarantee qos = Guarantee::at_most_once;
  bool no_local = false;
  bool retain_as_published = false;
  RetainHandling retain_handling = RetainHandling::send;
  friend bool operator==(const Subscription&, const Subscription&) = default;
};

struct Subscribe {
  uint16_t packet_id = 0;
  std::vector<Subscription> subscriptions{};
  SubscribeProperties properties{};
  friend bool operator==(const Subscribe&, const Subscribe&) = default;
};

struct Suback {
  uint16_t packet_id = 0;
  std::vector<Reason> reasons{};  // one for each filter, in order; 3.x failures are unspecified_error (0x80)
  ReasonProperties properties{};
  friend bool operator==(const Suback&, const Suback&) = default;
};

struct Unsubscribe {
  uint16_t packet_id = 0;
  std::vector<std::string_view> filters{};
  UnsubscribeProperties properties{};
  friend bool operator==(const Unsubscribe&, const Unsubscribe&) = default;
};

struct Unsuback {
  uint16_t packet_id = 0;
  std::vector<Reason> reasons{};  // one for each filter, in order; empty in 3.x, which has none
  ReasonProperties properties{};
  friend bool operator==(const Unsuback&, const Unsuback&) = default;
};

struct Pingreq {
  friend bool operator==(const Pingreq&, const Pingreq&) = default;
};

struct Pingresp {
  friend bool operator==(const Pingresp&, const Pingresp&) = default;
};

struct Disconnect {
  Reason reason = Reason::success;  // always success in 3.x
  DisconnectProperties properties{};
  friend bool operator==(const Disconnect&, const Disconnect&) = default;
};

struct Auth {
  Reason reason = Reason::success;
  AuthProperties properties{};
  friend bool operator==(const Auth&, const Auth&) = default;
};

using Packet = std::variant<Pingreq, Pingresp, Connect, Connack, Publish, Ack, Subscribe, Suback, Unsubscribe,
                            Unsuback, Disconnect, Auth>;

PacketType packet_type(const Packet& packet);

// For logs and test failures: type, ids, flags, sizes; no payload and no password.
std::string describe(const Packet& packet);

}  // namespace arena::mqtt
