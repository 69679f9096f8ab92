// How messages leave a session: the queue, the window, the seam with the log. CURSORS.md 5-8, 11.
#include <algorithm>
#include <iterator>
#include <utility>

#include "broker/session/session.h"
#include "broker/shard.h"
#include "message/topic.h"

namespace arena::broker {

bool Session::may_read(Subscription& subscription, std::string_view topic) {
  const access::Policy& policy = shard_.policy();
  if (subscription.covered_epoch == policy.epoch()) return true;
  const access::Subject subject{principal_, client_id_};
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
  if (merged.durable && routed.stored) {
    if (!feed_.admits(routed.partition, routed.offset)) return;  // the log will give it to me
    if (waiting_bytes_ >= queued_bytes_max() || !last_values_.empty()) {
      feed_.fall_behind(routed.partition);
      return;
    }
    if (!feed_.find(routed.partition)->take(routed.offset)) return;
    Item item{routed.message, merged.guarantee, merged.retained, true, routed.partition, routed.offset};
    item.ids = merged.ids;
    enqueue(std::move(item));
    return;
  }
  if (sink_ == nullptr) {
    shard_.counters().drop(Drop::offline);
    return;
  }
  Item item{routed.message, merged.guarantee, merged.retained};
  item.slow = merged.slow;
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
  for (auto& [cookie, answer] : answers_) {
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
                               [&](const auto& entry) { return entry.second->group_id == item.origin.group; });
  if (ended_ || sink_ == nullptr || it == subscriptions_.end()) {
    refuse(item.origin);
    return;
  }
  if (!may_read(*it->second, item.message->topic)) {
    shard_.counters().drop(Drop::denied_delivery);
    settled(item);
    return;
  }
  item.slow = it->second->request.slow.value_or(SlowPolicy::drop_oldest);
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

// A tag of an exactly-once delivery must outlive a restart even when its message does not: the receiver remembers it,
// and would take the next message under it for a repetition.
bool Session::must_record_tag(const Item& item) const {
  return persistent() && item.guarantee == Guarantee::exactly_once && item.restored_tag == 0;
}

void Session::enqueue(Item item) {
  if (waiting_.empty() && last_values_.empty() && may_send() && !must_record_tag(item)) {
    if (!drop_if_expired(item)) send(std::move(item));
    return;
  }
  waiting_bytes_ += item.bytes();
  waiting_.push_back(std::move(item));
  pump();
}

// Is there room for one more at at least once or above?
bool Session::may_send() const {
  return open_for_sending() && !recording_ && parked_ == 0 && has_room() && sink_->ready();
}

// Nothing is in front of what comes now at most once.
bool Session::transient_may_leave() const {
  return waiting_transient_.empty() && last_values_.empty() && open_for_sending() && sink_->ready();
}

void Session::enqueue_transient(Item item) {
  if (transient_may_leave()) {
    if (!drop_if_expired(item)) send_transient(item);
    return;
  }
  wait_transient(std::move(item));
}

// The subscriber is behind: what it has to do without is its subscription's policy.
void Session::wait_transient(Item item) {
  const std::size_t bytes_max = queued_bytes_max();
  const bool full = waiting_bytes_ + item.bytes() > bytes_max;
  if (full && (item.slow == SlowPolicy::drop_newest || item.slow == SlowPolicy::disconnect)) {
    shard_.counters().drop(Drop::queue_full_newest);
    if (item.slow == SlowPolicy::disconnect) evict(EndReason::queue_full, DetachKind::abrupt);
    return;
  }
  push_transient(std::move(item));
  while (waiting_bytes_ > bytes_max && !waiting_transient_.empty()) {
    waiting_bytes_ -= waiting_transient_.pop().bytes();
    shard_.counters().drop(Drop::queue_full);
  }
}

void Session::push_transient(Item item) {
  waiting_bytes_ += item.bytes();
  if (item.slow != SlowPolicy::latest_per_topic) {
    waiting_transient_.push(std::move(item));
  } else if (const auto superseded = waiting_transient_.push_latest(std::move(item))) {
    waiting_bytes_ -= superseded->bytes();
    shard_.counters().drop(Drop::superseded);
  }
}

bool Session::drop_if_expired(const Item& item) {
  if (!item.message->expired(shard_.loop().wall_ms())) return false;
  // What was sent before under a tag is finished whatever its age [MQTT-4.3.3-7].
  if (item.restored_tag != 0) return false;
  shard_.counters().drop(Drop::expired);
  settled(item);
  return true;
}

void Session::resume() {
  pump_transient();
  pump();  // last: it reads on from the log if all this has made room
}

void Session::pump_transient() {
  while (open_for_sending() && last_values_.empty() && !waiting_transient_.empty() && sink_->ready()) {
    Item item = waiting_transient_.pop();
    waiting_bytes_ -= item.bytes();
    if (!drop_if_expired(item)) send_transient(item);
  }
}

void Session::pump() {
  if (pumping_) return;
  pumping_ = true;
  if (parked_ != 0 && open_for_sending()) resend_parked();
  send_waiting();
  if (!last_values_.empty() && waiting_ahead_ == 0) {
    send_last_values();
    pump_transient();
    send_waiting();
  }
  pumping_ = false;
  read_if_room();
}

// What came behind last values waits for them.
bool Session::waiting_may_leave() const { return !waiting_.empty() && (last_values_.empty() || waiting_ahead_ > 0); }

Item Session::pop_waiting() {
  Item item = std::move(waiting_.front());
  waiting_.pop_front();
  waiting_bytes_ -= item.bytes();
  if (waiting_ahead_ > 0) --waiting_ahead_;
  return item;
}

void Session::send_waiting() {
  while (waiting_may_leave() && may_send()) {
    if (must_record_tag(waiting_.front())) {
      record_then_send();
      return;
    }
    Item item = pop_waiting();
    if (!drop_if_expired(item)) send(std::move(item));
  }
}

void Session::send_transient(const Item& item) {
  const Delivery delivery{item.message, Guarantee::at_most_once, 0, false, item.retained, item.ids};
  if (sink_->deliver(delivery) == DeliverResult::unfit) {
    shard_.counters().drop(Drop::unfit);
    return;
  }
  shard_.counters().delivered.add();
  shard_.counters().delivered_bytes.add(item.message->payload.size());
}

void Session::send(Item item) {
  const uint16_t restored = item.restored_tag;
  Outstanding& entry = window_.add(std::move(item), Stage::sent, restored);
  entry.ever_sent = restored != 0;
  transmit(entry);
}

Outstanding Session::take_out(uint16_t tag) {
  Outstanding out = window_.remove(tag);
  if (out.stage == Stage::parked) --parked_;
  return out;
}

// May remove the entry: one that can never be taken is settled.
void Session::transmit(Outstanding& entry) {
  const Item& item = entry.item;
  const Delivery delivery{item.message, item.guarantee, entry.tag, entry.ever_sent, item.retained, item.ids};
  if (sink_->deliver(delivery) == DeliverResult::unfit) {
    shard_.counters().drop(Drop::unfit);
    const Outstanding gone = take_out(entry.tag);
    settled(gone.item);
    return;
  }
  if (entry.ever_sent) shard_.counters().redelivered.add();
  entry.ever_sent = true;
  shard_.counters().delivered.add();
  shard_.counters().delivered_bytes.add(item.message->payload.size());
}

// Exactly once: {tag -> offset} is committed before the message leaves, one commit for all that fit the window.
void Session::record_then_send() {
  recording_ = true;
  while (waiting_may_leave() && has_room()) {
    Item item = pop_waiting();
    if (drop_if_expired(item)) continue;
    const uint16_t restored = item.restored_tag;
    window_.add(std::move(item), Stage::recording, restored).ever_sent = restored != 0;
  }
  write_recording();
}

void Session::write_recording() {
  recording_failed_ = false;
  write([shard = &shard_, id = id_, attachment = attachment_](engine::CommitStatus status) {
    if (Session* session = shard->find_session(id)) session->on_recorded(attachment, status);
  });
}

void Session::on_recorded(uint32_t attachment, engine::CommitStatus status) {
  if (attachment != attachment_ || sink_ == nullptr || !recording_) return;
  if (status != engine::CommitStatus::committed) {
    recording_failed_ = true;  // the tick tries again
    return;
  }
  recording_ = false;
  for (Outstanding& entry : window_.entries()) {
    if (entry.stage != Stage::recording) continue;
    entry.stage = Stage::parked;  // and leaves as the window allows: it may be smaller than when they were gathered
    ++parked_;
  }
  pump();
}

bool Session::settle(uint16_t tag) {
  Outstanding* entry = window_.find(tag);
  if (entry == nullptr) return false;
  const Outstanding gone = take_out(tag);
  settled(gone.item);
  pump();
  return true;
}

bool Session::received(uint16_t tag) {
  Outstanding* entry = window_.find(tag);
  if (entry == nullptr || entry->item.guarantee != Guarantee::exactly_once) return false;
  if (entry->stage == Stage::received || !persistent()) {
    const bool again = entry->stage == Stage::received;
    entry->stage = Stage::received;
    sink_->release(tag, again);
    return true;
  }
  if (entry->stage != Stage::releasing) releasing_.push_back(tag);
  entry->stage = Stage::releasing;
  if (!releases_scheduled_) {
    releases_scheduled_ = true;
    shard_.loop().defer([shard = &shard_, id = id_] {
      if (Session* session = shard->find_session(id)) session->write_releases();
    });
  }
  return true;
}

void Session::write_releases() {
  releases_scheduled_ = false;
  releases_failed_ = false;
  if (releasing_.empty() || sink_ == nullptr) return;
  write([shard = &shard_, id = id_, attachment = attachment_, tags = releasing_](engine::CommitStatus status) {
    if (Session* session = shard->find_session(id)) session->on_releases_recorded(attachment, tags, status);
  });
}

void Session::on_releases_recorded(uint32_t attachment, const std::vector<uint16_t>& tags, engine::CommitStatus status) {
  if (attachment != attachment_ || sink_ == nullptr) return;
  if (status != engine::CommitStatus::committed) {
    releases_failed_ = true;  // the tick tries again
    return;
  }
  for (uint16_t tag : tags) {
    Outstanding* entry = window_.find(tag);
    if (entry == nullptr || entry->stage != Stage::releasing) continue;
    entry->stage = Stage::received;
    std::erase(releasing_, tag);
    sink_->release(tag, false);  // in the order they were received [MQTT-4.6.0-4]
  }
}

void Session::settled(const Item& item) {
  if (item.origin.number != 0) {
    shard_.call(group_core(item.origin.group), [origin = item.origin](Shard& shard) {
      if (Group* group = shard.find_group(origin.group)) group->settle(origin.number);
    });
  }
  if (item.stored && item.origin.number == 0) {
    if (Cursor* cursor = feed_.find(item.partition)) cursor->settle(item.offset);
  }
  if (!item.stored || ended_) return;
  ++dirty_settled_;
  if (dirty_settled_ == shard_.options().cursor_flush_settled) {
    write({});
  } else {
    shard_.want_tick();
  }
}

// A new connection: what left before leaves again, in its first order, with the same tags, as the window allows.
void Session::resend_window() {
  recording_ = false;
  parked_ = 0;
  releasing_.clear();
  std::vector<uint16_t> releases;
  bool unrecorded = false;
  for (Outstanding& entry : window_.entries()) {
    if (entry.stage == Stage::received) {
      releases.push_back(entry.tag);
    } else if (entry.stage == Stage::recording && !entry.ever_sent) {
      unrecorded = true;
    } else {
      // `releasing` too: that note was not written when the connection ended, so the message goes out again.
      entry.stage = Stage::parked;
      ++parked_;
    }
  }
  for (uint16_t tag : releases) sink_->release(tag, true);
  resend_parked();
  if (unrecorded) {
    recording_ = true;
    write_recording();
  }
}

void Session::resend_parked() {
  std::vector<uint16_t> tags;
  std::size_t room = inflight_max_ - std::min(inflight_max_, window_.size() - parked_);
  for (const Outstanding& entry : window_.entries()) {
    if (entry.stage == Stage::parked && tags.size() < room) tags.push_back(entry.tag);
  }
  for (uint16_t tag : tags) {
    Outstanding* entry = window_.find(tag);
    if (entry == nullptr || entry->stage != Stage::parked) continue;
    entry->stage = Stage::sent;
    --parked_;
    transmit(*entry);
  }
}

// Without a connection nothing waits in memory that the log still has.
void Session::drop_waiting() {
  for (const Item& item : waiting_transient_.take_all()) {
    waiting_bytes_ -= item.bytes();
    shard_.counters().drop(Drop::offline);
  }
  if (!persistent() || ended_) {
    shard_.counters().drop(Drop::session_ended, last_values_.size());
    last_values_.clear();
  }
  Ring<Item> kept;
  for (Item& item : waiting_) {
    if (item.origin.number != 0) {
      waiting_bytes_ -= item.bytes();
      give_back(item.origin);
    } else if (item.stored) {
      waiting_bytes_ -= item.bytes();
      if (item.restored_tag != 0) {
        restored_tags_[{item.partition, item.offset}] = item.restored_tag;
        window_.reserve(item.restored_tag);
      }
      if (Cursor* cursor = feed_.find(item.partition)) cursor->untake_from(item.offset);
    } else if (persistent() && !ended_) {
      kept.push_back(std::move(item));
    } else {
      waiting_bytes_ -= item.bytes();
      shard_.counters().drop(Drop::session_ended);
    }
  }
  waiting_ = std::move(kept);
  waiting_ahead_ = std::min(waiting_ahead_, waiting_.size());
}

// A leaver gives back its unsettled at-least-once messages; exactly-once ones stay with it [MQTT-4.8.2-4/5].
void Session::return_group_window() {
  std::vector<uint16_t> tags;
  for (const Outstanding& entry : window_.entries()) {
    const bool never_left = entry.stage == Stage::recording && !entry.ever_sent;
    if (entry.item.origin.number == 0) continue;
    if (entry.item.guarantee == Guarantee::at_least_once || never_left) tags.push_back(entry.tag);
  }
  for (uint16_t tag : tags) {
    const Outstanding gone = take_out(tag);
    give_back(gone.item.origin);
  }
}

// ---- the log ----

void Session::read_if_room() {
  if (!open_for_sending() || waiting_bytes_ >= queued_bytes_max() / 4) return;
  if (std::exchange(groups_refused_, false)) tell_groups();
  if (!last_values_.empty() || (!waiting_.empty() && !has_room())) return;
  if (feed_.behind()) feed_.read_more(durable_filters());
}

std::optional<Merged> Session::merge_own(const Message& message, PartitionId partition, uint64_t offset) {
  Merged merged;
  bool mine = false;
  for (auto& [name, subscription] : subscriptions_) {
    if (!subscription->durable || !subscription->is_born(partition, offset)) continue;
    if (!filter_matches(subscription->request.filter, message.topic)) continue;
    if (subscription->request.no_local && message.publisher == identity_) continue;
    if (!may_read(*subscription, message.topic)) {
      shard_.counters().drop(Drop::denied_delivery);
      continue;
    }
    mine = true;
    merged.guarantee = std::max(merged.guarantee, std::min(message.guarantee, subscription->request.granted));
    merged.retained = merged.retained || (subscription->request.keep_retained_flag && message.retain);
    if (subscription->request.id != 0) merged.ids.push_back(subscription->request.id);
  }
  if (!mine) return std::nullopt;
  return merged;
}

void Session::take_record(PartitionId partition, engine::Record& record) {
  Cursor* cursor = feed_.find(partition);
  if (record.offset < cursor->next()) return;
  std::optional<Merged> merged = merge_own(*record.message, partition, record.offset);
  if (!merged || !cursor->take(record.offset)) return;
  Item item{std::move(record.message), merged->guarantee, merged->retained, true, partition, record.offset};
  item.ids = std::move(merged->ids);
  const auto restored = restored_tags_.find({partition, record.offset});
  if (restored != restored_tags_.end()) {
    item.restored_tag = restored->second;
    item.guarantee = Guarantee::exactly_once;  // as it began, whatever the subscription says now
    restored_tags_.erase(restored);
  }
  if (item.guarantee == Guarantee::at_most_once) {
    // The subscription is just being lowered to that: nobody would ever settle it under a tag [MQTT-3.3.1-2].
    settled(item);
    item.stored = false;
    enqueue_transient(std::move(item));
    return;
  }
  waiting_bytes_ += item.bytes();
  waiting_.push_back(std::move(item));
}

// Tags of deliveries begun before a restart that the log does not give back: settled, or no longer mine. The receiver
// may still hold them open, so they are released.
void Session::release_unread(PartitionId partition, uint64_t next) {
  std::vector<uint16_t> tags;
  for (auto it = restored_tags_.begin(); it != restored_tags_.end();) {
    if (it->first.first != partition || it->first.second >= next) {
      ++it;
      continue;
    }
    tags.push_back(it->second);
    it = restored_tags_.erase(it);
  }
  for (uint16_t tag : tags) release_tag(tag);
}

void Session::release_tag(uint16_t tag) {
  Item item;
  item.guarantee = Guarantee::exactly_once;
  window_.add(std::move(item), Stage::received, tag).ever_sent = true;
  if (open_for_sending()) sink_->release(tag, true);
}

void Session::on_read(ReadAnswer answer) {
  if (!feed_.accept(answer)) return;
  for (engine::Record& record : answer.records) {
    if (waiting_bytes_ >= queued_bytes_max()) {
      answer.stop_at(record.offset);
      break;
    }
    take_record(answer.partition, record);
  }
  feed_.finish(answer);
  release_unread(answer.partition, answer.next);
  pump();
}

void Session::on_end(PartitionId partition, uint64_t end) {
  Cursor* cursor = feed_.find(partition);
  if (cursor != nullptr && cursor->seam == Cursor::Seam::live) cursor->advance(end);
}

void Session::on_tick() {
  feed_.report_floors();
  if (releases_failed_) write_releases();
  if (recording_ && recording_failed_) {
    write_recording();
  } else if (dirty()) {
    write({});
  }
  if (dirty()) shard_.want_tick();
}

}  // namespace arena::broker
