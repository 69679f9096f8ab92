#include "gateway/http/event_stream.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "broker/replay.h"
#include "broker/stream/from.h"
#include "gateway/http/door.h"
#include "gateway/http/events.h"

namespace arena::gateway::http {
namespace {

constexpr const char* kRetry = "retry: 2000\n\n";

// What breaks a line would end the field, and begin another one of its own.
std::string data_lines(std::string_view text) {
  std::string out;
  for (;;) {
    const std::size_t end = std::min(text.find_first_of("\r\n"), text.size());
    out += "data: ";
    out += text.substr(0, end);
    out += '\n';
    if (end == text.size()) return out;
    text.remove_prefix(end + 1);
  }
}

}  // namespace

EventStream::EventStream(Events& events, uint64_t id, ExchangeRef exchange, EventOrder order, EventSeat seat)
    : Follower(events, id, std::move(exchange), std::move(order), std::move(seat)), timer_(&EventStream::on_beat, this) {}

void EventStream::on_started() {
  exchange().on_room = [this] {
    took_ms_ = events().door().loop().now_ms();
    resume();
  };
  exchange().begin({200, {{"content-type", "text/event-stream"}, {"x-accel-buffering", "no"}}, {}});
  write(kRetry);
  if (began_again()) write("event: gap\ndata: {\"missing\":null}\n\n");
  write_id();
  events().door().loop().arm(timer_, Events::kHeartbeatMs);
}

bool EventStream::has_room() const { return exchange().writable(); }

void EventStream::take(const broker::Delivery& delivery, bool first, bool kept) {
  if (first) write_event(delivery, kept);
  if (kept && (!first || !id_is_short())) owe_id();
}

// One position in all: each event carries it.
bool EventStream::id_is_short() const { return reached().size() == 1 && reached()[0].places().size() == 1; }

void EventStream::write_event(const broker::Delivery& delivery, bool kept) {
  const Message& message = *delivery.message;
  const std::string id = kept && id_is_short() ? "id: " + event_id(reached()) + "\n" : std::string();
  if (message.topic.starts_with(broker::kGapPrefix)) return write(id + "event: gap\n" + data_lines(message.payload) + "\n");
  const std::string position = kept ? broker::to_text(delivery.position->first, delivery.position->second) : std::string();
  write(id + "data: " + events().shown(delivery.message, position) + "\n\n");
}

// A longer one comes once a turn, behind the events that it is of: a client cut off between gets them again.
void EventStream::owe_id() {
  if (!std::exchange(id_owed_, true)) call_at_turn_end();
}

// An event with an id and nothing else sets the id, and is not seen by the page.
void EventStream::write_id() {
  id_owed_ = false;
  if (!ended()) write("id: " + event_id(reached()) + "\n\n");
}

void EventStream::write(const std::string& text) {
  written_ms_ = events().door().loop().now_ms();
  exchange().write(text);
}

void EventStream::on_beat(void* self) {
  EventStream& stream = *static_cast<EventStream*>(self);
  runtime::Loop& loop = stream.events().door().loop();
  if (stream.exchange().writable()) {
    stream.took_ms_ = loop.now_ms();
    if (loop.now_ms() - stream.written_ms_ >= Events::kHeartbeatMs) stream.write(":\n\n");
  } else if (stream.took_ms_ && loop.now_ms() - *stream.took_ms_ >= Events::kStuckMs) {
    stream.events().door().counters().stuck_closed.add();
    stream.exchange().abandon();
    return stream.end();
  }
  loop.arm(stream.timer_, Events::kHeartbeatMs);
}

void EventStream::on_ended() {
  timer_.disarm();
  exchange().end();
}

}  // namespace arena::gateway::http
