// What a message carries beside topic and payload: it follows from its number, and must come as it was sent.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "codec/mqtt/packet.h"
#include "message/message.h"

namespace arena::sim {

// Payloads name their message: "m<number>;" and padding. A deletion has no payload: this property says the same.
inline constexpr std::string_view kNameProperty = "sim-message";
std::string_view name_of(const Message& message);
// Empty: it has none, as it is a deletion and came by MQTT 3.1.1.
std::string_view name_of(const arena::mqtt::Publish& packet);

class CarriedProperties {
 public:
  static CarriedProperties of(std::size_t message);

  // Views into this, which must outlive the packet.
  void add_to(arena::mqtt::PublishProperties& out) const;
  // Empty: it came with them, in their order, and with none else of a publisher's.
  std::string difference(const arena::mqtt::PublishProperties& came) const;

 private:
  std::optional<bool> payload_is_text_;
  std::optional<std::string> content_type_;
  std::optional<std::string> response_topic_;
  std::optional<std::string> correlation_;
  std::vector<std::pair<std::string, std::string>> user_;
};

}  // namespace arena::sim
