#include "gateway/http/event_stream.h"

#include <algorithm>
#include <utility>

#include "broker/replay.h"
#include "broker/shard.h"
#include "broker/stream/ends.h"
#include "broker/stream/from.h"
#include "codec/json/message_json.h"
#include "gateway/http/door.h"
#include "gateway/http/events.h"
#include "gateway/http/publish.h"
#include "gateway/http/publishers.h"

namespace arena::gateway::http {
namespace {

constexpr uint64_t kReplays = 1, kPlain = 2;  // cookies
constexpr const char* kRetry = "retry: 2000\n\n";

std::string name_of(std::size_t filter) { return "events " + std::to_string(filter); }

}  // namespace

EventStream::EventStream(Events& events, uint64_t id, ExchangeRef exchange, EventOrder order)
    : events_(events), id_(id), exchange_(std::move(exchange)), order_(std::move(order)), timer_(&EventStream::on_beat, this) {
  if (order_.after) reached_ = std::move(*order_.after);
  reached_.resize(order_.filters.size());
}

EventStream::~EventStream() {
  exchange_->on_gone = {};
  exchange_->on_room = {};
  if (session_ != nullptr) std::exchange(session_, nullptr)->detach(broker::DetachKind::clean, std::nullopt);
}

void EventStream::begin() {
  exchange_->on_gone = [this] { end(); };
  exchange_->on_room = [this] {
    took_ms_ = events_.door().loop().now_ms();
    if (session_ != nullptr) session_->resume();
  };
  broker::OpenRequest request;
  request.principal = exchange_->principal;
  request.client_id = client_id_here(events_.door().loop(), events_.shard(), request.principal);
  broker::Session* session = events_.shard().open(request, *this);
  if (!ended_ && session_ == nullptr) session_ = session;
}

void EventStream::opened(broker::Session& session, bool) {
  session_ = &session;
  session.start();
  if (order_.after) return subscribe_replays();
  ask_ends();
}

void EventStream::open_refused(broker::Outcome) {
  session_ = nullptr;
  refuse(broker::SubscribeStatus::failed);
}

// Where all that is published from now on begins: the first id says it, so that nothing is missed even by who comes back before
// there was an event.
void EventStream::ask_ends() {
  ends_open_ = order_.filters.size();
  for (std::size_t filter = 0; filter < order_.filters.size(); ++filter) {
    broker::stream_ends(events_.shard(), order_.filters[filter], [events = &events_, id = id_, filter](broker::Places ends) {
      if (EventStream* stream = events->find(id)) stream->on_ends(filter, std::move(ends));
    });
  }
}

void EventStream::on_ends(std::size_t filter, broker::Places ends) {
  reached_[filter] = Reached(std::move(ends));
  if (--ends_open_ == 0) subscribe_replays();
}

void EventStream::subscribe_replays() {
  std::vector<broker::SubscribeOrder> orders;
  for (std::size_t filter = 0; filter < order_.filters.size(); ++filter) {
    broker::SubscribeOrder order;
    order.filter = order_.filters[filter];
    order.id = static_cast<uint32_t>(filter + 1);
    order.positions = true;
    order.slow = order_.slow;
    order.from.emplace().kind = broker::ReplayFrom::Kind::after;
    order.from->after = reached_[filter].places();
    order.replay_name = name_of(filter);
    orders.push_back(std::move(order));
  }
  session_->subscribe(std::move(orders), kReplays);
}

void EventStream::subscribed(uint64_t cookie, std::span<const broker::SubscribeOutcome> outcomes) {
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    const broker::SubscribeStatus status = outcomes[i].status;
    if (status == broker::SubscribeStatus::no_stream) {
      plain_.push_back(i);
    } else if (status != broker::SubscribeStatus::granted) {
      return refuse(status);
    }
  }
  if (cookie == kPlain || plain_.empty()) return start();
  // What no stream keeps is heard like by any subscriber.
  std::vector<broker::SubscribeOrder> orders;
  for (const std::size_t filter : plain_) {
    broker::SubscribeRequest request;
    request.filter = order_.filters[filter];
    request.id = static_cast<uint32_t>(filter + 1);
    request.retained = broker::RetainedOnSubscribe::never;
    request.positions = true;
    request.slow = order_.slow;
    orders.emplace_back(std::move(request));
  }
  session_->subscribe(std::move(orders), kPlain);
}

