// A message as an answer of its own: its payload is the body.
#pragma once

#include "gateway/http/exchange.h"
#include "message/message.h"

namespace arena::gateway::http {

// What of the message no field can say is in its JSON alone (codec/json).
Response as_published(const Message& message);

}  // namespace arena::gateway::http
