#include "gateway/http/follower.h"

#include <algorithm>
#include <utility>

#include "broker/shard.h"
#include "broker/stream/ends.h"
#include "gateway/http/door.h"
#include "gateway/http/events.h"
#include "gateway/http/publish.h"
#include "gateway/http/publishers.h"

namespace arena::gateway::http {
namespace {

constexpr uint64_t kReplays = 1, kPlain = 2;  // cookies

std::string name_of(std::size_t filter) { return "events " + std::to_string(filter); }

}  // namespace

Follower::Follower(Events& events, uint64_t id, ExchangeRef exchange, EventOrder order, EventSeat seat)
    : events_(events), id_(id), exchange_(std::move(exchange)), order_(std::move(order)), seat_(std::move(seat)) {
  if (order_.after) reached_ = std::move(*order_.after);
  reached_.resize(order_.filters.size());
}

Follower::~Follower() {
  exchange_->on_gone = {};
  exchange_->on_room = {};
  if (session_ != nullptr) std::exchange(session_, nullptr)->detach(broker::DetachKind::clean, std::nullopt);
}

void Follower::begin() {
  exchange_->on_gone = [this] { end(); };
  broker::OpenRequest request;
  request.principal = exchange_->principal;
  request.client_id = client_id_here(events_.door().loop(), events_.shard(), request.principal);
  broker::Session* session = events_.shard().open(request, *this);
  if (!ended_ && session_ == nullptr) session_ = session;
}

void Follower::opened(broker::Session& session, bool) {
  session_ = &session;
  session.start();
  ask_ends();
}

void Follower::open_refused(broker::Outcome) {
  session_ = nullptr;
  refuse(broker::SubscribeStatus::failed);
}

// Where all that is published from now on begins: the first id says it, so that nothing is missed even by who comes back before
// there was an event. An id beyond it was given out before the log began again, as that of a broker without a store does: all of
// the log is new to who has it, and nothing but a gap without a count can be said of what came before. One that lies within a log that
// began again cannot be told from any other.
void Follower::ask_ends() {
  ends_open_ = order_.filters.size();
  for (std::size_t filter = 0; filter < order_.filters.size(); ++filter) {
    broker::stream_ends(events_.shard(), order_.filters[filter], [events = &events_, id = id_, filter](broker::Places ends) {
      if (Follower* follower = events->find(id)) follower->on_ends(filter, std::move(ends));
    });
  }
}

void Follower::on_ends(std::size_t filter, broker::Places ends) {
  if (ended_) return;
  for (const auto& [log, end] : ends) {
    if (order_.after) {
      began_again_ = reached_[filter].forget_beyond(log, end) || began_again_;
    } else if (end != 0) {
      reached_[filter].note(log, end - 1);
    }
  }
  if (--ends_open_ == 0) subscribe_replays();
}

void Follower::subscribe_replays() {
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

void Follower::subscribed(uint64_t cookie, std::span<const broker::SubscribeOutcome> outcomes) {
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

void Follower::refuse(broker::SubscribeStatus status) {
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

void Follower::start() {
  if (started_ || ended_) return;
  started_ = true;
  on_started();
  resume();
}

// A message that several filters match comes through each; the first one gives it.
bool Follower::is_first(const broker::Delivery& delivery, std::size_t& filter) const {
  const auto lowest = std::min_element(delivery.subscription_ids.begin(), delivery.subscription_ids.end());
  if (lowest == delivery.subscription_ids.end()) return false;
  filter = *lowest - 1;
  return std::none_of(order_.filters.begin(), order_.filters.begin() + static_cast<std::ptrdiff_t>(filter),
                      [&](const std::string& before) { return filter_matches(before, delivery.message->topic); });
}

broker::DeliverResult Follower::deliver(const broker::Delivery& delivery) {
  std::size_t filter = 0;
  const bool first = is_first(delivery, filter);
  const bool kept = delivery.position != nullptr && delivery.position->first.log != broker::LogId::inbox;
  if (kept) reached_[filter].note(delivery.position->first, delivery.position->second);
  take(delivery, first, kept);
  return broker::DeliverResult::sent;
}

void Follower::call_at_turn_end() {
  events_.door().loop().defer([events = &events_, id = id_] {
    if (Follower* follower = events->find(id)) follower->on_turn_end();
  });
}

// ---- the end ----

void Follower::closed(broker::EndReason) {
  session_ = nullptr;
  end();
}

void Follower::end() {
  if (ended_) return;
  ended_ = true;
  if (started_) {
    on_ended();
  } else {
    answer_fault(exchange_, {503, "failed", "the broker is stopping", {}});  // unless it was answered
  }
  events_.bury(id_);
}

}  // namespace arena::gateway::http