void EventStream::refuse(broker::SubscribeStatus status) {
  switch (status) {
    case broker::SubscribeStatus::denied:
      answer_fault(exchange_, {403, "denied", "you may not subscribe to all of these topics", "?topic"});
      break;
    case broker::SubscribeStatus::quota:
      answer_fault(exchange_, {422, "too_many_topics", "more topics than limits.subscriptions_per_session_max", "?topic"});
      break;
    default:
      answer_fault(exchange_, {503, "failed", "the store failed, or the broker is stopping", {}});
  }
  end();
}

// ---- events ----

void EventStream::start() {
  if (started_ || ended_) return;
  started_ = true;
  took_ms_ = events_.door().loop().now_ms();
  exchange_->begin({200, {{"content-type", "text/event-stream"}, {"x-accel-buffering", "no"}}, {}});
  write(kRetry);
  write_id();
  events_.door().loop().arm(timer_, Events::kHeartbeatMs);
  if (session_ != nullptr) session_->resume();
}

bool EventStream::ready() const { return started_ && !ended_ && exchange_->writable(); }

// A message that several filters match comes through each; the first one gives it.
bool EventStream::is_first(const broker::Delivery& delivery, std::size_t& filter) const {
  const auto lowest = std::min_element(delivery.subscription_ids.begin(), delivery.subscription_ids.end());
  if (lowest == delivery.subscription_ids.end()) return false;
  filter = *lowest - 1;
  return std::none_of(order_.filters.begin(), order_.filters.begin() + static_cast<std::ptrdiff_t>(filter),
                      [&](const std::string& before) { return filter_matches(before, delivery.message->topic); });
}

broker::DeliverResult EventStream::deliver(const broker::Delivery& delivery) {
  std::size_t filter = 0;
  const bool first = is_first(delivery, filter);
  const bool kept = delivery.position != nullptr && delivery.position->first.log != broker::LogId::inbox;
  if (kept) reached_[filter].note(delivery.position->first, delivery.position->second);
  if (first) write_event(delivery);
  if (kept && (!first || !id_is_short())) owe_id();
  return broker::DeliverResult::sent;
}

// One position in all: each event carries it.
bool EventStream::id_is_short() const { return reached_.size() == 1 && reached_[0].places().size() == 1; }

void EventStream::write_event(const broker::Delivery& delivery) {
  const Message& message = *delivery.message;
  if (message.topic.starts_with(broker::kGapPrefix)) return write("event: gap\ndata: " + message.payload + "\n\n");
  const bool kept = delivery.position != nullptr && delivery.position->first.log != broker::LogId::inbox;
  const std::string position = kept ? broker::to_text(delivery.position->first, delivery.position->second) : std::string();
  const std::string id = kept && id_is_short() ? "id: " + event_id(reached_) + "\n" : std::string();
  write(id + "data: " + message_json(message, position) + "\n\n");
}

// A longer one comes once a turn, behind the events that it is of: a client cut off between gets them again.
void EventStream::owe_id() {
  if (std::exchange(id_owed_, true)) return;
  events_.door().loop().defer([events = &events_, id = id_] {
    if (EventStream* stream = events->find(id)) stream->write_id();
  });
}

// An event with an id and nothing else sets the id, and is not seen by the page.
void EventStream::write_id() {
  id_owed_ = false;
  if (!ended_) write("id: " + event_id(reached_) + "\n\n");
}

void EventStream::write(const std::string& text) {
  written_ms_ = events_.door().loop().now_ms();
  exchange_->write(text);
}

void EventStream::on_beat(void* self) {
  EventStream& stream = *static_cast<EventStream*>(self);
  runtime::Loop& loop = stream.events_.door().loop();
  if (stream.exchange_->writable()) {
    stream.took_ms_ = loop.now_ms();
    if (loop.now_ms() - stream.written_ms_ >= Events::kHeartbeatMs) stream.write(":\n\n");
  } else if (loop.now_ms() - stream.took_ms_ >= Events::kStuckMs) {
    stream.events_.door().counters().stuck_closed.add();
    stream.exchange_->abandon();
    return stream.end();
  }
  loop.arm(stream.timer_, Events::kHeartbeatMs);
}

// ---- the end ----

void EventStream::closed(broker::EndReason) {
  session_ = nullptr;
  end();
}

void EventStream::end() {
  if (ended_) return;
  ended_ = true;
  timer_.disarm();
  if (started_) {
    exchange_->end();
  } else {
    answer_fault(exchange_, {503, "failed", "the broker is stopping", {}});  // unless it was answered
  }
  events_.bury(id_);
}

}  // namespace arena::gateway::http
