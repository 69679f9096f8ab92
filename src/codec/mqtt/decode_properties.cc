#include "codec/mqtt/decode_properties.h"

namespace arena::mqtt {

bool PropertyScan::next(RawProperty& property) {
  if (block_.left() == 0) return false;
  const PropertySpec* spec = property_spec(block_.varint());
  if (!block_.ok()) return false;
  if (spec == nullptr) {
    block_.malformed("unknown property");
    return false;
  }
  if (!admit(*spec)) return false;
  read_value(*spec, property);
  if (block_.ok()) check_value(*spec, property);
  if (block_.ok() && spec->id == PropertyId::user_property) count_user_property(property);
  return block_.ok();
}

bool PropertyScan::admit(const PropertySpec& spec) {
  // Section 2.2.2.2: an identifier not valid for its packet type makes the packet malformed.
  if (!spec.allowed_in(place_)) {
    block_.malformed("property not allowed in this packet");
    return false;
  }
  const uint64_t bit = uint64_t{1} << static_cast<unsigned>(spec.id);
  if ((seen_ & bit) != 0 && !spec.repeats_in(place_)) {
    block_.protocol_error("property more than once");
    return false;
  }
  seen_ |= bit;
  return true;
}

void PropertyScan::read_value(const PropertySpec& spec, RawProperty& property) {
  property = RawProperty{};
  property.id = spec.id;
  switch (spec.type) {
    case PropertyType::byte:
      property.number = block_.u8();
      break;
    case PropertyType::two_bytes:
      property.number = block_.u16();
      break;
    case PropertyType::four_bytes:
      property.number = block_.u32();
      break;
    case PropertyType::varint:
      property.number = block_.varint();
      break;
    case PropertyType::text:
      property.text = block_.text();
      break;
    case PropertyType::binary:
      property.text = block_.binary();
      break;
    case PropertyType::text_pair:
      property.text = block_.text();
      property.value = block_.text();
      break;
  }
}

void PropertyScan::check_value(const PropertySpec& spec, const RawProperty& property) {
  switch (spec.rule) {
    case ValueRule::any:
      return;
    case ValueRule::zero_or_one:
      if (property.number > 1) block_.protocol_error("property value other than 0 or 1");
      return;
    case ValueRule::not_zero:
      if (property.number != 0) return;
      if (spec.id == PropertyId::topic_alias) {
        block_.fail(Reason::topic_alias_invalid, "topic alias 0");  // [MQTT-3.3.2-8]
      } else {
        block_.protocol_error("property value 0");
      }
      return;
    case ValueRule::topic_name:
      if (!is_topic_name(property.text)) block_.malformed("response topic empty or with a wildcard");
      return;
  }
}

void PropertyScan::count_user_property(const RawProperty& property) {
  ++user_properties_;
  user_property_bytes_ += property.text.size() + property.value.size();
  if (user_properties_ > limits_.user_properties_max) {
    block_.fail(Reason::quota_exceeded, "more user properties than allowed");
  } else if (user_property_bytes_ > limits_.user_property_bytes_max) {
    block_.fail(Reason::quota_exceeded, "more bytes of user properties than allowed");
  }
}

}  // namespace arena::mqtt
