#include "gateway/http/long_poll.h"

#include <fmt/format.h>

#include <charconv>
#include <utility>

#include "broker/replay.h"
#include "broker/stream/from.h"
#include "gateway/http/door.h"
#include "gateway/http/events.h"
#include "gateway/http/message_response.h"

namespace arena::gateway::http {
namespace {

broker::Missing missing_of(const Message& gap) {
  broker::Missing missing;
  if (!gap.extras) return missing;
  for (const auto& [name, value] : gap.extras->headers) {
    if (name != "arena-gap") continue;
    missing.known = std::from_chars(value.data(), value.data() + value.size(), missing.count).ec == std::errc();
  }
  return missing;
}

}  // namespace

LongPoll::LongPoll(Events& events, uint64_t id, ExchangeRef exchange, EventOrder order, EventSeat seat, const PollOrder& poll)
    : Follower(events, id, std::move(exchange), std::move(order), std::move(seat)), poll_(poll), timer_(&LongPoll::on_timer, this) {}

void LongPoll::on_started() { events().door().loop().arm(timer_, poll_.wait_ms); }

bool LongPoll::has_room() const {
  return items_.size() < poll_.messages_max && bytes_ < (has_room_ ? kBytesMax : kSmallAnswerBytes);
}

// Answered when the turn in which the first came is over: what came with it goes with it.
void LongPoll::take(const broker::Delivery& delivery, bool, bool kept) {
  const Message& message = *delivery.message;
  if (message.topic.starts_with(broker::kGapPrefix)) {
    missing_ += missing_of(message);
    return;
  }
  if (items_.empty()) call_at_turn_end();
  items_.push_back({delivery.message, kept ? broker::to_text(delivery.position->first, delivery.position->second) : std::string()});
  bytes_ += size_of(message);
  if (bytes_ >= kSmallAnswerBytes && !std::exchange(asked_room_, true)) ask_room();
}

void LongPoll::ask_room() {
  Exchange::when_room(exchange_ref(), [events = &events(), id = id()] {
    if (Follower* follower = events->find(id)) static_cast<LongPoll*>(follower)->on_room();
  });
}

// More may wait behind what filled the small answer. Not from inside the delivery that asked.
void LongPoll::on_room() {
  has_room_ = true;
  events().door().loop().defer([events = &events(), id = id()] {
    if (Follower* follower = events->find(id)) static_cast<LongPoll*>(follower)->go_on();
  });
}

void LongPoll::go_on() {
  resume();
  end();
}

void LongPoll::on_turn_end() {
  if (has_room_ || !asked_room_) end();
}

void LongPoll::on_timer(void* self) {
  LongPoll& poll = *static_cast<LongPoll*>(self);
  if (poll.items_.empty()) poll.end();  // else it has something, and waits for room
}

void LongPoll::on_ended() {
  timer_.disarm();
  if (began_again()) missing_.known = false;
  const std::string gap = missing_.known && !missing_ ? "" : fmt::format(",\"gap\":{}", missing_.json());
  std::string body = "{\"items\":[";
  for (const Item& item : items_) {
    if (&item != &items_.front()) body += ',';
    body += events().shown(item.message, item.position);
  }
  body += fmt::format("],\"next\":\"{}\"{}}}", event_id(reached()), gap);
  exchange().answer(json_response(200, std::move(body)));
}

}  // namespace arena::gateway::http
