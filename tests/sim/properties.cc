#include "sim/properties.h"

#include "runtime/random.h"

namespace arena::sim {
namespace am = arena::mqtt;

std::string_view name_of(const Message& message) {
  if (!message.payload.empty() || !message.extras) return message.payload;
  for (const Header& header : message.extras->headers) {
    if (header.first == kNameProperty) return header.second;
  }
  return {};
}

std::string_view name_of(const am::Publish& packet) {
  if (!packet.payload.empty()) return packet.payload;
  for (const am::UserProperty& property : packet.properties.user_properties) {
    if (property.name == kNameProperty) return property.value;
  }
  return {};
}

// Half have none; of the others each has some, also empty ones.
CarriedProperties CarriedProperties::of(std::size_t message) {
  CarriedProperties out;
  const uint64_t dice = runtime::mix64(message);
  if (dice % 2 == 0) return out;
  const std::string number = std::to_string(message);
  const auto has = [dice](unsigned bit) { return (dice >> bit & 1) != 0; };
  if (has(1)) out.payload_is_text_ = has(2);
  if (has(3)) out.content_type_ = has(4) ? "type/" + number : "";
  if (has(5)) out.response_topic_ = "answers/" + number;
  if (has(6)) out.correlation_ = has(7) ? std::string("\0\xff", 2) + number : "";
  // The same name may come twice, and the order counts.
  if (has(8)) out.user_ = {{"b", number}, {"a", ""}, {"b", "again"}};
  return out;
}

void CarriedProperties::add_to(am::PublishProperties& out) const {
  out.payload_is_text = payload_is_text_;
  if (content_type_) out.content_type = *content_type_;
  if (response_topic_) out.response_topic = *response_topic_;
  if (correlation_) out.correlation_data = *correlation_;
  for (const auto& [name, value] : user_) out.user_properties.push_back({name, value});
}

std::string CarriedProperties::difference(const am::PublishProperties& came) const {
  am::PublishProperties sent;
  add_to(sent);
  am::UserProperties user;
  for (const am::UserProperty& property : came.user_properties) {
    if (!property.name.starts_with("arena-") && property.name != kNameProperty) user.push_back(property);
  }
  // Absent and false mean the same.
  if (came.payload_is_text.value_or(false) != sent.payload_is_text.value_or(false)) return "another payload format";
  if (came.content_type != sent.content_type) return "another content type";
  if (came.response_topic != sent.response_topic) return "another response topic";
  if (came.correlation_data != sent.correlation_data) return "other correlation data";
  return user == sent.user_properties ? "" : "other user properties";
}

}  // namespace arena::sim
