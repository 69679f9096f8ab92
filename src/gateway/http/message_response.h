// A message as an answer of its own: its payload is the body.
#pragma once

#include <cstddef>

#include "gateway/http/exchange.h"
#include "message/message.h"

namespace arena::gateway::http {

// What of the message no field can say is in its JSON alone (codec/json).
Response as_published(const Message& message);
// So, or as its JSON; when the connection has room, if it is a large one.
void answer_message(const ExchangeRef& exchange, MessageRef message, bool as_json = false);
// An answer of no more than that waits for no room.
inline constexpr std::size_t kSmallAnswerBytes = 4 << 10;
std::size_t size_of(const Message& message);

}  // namespace arena::gateway::http
