// How messages leave a session, and how they are settled. CURSORS.md 5-8, 11.
#include <algorithm>
#include <iterator>
#include <utility>

#include "broker/session/session.h"
#include "broker/shard.h"

namespace arena::broker {

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
  while (open_for_sending() && !has_last_values() && !waiting_transient_.empty() && sink_->ready()) {
    Item item = waiting_transient_.pop();
    count_out(item);
    if (!drop_if_expired(item)) send_transient(item);
  }
}

void Session::pump() {
  if (pumping_) return;
  pumping_ = true;
  if (parked_ != 0 && open_for_sending()) resend_parked();
  send_waiting();
  if (has_last_values() && waiting_ahead_ == 0) {
    send_last_values();
    pump_transient();
    send_waiting();
  }
  pumping_ = false;
  read_if_room();
}

// What came behind last values waits for them.
bool Session::waiting_may_leave() const { return !waiting_.empty() && (!has_last_values() || waiting_ahead_ > 0); }

Item Session::pop_waiting() {
  Item item = std::move(waiting_.front());
  waiting_.pop_front();
  count_out(item);
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
  const std::pair<LogName, uint64_t> place{item.log, item.offset};
  const Delivery delivery{item.message, Guarantee::at_most_once, 0, false, item.retained, item.ids, item.positions ? &place : nullptr};
  if (sink_->deliver(delivery) == DeliverResult::unfit) {
    shard_.counters().drop(Drop::unfit);
    return;
  }
  shard_.counters().delivered.add();
  shard_.counters().delivered_bytes.add(item.message->payload.size());
}

void Session::send(Item&& item) {
  if (item.guarantee == Guarantee::at_most_once) return send_transient(item);
  const uint16_t restored = item.restored_tag;
  Outstanding& entry = window_.add(std::move(item), Stage::sent, restored);
  entry.ever_sent = restored != 0;
  transmit(entry);
}

Outstanding Session::take_out(uint16_t tag) {
  Outstanding out = window_.remove(tag);
  if (out.stage == Stage::parked) --parked_;
  if (out.stage == Stage::settling || out.stage == Stage::releasing) std::erase(rare().releasing, tag);  // refused after all
  return out;
}

