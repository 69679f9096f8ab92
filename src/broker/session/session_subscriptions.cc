// Subscribing and unsubscribing: CURSORS.md 4 and 5.
#include <algorithm>
#include <utility>

#include "broker/session/session.h"
#include "broker/shard.h"
#include "message/topic.h"

namespace arena::broker {

bool Session::has_durable() const {
  return std::any_of(subscriptions_.begin(), subscriptions_.end(), [](const auto& subscription) { return subscription->durable; });
}

void Session::set_aside(bool aside) {
  if (!is_reader_) return;
  for (const auto& subscription : subscriptions_) {
    if (subscription->durable) shard_.set_aside(*subscription, aside);
  }
}

Filters Session::durable_filters() {
  Filters& known = rare().durable_filters;
  if (!known) {
    auto list = std::make_unique<FilterList>();
    for (const auto& subscription : subscriptions_) {
      if (subscription->durable) list->filters.emplace_back(subscription->request.filter);
    }
    known = Filters(list.release());
  }
  return known;
}

void Session::forget_durable_filters() {
  if (!rare_ || !rare_->durable_filters) return;
  rare_->durable_filters = {};
  tidy();
}

void Session::become_reader() {
  forget_durable_filters();
  if (is_reader_) return;
  is_reader_ = true;
  shard_.register_reader(id_, *this);
}

void Session::subscribe(std::vector<SubscribeOrder> orders, uint64_t cookie) {
  PendingAnswer& answer = rare().answers[cookie];
  answer.attachment = attachment_;
  answer.open = orders.size();
  answer.retained.resize(orders.size());
  for (std::size_t slot = 0; slot < orders.size(); ++slot) {
    SubscribeOrder& request = orders[slot];
    answer.outcomes.push_back({SubscribeStatus::granted, request.granted});  // as asked, also when unsubscribed meanwhile
    const access::Subject subject = this->subject();
    if (!access::may_subscribe(shard_.policy().covers(subject, request.filter))) {
      answer_subscribe(slot, cookie, SubscribeStatus::denied);
      continue;
    }
    if (!request.slow) request.slow = shard_.policy().slow_policy(subject, request.filter).value_or(shard_.options().slow_policy);
    if (request.from) {
      subscribe_replay(std::move(request), slot, cookie);
      continue;
    }
    const std::string name = subscription_name(request.group, request.filter);
    end_replay(name);
    if (subscriptions_.find(name) == nullptr && subscription_count() >= shard_.options().subscriptions_per_session_max) {
      shard_.counters().subscriptions_refused.add();
      answer_subscribe(slot, cookie, SubscribeStatus::quota);
    } else if (request.group.empty()) {
      subscribe_plain(request, slot, cookie);
    } else {
      subscribe_group(request, slot, cookie);
    }
  }
}

Subscription& Session::add_subscription(const SubscribeRequest& request) {
  auto subscription = std::make_unique<Subscription>(*this);
  subscription->request = request;
  shard_.counters().subscriptions.add();
  if (!request.group.empty()) shard_.counters().shared_subscriptions.add();
  return subscriptions_.add(std::move(subscription));
}

void Session::subscribe_plain(const SubscribeRequest& request, std::size_t slot, uint64_t cookie) {
  Subscription* subscription = subscriptions_.find(subscription_name({}, request.filter));
  const bool fresh = subscription == nullptr;
  Change change = begin_change(request);
  if (fresh) subscription = &add_subscription(request);
  // Until the change is committed it is durable if it was or will be: a refusal must leave it as it was.
  subscription->request = request;
  subscription->durable = subscription->durable || wants_durable(request);
  if (subscription->durable) become_reader();
  const bool retained =
      request.retained == RetainedOnSubscribe::always || (request.retained == RetainedOnSubscribe::if_new && fresh);
  auto done = [shard = &shard_, id = id_, slot, cookie, change = std::move(change)](std::vector<MessageRef> messages) mutable {
    Session* session = shard->find_session(id);
    if (session != nullptr) session->on_interest_known(std::move(change), slot, cookie, std::move(messages));
  };
  shard_.add_interest(*subscription, subscription->durable ? id_ : 0, feed_.floors(), retained, std::move(done));
}

void Session::subscribe_replay(SubscribeOrder order, std::size_t slot, uint64_t cookie) {
  if (!order.group.empty() || shard_.streams().reached_by(order.filter).empty()) {
    answer_subscribe(slot, cookie, SubscribeStatus::no_stream);
    return;
  }
  const std::string name = order.replay_name;
  remove_subscription(name);
  end_replay(name);
  if (subscription_count() >= shard_.options().subscriptions_per_session_max) {
    shard_.counters().subscriptions_refused.add();
    answer_subscribe(slot, cookie, SubscribeStatus::quota);
    return;
  }
  shard_.counters().subscriptions.add();
  std::unique_ptr<Replay>& replay = rare().replays[name];
  replay = std::make_unique<Replay>(shard_, *this, shard_.next_reader_id(), std::move(order));
  replay->prepare([shard = &shard_, id = id_, slot, cookie] {
    if (Session* session = shard->find_session(id)) session->answer_subscribe(slot, cookie, SubscribeStatus::granted);
  });
}

// False: there is none of that name.
bool Session::end_replay(const std::string& name) {
  if (!rare_) return false;
  const auto it = rare_->replays.find(name);
  if (it == rare_->replays.end()) return false;
  // It may be what called us: it goes when the turn does.
  auto gone = std::make_shared<std::unique_ptr<Replay>>(std::move(it->second));
  rare_->replays.erase(it);
  (*gone)->end();
  shard_.counters().subscriptions.sub();
  shard_.loop().defer([gone] {});
  return true;
}

// Does that replay still run?
bool Session::replays(uint32_t number) const {
  if (!rare_) return false;
  const auto& all = rare_->replays;
  return std::any_of(all.begin(), all.end(), [number](const auto& entry) { return entry.second->number() == number; });
}

void Session::end_replays() {
  while (rare_ && !rare_->replays.empty()) end_replay(std::string(rare_->replays.begin()->first));
}

bool Session::wants_durable(const SubscribeRequest& request) const {
  return persistent() && request.granted != Guarantee::at_most_once;
}

// The subscription's request stands: records are kept for it exactly if it wants that.
void Session::settle_durable(Subscription& subscription) {
  if (!subscription.durable || wants_durable(subscription.request)) return;
  if (is_changing(subscription_name(subscription.request.group, subscription.request.filter))) return;
  subscription.durable = false;
  shard_.set_aside(subscription, false);
  subscription.born.clear();
  forget_durable_filters();
  shard_.withdraw_durable(subscription, id_, !has_durable());
}

// Before the subscription is changed.
Session::Change Session::begin_change(const SubscribeRequest& request) {
  std::string name = subscription_name(request.group, request.filter);
  std::shared_ptr<Standing>& standing = rare().changing[name];
  if (standing == nullptr) {
    standing = std::make_shared<Standing>();
    if (const Subscription* subscription = subscriptions_.find(name)) standing->request = subscription->request;
  }
  ++standing->open;
  return {std::move(name), request, standing};
}

// While others are under way the subscription is what was asked for last. One that was unsubscribed meanwhile is not theirs.
void Session::end_change(const Change& change, bool committed) {
  Standing& standing = *change.standing;
  if (committed) standing.request = change.request;
  if (--standing.open != 0 || !rare_) return;
  const auto it = rare_->changing.find(change.name);
  if (it == rare_->changing.end() || it->second != change.standing) return;
  rare_->changing.erase(it);
  if (!committed) go_back(change.name, standing);
}

void Session::go_back(const std::string& name, const Standing& standing) {
  Subscription* subscription = subscriptions_.find(name);
  if (subscription == nullptr) return;
  if (!standing.request) {
    remove_subscription(name);
    return;
  }
  subscription->request = *standing.request;
  if (subscription->request.group.empty()) settle_durable(*subscription);  // a group has not heard of the new ones
  if (has_record_) write_later();  // with another change the refused one may have been stored
}

void Session::on_interest_known(Change change, std::size_t slot, uint64_t cookie, std::vector<MessageRef> retained) {
  if (subscriptions_.find(change.name) == nullptr) {  // unsubscribed meanwhile
    finish_subscribe(change.name, slot, cookie, {});
    return;
  }
  if (!has_record_ || !persistent()) {
    end_change(change, true);
    finish_subscribe(change.name, slot, cookie, std::move(retained));
    return;
  }
  write([shard = &shard_, id = id_, slot, cookie, change = std::move(change),
         retained = std::move(retained)](engine::CommitStatus status) mutable {
    Session* session = shard->find_session(id);
    if (session == nullptr) return;
    const bool committed = status == engine::CommitStatus::committed;
    session->end_change(change, committed);
    if (committed) {
      session->finish_subscribe(change.name, slot, cookie, std::move(retained));
    } else {
      session->answer_subscribe(slot, cookie, SubscribeStatus::failed);
    }
  });
}

// In the turn the owner's answer arrives: what it routes from now on is mine. What it routed before came to a live cursor, or is
// not its; read again it would be judged by options that it did not come under, such as no local.
void Session::join_log(const Places& ends) {
  for (const auto& [log, end] : ends) {
    feed_.join(log, end, open_for_sending());
    on_end(log, end);
  }
}

void Session::finish_subscribe(const std::string& name, std::size_t slot, uint64_t cookie,
                               std::vector<MessageRef> retained) {
  Subscription* subscription = subscriptions_.find(name);
  if (subscription != nullptr) settle_durable(*subscription);
  if (!rare_) return;
  const auto it = rare_->answers.find(cookie);
  if (it == rare_->answers.end() || it->second.attachment != attachment_) return;
  if (subscription != nullptr) it->second.retained[slot] = {name, std::move(retained)};
  answer_subscribe(slot, cookie, SubscribeStatus::granted);
}

void Session::answer_subscribe(std::size_t slot, uint64_t cookie, SubscribeStatus status) {
  if (!rare_) return;
  const auto it = rare_->answers.find(cookie);
  if (it == rare_->answers.end() || it->second.attachment != attachment_ || sink_ == nullptr) return;
  it->second.outcomes[slot].status = status;
  if (--it->second.open != 0) return;
  PendingAnswer answer = std::move(it->second);
  rare_->answers.erase(it);
  tidy();
  sink_->subscribed(cookie, answer.outcomes);
  for (auto& [name, messages] : answer.retained) {
    for (MessageRef& message : messages) {
      const auto newer = answer.newer.find(message->topic);
      if (newer != answer.newer.end()) message = newer->second;  // never a value older than one sent live
    }
    add_last_values(name, std::move(messages));
  }
  resume();
}

void Session::each_subscription(const std::function<void(const Subscription& subscription, std::string_view name)>& visit) const {
  for (const auto& subscription : subscriptions_) visit(*subscription, subscription_name(subscription->request.group, subscription->request.filter));
  if (!rare_) return;
  for (const auto& [name, replay] : rare_->replays) visit(replay->subscription(), name);
}

// What somebody may no longer say is no longer said for them.
bool Session::publisher_may(const Message& message) const {
  if (message.publisher == 0) return true;  // the broker itself
  return shard_.policy().may_still_publish({principal().space, message.principal}, message.topic);
}

void Session::unsubscribe(std::vector<FilterName> names, uint64_t cookie) {
  std::vector<char> existed;
  std::vector<std::shared_ptr<Subscription>> removed;
  bool freed = false;
  for (const FilterName& name : names) {
    if (name.group.empty() && end_replay(name.filter)) {
      existed.push_back(1);
      continue;
    }
    std::unique_ptr<Subscription> taken = subscriptions_.take(subscription_name(name.group, name.filter));
    existed.push_back(taken != nullptr);
    if (taken == nullptr) continue;
    if (rare_) rare_->changing.erase(subscription_name(name.group, name.filter));
    removed.push_back(std::move(taken));
    shard_.counters().subscriptions.sub();
    if (!name.group.empty()) shard_.counters().shared_subscriptions.sub();
    shard_.silence(*removed.back());
    if (removed.back()->group_id != 0) return_group_waiting(removed.back()->group_id);
    freed = freed || has_last_values();
    if (freed && rare_) rare_->last_values.remove(subscription_name(name.group, name.filter));
  }
  forget_durable_filters();
  if (!names.empty() && !ended_) drop_unwanted();
  if (freed && !ended_) resume();  // what has waited behind them
  auto finish = [shard = &shard_, id = id_, attachment = attachment_, cookie, existed = std::move(existed),
                 removed = std::move(removed)](engine::CommitStatus) {
    Session* session = shard->find_session(id);
    for (const auto& subscription : removed) {
      if (session != nullptr) {
        session->forget(*subscription);
      } else {
        shard->forget_subscription(*subscription, id, true);
      }
    }
    if (session == nullptr || session->sink_ == nullptr || session->attachment_ != attachment || cookie == 0) return;
    session->sink_->unsubscribed(cookie, std::span<const bool>(reinterpret_cast<const bool*>(existed.data()), existed.size()));
  };
  if (!has_record_ || !persistent() || ended_) {
    finish(engine::CommitStatus::committed);
  } else {
    write_for_good(std::move(finish));  // the removal is committed before the interest goes
  }
}

// The same filter may have been subscribed to again while the removal was being written: that interest stays.
void Session::forget(const Subscription& removed) {
  const Subscription* again = subscriptions_.find(subscription_name(removed.request.group, removed.request.filter));
  if (again == nullptr) {
    shard_.forget_subscription(removed, id_, !has_durable());
  } else if (removed.durable && !again->durable) {
    shard_.withdraw_durable(removed, id_, !has_durable());
  }
}

void Session::remove_subscription(const std::string& name) {
  const Subscription* subscription = subscriptions_.find(name);
  if (subscription == nullptr) return;
  std::vector<FilterName> names{{std::string(subscription->request.group), std::string(subscription->request.filter)}};
  unsubscribe(std::move(names), 0);
}

}  // namespace arena::broker
