// CloudEvents 1.0.2 as they come by HTTP. What becomes of one is what its binary mode over MQTT 5 is: attributes are headers of the
// message, its data the payload.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "gateway/http/batch.h"
#include "gateway/http/publish.h"

namespace arena::gateway::http {

enum class EventMode : uint8_t {
  none,        // no event
  binary,      // attributes are fields "ce-…", the body is the data
  structured,  // the body is an event as JSON
  batch,       // a JSON array of them
  unknown,     // of a format that is not JSON
};
EventMode event_mode(const Request& request);

// The "ce-" fields of a request in binary mode.
std::optional<Fault> read_event_fields(const Request& request, const MessageLimits& limits, Extras& extras);
// The body of one in structured mode, with its payload.
std::optional<Fault> read_event_body(std::string_view body, const MessageLimits& limits, Extras& extras, Message& message);
// Each event of a batch becomes an item with a message to `topic`. A fault: it is no batch at all.
std::optional<Fault> read_event_batch(std::string_view body, const std::string& topic, std::size_t items_max, const MessageLimits& limits, std::vector<Item>& items);

// By what an event's repetition is known that has no idempotency key: its source and id. Empty: these headers are of no event.
std::string event_key(const Extras& extras);

}  // namespace arena::gateway::http
