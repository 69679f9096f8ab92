// The property block of an MQTT 5 packet, read into the packet's struct.
#pragma once

#include <cstdint>
#include <string_view>

#include "codec/mqtt/decoder.h"
#include "codec/mqtt/property_fields.h"
#include "codec/mqtt/reader.h"

namespace arena::mqtt {

// One property as read: which member holds the value depends on the type.
struct RawProperty {
  PropertyId id{};
  uint32_t number = 0;
  std::string_view text;  // text and binary; the name of a text pair
  std::string_view value;
};

// Walks one block, checking identifiers, places, repetitions, values and limits. Faults go to the block's
// reader.
class PropertyScan {
 public:
  PropertyScan(Reader& block, PropertyPlace place, const DecodeLimits& limits)
      : block_(block), limits_(limits), place_(place) {}

  // False at the block's end and at the first fault.
  bool next(RawProperty& property);

 private:
  bool admit(const PropertySpec& spec);
  void read_value(const PropertySpec& spec, RawProperty& property);
  void check_value(const PropertySpec& spec, const RawProperty& property);
  void count_user_property(const RawProperty& property);

  Reader& block_;
  const DecodeLimits& limits_;
  PropertyPlace place_;
  uint64_t seen_ = 0;  // bit per identifier: all are below 64
  uint32_t user_properties_ = 0;
  std::size_t user_property_bytes_ = 0;
};

inline void store(std::optional<std::string_view>& field, const RawProperty& read) {
  field = read.text;
}
inline void store(std::optional<bool>& field, const RawProperty& read) {
  field = read.number != 0;
}
inline void store(UserProperties& field, const RawProperty& read) {
  field.push_back({read.text, read.value});
}
inline void store(std::vector<uint32_t>& field, const RawProperty& read) {
  field.push_back(read.number);
}
template <typename Number>
void store(std::optional<Number>& field, const RawProperty& read) {
  field = static_cast<Number>(read.number);
}

// Reads the length and the block. `properties` must be empty before.
template <typename P>
void decode_properties(Reader& reader, PropertyPlace place, const DecodeLimits& limits, P& properties) {
  const uint32_t length = reader.varint();
  if (length == 0) return;
  Reader block(reader.take(length));
  PropertyScan scan(block, place, limits);
  RawProperty read;
  while (reader.ok() && scan.next(read)) {
    each_field(properties, [&read](PropertyId id, auto& field) {
      if (id == read.id) store(field, read);
    });
  }
  reader.adopt_fault(block);
}

// "It is a Protocol Error to include Authentication Data if there is no Authentication Method."
template <typename P>
void check_authentication(Reader& reader, const P& properties) {
  if (properties.authentication_data && !properties.authentication_method) {
    reader.protocol_error("authentication data without an authentication method");
  }
}

}  // namespace arena::mqtt
