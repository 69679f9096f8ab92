#include "gateway/http/events.h"

#include <algorithm>
#include <utility>

#include "gateway/http/door.h"
#include "gateway/http/event_stream.h"
#include "gateway/http/long_poll.h"
#include "gateway/http/publish.h"
#include "message/topic.h"

namespace arena::gateway::http {
namespace {

std::optional<Fault> read_order(const Exchange& exchange, const TopicLimits& topics, EventOrder& order, std::string& after) {
  arena::http::Parameters parameters;
  if (auto fault = read_parameters(exchange, parameters, "topic")) return fault;
  for (auto& [name, value] : parameters) {
    if (name == "topic") {
      if (const auto fault = check_filter(value, topics)) return Fault{400, "bad_topic", std::string(to_string(*fault)), "?topic"};
      if (std::find(order.filters.begin(), order.filters.end(), value) == order.filters.end()) order.filters.push_back(std::move(value));
    } else if (name == "after") {
      after = std::move(value);
    } else if (name == "slow") {
      order.slow = slow_policy_of(value);
      if (!order.slow) return Fault{400, "bad_parameter", "\"slow\" is drop_oldest, drop_newest, latest_per_topic or disconnect", "?slow"};
    } else {
      return Fault{400, "unknown_parameter", "there is no parameter \"" + name + "\": topic, after, slow", "?" + name};
    }
  }
  if (order.filters.empty()) return Fault{400, "topic_needed", "which topics? ?topic=demo/%23&topic=…", "?topic"};
  return std::nullopt;
}

std::optional<Fault> read_poll(const Exchange& exchange, const TopicLimits& topics, PollOrder& poll, std::string& after) {
  if (const auto fault = check_filter(exchange.target, topics)) return Fault{400, "bad_topic", std::string(to_string(*fault)), {}};
  arena::http::Parameters parameters;
  if (auto fault = read_parameters(exchange, parameters)) return fault;
  for (auto& [name, value] : parameters) {
    std::size_t number = 0;
    if (name == "after") {
      after = std::move(value);
    } else if (name == "wait") {
      if (!read_number(value, "s", LongPoll::kWaitMaxS, number)) return Fault{400, "bad_parameter", "\"wait\" is a number of seconds from 1 to 60", "?wait"};
      poll.wait_ms = static_cast<int64_t>(number) * 1000;
    } else if (name == "limit") {
      if (!read_number(value, {}, LongPoll::kMessagesMax, number)) return Fault{400, "bad_parameter", "\"limit\" is a number from 1 to 1000", "?limit"};
      poll.messages_max = number;
    } else {
      return Fault{400, "unknown_parameter", "there is no parameter \"" + name + "\": after, wait, limit", "?" + name};
    }
  }
  return std::nullopt;
}

std::optional<Fault> read_after(const std::string& after, const std::string& where, EventOrder& order) {
  order.after = parse_event_id(after, order.filters.size());
  if (order.after) return std::nullopt;
  return Fault{400, "bad_event_id", "this is no id of an event of these topics, in their order", where};
}

}  // namespace

Events::Events(Door& door, broker::Shard& shard, EventSeats& seats)
    : door_(door), shard_(shard), seats_(seats), forget_shown_(&Events::forget_shown, this) {}
Events::~Events() = default;

void Events::open(const ExchangeRef& exchange) {
  if (exchange->request.method == "HEAD") return answer_fault(exchange, {405, "method_not_allowed", "events have no end, so HEAD has no answer", {}});
  EventOrder order;
  std::string after;
  if (const auto fault = read_order(*exchange, door_.options()->messages, order, after)) return answer_fault(exchange, *fault);
  // A browser that comes back says it in the field, whatever the page's address says.
  const std::string* last = exchange->request.field("last-event-id");
  if (last != nullptr) after = *last;
  if (last != nullptr || !after.empty()) {
    if (const auto fault = read_after(after, last != nullptr ? "last-event-id:" : "?after", order)) return answer_fault(exchange, *fault);
  }
  follow<EventStream>(exchange, std::move(order));
}

void Events::poll(const ExchangeRef& exchange) {
  if (exchange->request.method == "HEAD") return answer_fault(exchange, {405, "method_not_allowed", "what is waited for is a body, so HEAD has no answer", {}});
  EventOrder order;
  PollOrder poll;
  std::string after;
  if (const auto fault = read_poll(*exchange, door_.options()->messages, poll, after)) return answer_fault(exchange, *fault);
  order.filters.push_back(exchange->target);
  if (!after.empty()) {
    if (const auto fault = read_after(after, "?after", order)) return answer_fault(exchange, *fault);
  }
  follow<LongPoll>(exchange, std::move(order), poll);
}

template <typename Kind, typename... More>
void Events::follow(const ExchangeRef& exchange, EventOrder order, const More&... more) {
  Result<EventSeat, Refused> seat = seats_.take(exchange->principal, *door_.options());
  if (!seat) return answer_no_seat(door_, exchange, seat.error());
  const uint64_t id = next_id_++;
  auto follower = std::make_unique<Kind>(*this, id, exchange, std::move(order), std::move(*seat), more...);
  Follower& added = *follower;
  followers_.emplace(id, std::move(follower));
  door_.counters().event_streams.set(followers_.size());
  added.begin();
}

Follower* Events::find(uint64_t id) const {
  const auto it = followers_.find(id);
  return it == followers_.end() ? nullptr : it->second.get();
}

void Events::bury(uint64_t id) {
  const auto it = followers_.find(id);
  if (it == followers_.end()) return;
  dead_.push_back(std::move(it->second));
  followers_.erase(it);
  door_.counters().event_streams.set(followers_.size());
  if (dead_.size() == 1) {
    door_.loop().defer([this] { dead_.clear(); });
  }
}

const std::string& Events::shown(const MessageRef& message, const std::string& position) {
  if (shown_.empty()) door_.loop().arm(forget_shown_, kShownMs);
  return shown_.show(message, position);
}

void Events::forget_shown(void* self) { static_cast<Events*>(self)->shown_.clear(); }

void add_event_routes(Door& door, Events& events) {
  door.router().add({"GET", "/v1/events", Access::ticketed, [&events](const ExchangeRef& exchange) { events.open(exchange); }});
  door.router().add({"GET", "/v1/topics/{topic}", Access::identified, [&events](const ExchangeRef& exchange) { events.poll(exchange); }});
}

}  // namespace arena::gateway::http
