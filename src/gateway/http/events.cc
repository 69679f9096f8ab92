#include "gateway/http/events.h"

#include <algorithm>
#include <utility>

#include "gateway/http/door.h"
#include "gateway/http/event_stream.h"
#include "gateway/http/publish.h"
#include "message/topic.h"

namespace arena::gateway::http {
namespace {

std::optional<Fault> read_order(const Exchange& exchange, const TopicLimits& topics, EventOrder& order, std::string& after) {
  arena::http::Parameters parameters;
  if (!arena::http::read_query(exchange.request.query, parameters)) {
    return Fault{400, "bad_query", "the query has a % that no two hexadecimal digits follow", {}};
  }
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

}  // namespace

Events::Events(Door& door, broker::Shard& shard) : door_(door), shard_(shard) {}
Events::~Events() = default;

void Events::open(const ExchangeRef& exchange) {
  if (exchange->request.method == "HEAD") return answer_fault(exchange, {405, "method_not_allowed", "events have no end, so HEAD has no answer", {}});
  EventOrder order;
  std::string after;
  if (const auto fault = read_order(*exchange, door_.options()->topics, order, after)) return answer_fault(exchange, *fault);
  // A browser that comes back says it in the field, whatever the page's address says.
  const std::string* last = exchange->request.field("last-event-id");
  if (last != nullptr) after = *last;
  if (last != nullptr || !after.empty()) {
    order.after = parse_event_id(after, order.filters.size());
    if (!order.after) {
      return answer_fault(exchange, {400, "bad_event_id", "this is no id of an event of these topics, in their order", last != nullptr ? "last-event-id:" : "?after"});
    }
  }
  const uint64_t id = next_id_++;
  auto stream = std::make_unique<EventStream>(*this, id, exchange, std::move(order));
  EventStream& added = *stream;
  streams_.emplace(id, std::move(stream));
  added.begin();
}

EventStream* Events::find(uint64_t id) const {
  const auto it = streams_.find(id);
  return it == streams_.end() ? nullptr : it->second.get();
}

void Events::bury(uint64_t id) {
  const auto it = streams_.find(id);
  if (it == streams_.end()) return;
  dead_.push_back(std::move(it->second));
  streams_.erase(it);
  if (dead_.size() == 1) {
    door_.loop().defer([this] { dead_.clear(); });
  }
}

void add_event_routes(Door& door, Events& events) {
  door.router().add({"GET", "/v1/events", Access::identified, [&events](const ExchangeRef& exchange) { events.open(exchange); }});
}

}  // namespace arena::gateway::http
