// What comes to a session, and where it waits until it may leave. CURSORS.md 5-8, 11.
#include <utility>

#include "broker/session/session.h"
#include "broker/shard.h"

namespace arena::broker {

bool Session::may_read(Subscription& subscription, std::string_view topic) {
  const access::Policy& policy = shard_.policy();
  if (subscription.covered_epoch == policy.epoch()) return true;
  const access::Subject subject = this->subject();
  if (policy.covers(subject, subscription.request.filter) == access::Coverage::all) {
    subscription.covered_epoch = policy.epoch();
    return true;
  }
  return policy.decide(subject, access::Action::subscribe, topic).allowed();
}

void Session::take(const Routed& routed, const Merged& merged) {
  if (ended_) return;
  if (routed.message->retain) {
    if (!note_newer(routed.message)) return;
  }
  // While a subscription is being raised its owner may not have told me of the log yet: it comes as it did until then.
  if (merged.durable && routed.stored && feed_.find({routed.log.partition, LogId::inbox}) != nullptr) {
    if (!feed_.admits(shard_, routed.log, routed.offset)) return;  // the log will give it to me
    if (waiting_bytes_ >= queued_bytes_max() || has_last_values()) {
      feed_.fall_behind(shard_, routed.log);
      return;
    }
    if (!feed_.find(routed.log)->take(routed.offset)) return;
    Item item{routed.message, merged.guarantee, merged.retained, true, routed.log, routed.offset};
    item.positions = merged.positions;
    item.ids = merged.ids;
    enqueue(std::move(item));
    return;
  }
  if (sink_ == nullptr) {
    shard_.counters().drop(Drop::offline);
    return;
  }
  Item item{routed.message, merged.guarantee, merged.retained, false, routed.log, routed.offset};
  item.positions = merged.positions && routed.stored;
  item.slow = merged.slow;
  item.replay = merged.replay;
  item.ids = merged.ids;
  if (merged.guarantee == Guarantee::at_most_once) {
    enqueue_transient(std::move(item));
  } else if (waiting_bytes_ >= queued_bytes_max()) {
    evict(EndReason::queue_full, DetachKind::abrupt);  // there is no log to fall back to, and no silent drop
  } else {
    enqueue(std::move(item));
  }
}

// Bounded like all that is kept for one session. False: it was ended for that.
bool Session::note_newer(const MessageRef& message) {
  constexpr std::size_t kEntryBytes = 128;
  if (!rare_) return true;
  for (auto& [cookie, answer] : rare_->answers) {
    answer.newer.insert_or_assign(message->topic, message);
    if (answer.newer.size() * kEntryBytes < shard_.options().queued_bytes_per_session_max) continue;
    evict(EndReason::queue_full, DetachKind::abrupt);
    return false;
  }
  return true;
}

void Session::take(RoutedBurst& routed, const Merged& merged) {
  const Burst& burst = *routed.burst;
  if (transient_may_leave() && merged.ids.empty() && sink_->deliver_burst(routed.burst)) {
    shard_.counters().delivered.add(burst.size());
    shard_.counters().delivered_bytes.add(burst.payload_bytes());
    return;
  }
  for (const Routed& single : routed.singles()) take(single, merged);
}

// Its own bound; a little while all sessions of this core together hold what is this core's part.
std::size_t Session::queued_bytes_max() const {
  constexpr std::size_t kLittleBytes = 64 << 10;
  const Options& options = shard_.options();
  const bool full = shard_.counters().queued_bytes.get() >= options.queued_bytes_max / shard_.loop().cores();
  return full ? std::min(kLittleBytes, options.queued_bytes_per_session_max) : options.queued_bytes_per_session_max;
}

void Session::give_back(const GroupDelivery& origin) {
  if (origin.number == 0) return;
  shard_.call(group_core(origin.group), [origin](Shard& shard) {
    if (Group* group = shard.find_group(origin.group)) group->give_back(origin.number);
  });
}

// It goes back to its group, which has others or waits until I say that I am there again.
void Session::refuse(const GroupDelivery& origin) {
  shard_.call(group_core(origin.group), [origin, id = id_](Shard& shard) {
    if (Group* group = shard.find_group(origin.group)) group->refuse(id, origin.number);
  });
}

void Session::take_from_group(Item item) {
  const auto it = std::find_if(subscriptions_.begin(), subscriptions_.end(),
                               [&](const auto& entry) { return entry->group_id == item.origin.group; });
  if (ended_ || sink_ == nullptr || it == subscriptions_.end()) {
    refuse(item.origin);
    return;
  }
  // The group asks before it hands out; the rules changed meanwhile. It is for others, if it is not at most once.
  if (!may_read(**it, item.message->topic)) {
    if (!returned(item)) shard_.counters().drop(Drop::denied_delivery);
    return;
  }
  item.slow = (*it)->request.slow.value_or(SlowPolicy::drop_oldest);
  if (item.guarantee == Guarantee::at_most_once) {
    enqueue_transient(std::move(item));
  } else if (waiting_bytes_ < queued_bytes_max()) {
    enqueue(std::move(item));
  } else {
    refuse(item.origin);
    groups_refused_ = true;
    if (!item.stored) evict(EndReason::queue_full, DetachKind::abrupt);  // as if it had come without a group
  }
}

void Session::take_replayed(Item item) {
  if (ended_ || sink_ == nullptr) return;
  enqueue(std::move(item));
}

// A tag of an exactly-once delivery must outlive a restart even when its message does not: the receiver remembers it,
// and would take the next message under it for a repetition.
bool Session::must_record_tag(const Item& item) const {
  return persistent() && item.guarantee == Guarantee::exactly_once && item.restored_tag == 0;
}

void Session::count_in(const Item& item) {
  waiting_bytes_ += item.bytes();
  shard_.counters().queued_bytes.add(item.bytes());
}

void Session::count_out(const Item& item) {
  waiting_bytes_ -= item.bytes();
  shard_.counters().queued_bytes.sub(item.bytes());
}

void Session::enqueue(Item&& item) {
  if (waiting_.empty() && !has_last_values() && may_send() && !must_record_tag(item)) {
    if (!drop_if_expired(item)) send(std::move(item));
    return;
  }
  count_in(item);
  waiting_.push_back(std::move(item));
  pump();
}

// Is there room for one more at at least once or above?
bool Session::may_send() const {
  return open_for_sending() && !recording_ && parked_ == 0 && has_room() && sink_->ready();
}

// Nothing is in front of what comes now at most once.
bool Session::transient_may_leave() const {
  return waiting_transient_.empty() && !has_last_values() && open_for_sending() && sink_->ready();
}

void Session::enqueue_transient(Item&& item) {
  if (transient_may_leave()) {
    if (!drop_if_expired(item)) send_transient(item);
    return;
  }
  wait_transient(std::move(item));
}

// The subscriber is behind: what it has to do without is its subscription's policy.
void Session::wait_transient(Item&& item) {
  const std::size_t bytes_max = queued_bytes_max();
  const bool full = waiting_bytes_ + item.bytes() > bytes_max;
  if (full && (item.slow == SlowPolicy::drop_newest || item.slow == SlowPolicy::disconnect)) {
    shard_.counters().drop(Drop::queue_full_newest);
    if (item.slow == SlowPolicy::disconnect) evict(EndReason::queue_full, DetachKind::abrupt);
    return;
  }
  push_transient(std::move(item));
  while (waiting_bytes_ > bytes_max && !waiting_transient_.empty()) {
    count_out(waiting_transient_.pop());
    shard_.counters().drop(Drop::queue_full);
  }
}

void Session::push_transient(Item&& item) {
  count_in(item);
  if (item.slow != SlowPolicy::latest_per_topic) {
    waiting_transient_.push(std::move(item));
  } else if (const auto superseded = waiting_transient_.push_latest(std::move(item))) {
    count_out(*superseded);
    shard_.counters().drop(Drop::superseded);
  }
}

// What has not left and nothing matches any more is no longer mine [MQTT-3.10.4-2].
void Session::drop_unwanted() {
  drop_unsent_if([this](const Item& item) {
    if (item.origin.number != 0) return false;  // the group decides
    if (item.replay == kBrokersWord) return false;
    if (item.replay != 0) return !replays(item.replay);
    for (const auto& subscription : subscriptions_) {
      if (subscription->request.group.empty() && filter_matches(subscription->request.filter, item.message->topic)) return false;
    }
    return true;
  });
}

void Session::drop_denied() {
  const std::size_t dropped = drop_unsent_if([this](const Item& item) {
    if (item.replay != 0 && item.message->topic.starts_with(kGapPrefix)) return false;  // the broker's own word
    const access::Subject subject = this->subject();
    return !shard_.policy().decide(subject, access::Action::subscribe, item.message->topic).allowed();
  });
  shard_.counters().drop(Drop::denied_delivery, dropped);
}

// What a group gave is for its others. False: it was nobody else's.
bool Session::returned(const Item& item) {
  if (item.origin.number == 0) return false;
  give_back(item.origin);
  return true;
}

// Tells how many they were, without those that went back to their group.
std::size_t Session::drop_unsent_if(const std::function<bool(const Item&)>& not_mine) {
  std::size_t dropped = drop_waiting_if(not_mine);
  std::vector<uint16_t> tags;  // given to what has not left yet
  for (const Outstanding& entry : window_.entries()) {
    if (!entry.ever_sent && not_mine(entry.item)) tags.push_back(entry.tag);
  }
  for (uint16_t tag : tags) {
    const Item item = take_out(tag).item;
    if (returned(item)) continue;
    settled(item);
    ++dropped;
  }
  if (!tags.empty()) pump();
  return dropped;
}

// Tells how many they were, without those that went back to their group.
std::size_t Session::drop_waiting_if(const std::function<bool(const Item&)>& not_mine) {
  std::vector<Item> dropped;  // settling them may bring more
  keep_waiting([&](Item& item) {
    if (!not_mine(item)) return true;
    count_out(item);
    dropped.push_back(std::move(item));
    return false;
  });
  for (Item& item : waiting_transient_.take_all()) {
    count_out(item);
    if (not_mine(item)) {
      dropped.push_back(std::move(item));
    } else {
      push_transient(std::move(item));
    }
  }
  std::size_t count = 0;
  for (const Item& item : dropped) {
    if (returned(item)) continue;
    ++count;
    settled(item);
    if (item.restored_tag != 0) release_tag(item.restored_tag);
  }
  return count;
}

}  // namespace arena::broker
