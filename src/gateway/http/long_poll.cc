#include "gateway/http/long_poll.h"

#include <fmt/format.h>

#include <charconv>
#include <utility>

#include "broker/replay.h"
#include "broker/stream/from.h"
#include "codec/json/message_json.h"
#include "gateway/http/door.h"
#include "gateway/http/events.h"

namespace arena::gateway::http {
namespace {

uint64_t missing_of(const Message& gap) {
  uint64_t missing = 0;
  if (!gap.extras) return missing;
  for (const auto& [name, value] : gap.extras->headers) {
    if (name == "arena-gap") std::from_chars(value.data(), value.data() + value.size(), missing);
  }
  return missing;
}

}  // namespace

LongPoll::LongPoll(Events& events, uint64_t id, ExchangeRef exchange, EventOrder order, EventSeat seat, const PollOrder& poll)
    : Follower(events, id, std::move(exchange), std::move(order), std::move(seat)), poll_(poll), timer_(&LongPoll::on_timer, this) {}

void LongPoll::on_started() { events().door().loop().arm(timer_, poll_.wait_ms); }

bool LongPoll::has_room() const { return messages_ < poll_.messages_max && items_.size() < kBytesMax; }

// Answered when the turn in which the first came is over: what came with it goes with it.
void LongPoll::take(const broker::Delivery& delivery, bool, bool kept) {
  const Message& message = *delivery.message;
  if (message.topic.starts_with(broker::kGapPrefix)) {
    missing_ += missing_of(message);
    return;
  }
  if (messages_++ == 0) {
    call_at_turn_end();
  } else {
    items_ += ',';
  }
  items_ += message_json(message, kept ? broker::to_text(delivery.position->first, delivery.position->second) : std::string());
}

void LongPoll::on_timer(void* self) { static_cast<LongPoll*>(self)->end(); }

void LongPoll::on_ended() {
  timer_.disarm();
  const std::string gap = missing_ == 0 ? "" : fmt::format(",\"gap\":{}", missing_);
  exchange().answer(json_response(200, fmt::format("{{\"items\":[{}],\"next\":\"{}\"{}}}", items_, event_id(reached()), gap)));
}

}  // namespace arena::gateway::http
