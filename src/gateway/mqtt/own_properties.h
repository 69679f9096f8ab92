// User properties that begin with "arena-" are ours: read where they are known, refused elsewhere, never handed on.
#pragma once

#include <optional>
#include <string_view>

#include "broker/types.h"
#include "codec/mqtt/properties.h"

namespace arena::gateway::mqtt {

inline constexpr std::string_view kOwnPrefix = "arena-";

inline bool is_own(const arena::mqtt::UserProperty& property) { return property.name.starts_with(kOwnPrefix); }
bool has_own(const arena::mqtt::UserProperties& properties);

// Of a PUBLISH: "arena-id" (1 to 128 bytes) or "arena-producer" ("<name>:<epoch>:<sequence>", the name 1 to 64 bytes).
struct PublishOwn {
  std::optional<broker::PublishKey> key;
  const char* refusal = nullptr;  // what is wrong; null: nothing
};
PublishOwn read_own(const arena::mqtt::UserProperties& properties);

}  // namespace arena::gateway::mqtt