// May remove the entry: one that can never be taken is settled.
void Session::transmit(Outstanding& entry) {
  const Item& item = entry.item;
  const std::pair<LogName, uint64_t> place{item.log, item.offset};
  const Delivery delivery{item.message,  item.guarantee, entry.tag, entry.ever_sent,
                          item.retained, item.ids,       item.positions ? &place : nullptr};
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
  while (waiting_may_leave() && has_room() && waiting_.front().guarantee != Guarantee::at_most_once) {
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
  if (entry->stage == Stage::settling || entry->stage == Stage::releasing) return true;
  const bool of_group = entry->item.stored && entry->item.origin.number != 0;
  if (entry->stage == Stage::received || (!persistent() && !of_group)) {
    const bool again = entry->stage == Stage::received;
    entry->stage = Stage::received;
    sink_->release(tag, again);
    return true;
  }
  entry->stage = of_group ? Stage::settling : Stage::releasing;
  if (of_group) settle_in_group(*entry);
  release_when_written(tag);
  return true;
}

// Else a crash would bring it to another member, or to this one again.
void Session::settle_in_group(const Outstanding& entry) {
  shard_.call(group_core(entry.item.origin.group),
              [origin = entry.item.origin, id = id_, attachment = attachment_, tag = entry.tag, home = shard_.core()](Shard& there) {
    auto done = [&there, id, attachment, tag, home] {
      there.call(home, [id, attachment, tag](Shard& shard) {
        if (Session* session = shard.find_session(id)) session->on_settled_in_group(attachment, tag);
      });
    };
    if (Group* group = there.find_group(origin.group)) {
      group->settle_for_good(origin.number, std::move(done));
    } else {
      done();
    }
  });
}

void Session::on_settled_in_group(uint32_t attachment, uint16_t tag) {
  Outstanding* entry = window_.find(tag);
  if (attachment != attachment_ || entry == nullptr || entry->stage != Stage::settling) return;
  entry->stage = Stage::releasing;
  schedule_releases();
}

// A crash must not bring the message back under a tag that its receiver has let go of.
void Session::release_when_written(uint16_t tag) {
  rare().releasing.push_back(tag);
  schedule_releases();
}

void Session::schedule_releases() {
  if (releases_scheduled_) return;
  releases_scheduled_ = true;
  shard_.loop().defer([shard = &shard_, id = id_] {
    if (Session* session = shard->find_session(id)) session->write_releases();
  });
}

// Those before the first that its group is still being told of: they leave in the order they were received [MQTT-4.6.0-4].
void Session::write_releases() {
  releases_scheduled_ = false;
  releases_failed_ = false;
  if (sink_ == nullptr) return;
  std::vector<uint16_t> tags;
  for (const uint16_t tag : rare().releasing) {
    const Outstanding* entry = window_.find(tag);
    if (entry != nullptr && entry->stage == Stage::settling) break;
    tags.push_back(tag);
  }
  if (tags.empty()) return;
  write([shard = &shard_, id = id_, attachment = attachment_, tags = std::move(tags)](engine::CommitStatus status) {
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
    std::erase(rare().releasing, tag);
    sink_->release(tag, false);
  }
}

void Session::settled(const Item& item) {
  if (item.origin.number != 0) {
    shard_.call(group_core(item.origin.group), [origin = item.origin](Shard& shard) {
      if (Group* group = shard.find_group(origin.group)) group->settle(origin.number);
    });
  }
  if (item.stored && item.origin.number == 0) {
    if (Cursor* cursor = feed_.find(item.log)) cursor->settle(item.offset);
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
  if (rare_) rare_->releasing.clear();
  std::vector<uint16_t> releases;
  bool unrecorded = false;
  for (Outstanding& entry : window_.entries()) {
    if (entry.stage == Stage::received) {
      releases.push_back(entry.tag);
    } else if (entry.stage == Stage::releasing && !entry.item.message) {
      release_when_written(entry.tag);  // there is nothing else to send
    } else if (entry.stage == Stage::recording && !entry.ever_sent) {
      unrecorded = true;
    } else {
      // `settling` and `releasing` too: that was not written when the connection ended, so the message goes out again.
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
  const std::size_t out = window_.size() - parked_;
  const std::size_t room = inflight_max_ - std::min<std::size_t>(inflight_max_, out);
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
    count_out(item);
    shard_.counters().drop(Drop::offline);
  }
  if (!persistent() || ended_) {
    if (has_last_values()) shard_.counters().drop(Drop::session_ended, rare_->last_values.size());
    if (rare_) rare_->last_values.clear();
    tidy();
  }
  std::vector<uint16_t> unreadable;
  keep_waiting([&](const Item& item) {
    const bool stays = item.replay == 0 && item.origin.number == 0 && !item.stored && persistent() && !ended_;
    if (stays) return true;
    count_out(item);
    if (item.replay != 0) return false;  // the replay ends with its connection
    if (item.origin.number != 0) {
      give_back(item.origin);
    } else if (item.stored) {
      if (item.restored_tag != 0 && feed_.find(item.log) == nullptr) {
        unreadable.push_back(item.restored_tag);  // its stream was removed
      } else if (item.restored_tag != 0) {
        rare().restored_tags[{item.log, item.offset}] = item.restored_tag;
        window_.reserve(item.restored_tag);
      }
      if (Cursor* cursor = feed_.find(item.log)) cursor->untake(item.offset);
    } else {
      shard_.counters().drop(Drop::session_ended);
    }
    return false;
  });
  for (const uint16_t tag : unreadable) release_tag(tag);
  std::vector<uint16_t> unsent;  // a tag was being recorded for it; nobody has seen that
  for (const Outstanding& entry : window_.entries()) {
    if (entry.item.replay != 0 && !entry.ever_sent) unsent.push_back(entry.tag);
  }
  for (const uint16_t tag : unsent) take_out(tag);
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

}  // namespace arena::broker
