// What of a session is stored, and how it comes back: CURSORS.md 1, 9, 13.
#include <algorithm>
#include <utility>

#include "base/wire.h"
#include "broker/session/session.h"
#include "broker/shard.h"

namespace arena::broker {

engine::Operation Session::record_operation() {
  SessionRecord record;
  record.principal.space = principal().space;
  record.principal.name = principal().name;
  record.client_id = client_id();
  record.incarnation = incarnation_;
  record.epoch = epoch_;
  record.expiry_s = expiry_s_;
  record.connected = sink_ != nullptr;
  if (will_) record.will = *will_;
  if (persistent()) {
    for (const auto& subscription : subscriptions_) {
      record.subscriptions.push_back({subscription->request, {subscription->born.begin(), subscription->born.end()}});
    }
    record.cursors = feed_.records();
    for (const Outstanding& entry : window_.entries()) {
      if (entry.item.guarantee != Guarantee::exactly_once) continue;
      // What the log cannot give back to me is only released after a restart.
      const bool mine = entry.item.stored && entry.item.origin.number == 0;
      const bool received = !mine || entry.stage == Stage::received || entry.stage == Stage::releasing;
      record.window.push_back({entry.tag, received, entry.item.log, entry.item.offset, mine});
    }
    for (const Item& item : waiting_) {
      if (item.restored_tag != 0) record.window.push_back({item.restored_tag, false, item.log, item.offset, true});
    }
    if (rare_) {
      for (const auto& [place, tag] : rare_->restored_tags) record.window.push_back({tag, false, place.first, place.second, true});
    }
  }
  dirty_ = false;
  dirty_settled_ = 0;
  engine::Operation operation;
  operation.space = engine::Space::sessions;
  operation.key = key();
  operation.value = encode(record);
  return operation;
}

void Session::write(UniqueFunction<void(engine::CommitStatus)> done) {
  if (!has_record_ || ended_) {
    if (done) done(engine::CommitStatus::committed);
    return;
  }
  std::vector<engine::Operation> operations;
  operations.push_back(record_operation());
  std::string due_key;
  if (due_ms_ != 0) {
    const int64_t to_wall = shard_.loop().wall_ms() - shard_.loop().now_ms();
    put_be(due_key, static_cast<uint64_t>(due_ms_ + to_wall));
    due_key.append(key());
    engine::Operation due{engine::Operation::Kind::put, engine::Space::due, due_key, {}};
    put_be(due.value, static_cast<uint64_t>(expires_at_ms_ == 0 ? 0 : expires_at_ms_ + to_wall));
    operations.push_back(std::move(due));
  }
  if (rare_ || !due_key.empty()) note_due_key(std::move(due_key));
  std::set<std::string> erased;
  if (rare_) erased = rare_->stale_due_keys.copy();
  for (const std::string& stale : erased) {
    operations.push_back({engine::Operation::Kind::erase, engine::Space::due, stale, {}});
  }
  shard_.submit_session(key_, std::move(operations),
                [shard = &shard_, id = id_, erased = std::move(erased), done = std::move(done)](engine::CommitStatus status) mutable {
                  Session* session = shard->find_session(id);
                  if (session != nullptr && status != engine::CommitStatus::committed) {
                    session->write_later();
                  } else if (session != nullptr) {
                    for (const std::string& key : erased) session->rare().stale_due_keys.erase(key);
                    session->written_for_good();
                  }
                  if (done) done(status);
                });
}

void Session::write_for_good(UniqueFunction<void(engine::CommitStatus)> done) {
  write([shard = &shard_, id = id_, done = std::move(done)](engine::CommitStatus status) mutable {
    Session* session = shard->find_session(id);
    if (session == nullptr || session->ended_ || status != engine::CommitStatus::full) return done(status);
    session->rare().unwritten.push_back(std::move(done));  // write() tries again
  });
}

// What was stored just now was written later than all that waits.
void Session::written_for_good() {
  if (!rare_) return;
  for (auto& done : std::exchange(rare_->unwritten, {})) done(engine::CommitStatus::committed);
  tidy();
}

// What the store is told now takes the place of what it was told before.
void Session::note_due_key(std::string due_key) {
  Rare& mine = rare();
  if (!mine.due_key.empty() && mine.due_key != due_key) mine.stale_due_keys.insert(mine.due_key);
  mine.stale_due_keys.erase(due_key);
  mine.due_key = std::move(due_key);
}

// The store refused: the tick tries again, when it may have room.
void Session::write_later() {
  dirty_ = true;
  become_reader();
  shard_.want_tick();
}

void Session::restore(SessionRecord record) {
  has_record_ = true;
  incarnation_ = record.incarnation;
  epoch_ = record.epoch;
  expiry_s_ = record.expiry_s;
  if (record.will) will_ = std::make_unique<Will>(std::move(*record.will));
  for (const CursorRecord& cursor : record.cursors) {
    if (shard_.has_log(cursor.log.log)) feed_.restore(cursor);
  }
  if (!record.cursors.empty()) become_reader();  // it reads, whether or not a subscription is left to read for
  for (const WindowRecord& entry : record.window) {
    // What a removed stream had cannot come again.
    const bool gone = !shard_.has_log(entry.log.log);
    if (entry.received || gone) {
      // Only the release is left to do; the message itself is settled as far as the log is concerned.
      if (Cursor* cursor = entry.stored ? feed_.find(entry.log) : nullptr) cursor->restore_settled(entry.offset);
      Item item;
      item.guarantee = Guarantee::exactly_once;
      item.stored = entry.stored && !gone;
      item.log = entry.log;
      item.offset = entry.offset;
      window_.add(std::move(item), Stage::received, entry.tag).ever_sent = true;
    } else {
      rare().restored_tags[{entry.log, entry.offset}] = entry.tag;
      window_.reserve(entry.tag);
    }
  }
  for (SubscriptionRecord& was : record.subscriptions) {
    auto subscription = std::make_unique<Subscription>(*this);
    subscription->request = std::move(was.request);
    for (const auto& place : was.born) {
      if (shard_.has_log(place.first.log)) subscription->born.push_back(place);
    }
    const bool plain = subscription->request.group.empty();
    subscription->durable = plain && persistent() && subscription->request.granted != Guarantee::at_most_once;
    if (subscription->durable) become_reader();
    shard_.counters().subscriptions.add();
    if (!plain) shard_.counters().shared_subscriptions.add();
    subscriptions_.add(std::move(subscription));
  }
  forget_durable_filters();
  // A stream that was added when this had been written: the session joined it at its beginning.
  std::vector<LogName> joined;
  for (const Stream& stream : shard_.streams().all()) on_stream_added(stream, joined);
}

void Session::restore_due(int64_t due_wall_ms, int64_t expires_wall_ms, std::string due_key) {
  const int64_t to_monotonic = shard_.loop().now_ms() - shard_.loop().wall_ms();
  rare().due_key = std::move(due_key);
  expires_at_ms_ = expires_wall_ms == 0 ? 0 : std::max<int64_t>(1, expires_wall_ms + to_monotonic);
  set_due(std::max<int64_t>(1, due_wall_ms + to_monotonic));
}

void Session::settle_restored(bool was_connected) {
  if (!was_connected) return;
  if (!persistent()) {
    end();  // fires the will
    return;
  }
  if (will_ && will_->delay_s == 0) fire_will();
  schedule_after_detach();
  write({});
}

void Session::restore_inbound(uint16_t tag, PartitionId partition) { rare().inbound[tag] = Inbound{true, true, false, partition, {}, {}}; }

void Session::announce(UniqueFunction<void()> done) {
  auto open = std::make_shared<std::size_t>(subscriptions_.size() + 1);
  auto one_done = std::make_shared<UniqueFunction<void()>>([open, done = std::move(done)]() mutable {
    if (--*open == 0) done();
  });
  for (const auto& subscription : subscriptions_) {
    if (subscription->request.group.empty()) {
      shard_.add_interest(*subscription, subscription->durable ? id_ : 0, feed_.floors(), false,
                          [one_done](const std::vector<MessageRef>&) { (*one_done)(); });
      if (subscription->durable) shard_.set_aside(*subscription, true);
    } else {
      const std::string name = subscription_name(subscription->request.group, subscription->request.filter);
      join_group(*subscription, [shard = &shard_, id = id_, name, one_done](uint64_t group, bool) {
        Session* session = shard->find_session(id);
        if (session == nullptr) {
          leave_group(*shard, group, id);  // it expired meanwhile
        } else if (Subscription* joined = session->subscriptions_.find(name)) {
          joined->group_id = group;
        }
        (*one_done)();
      });
    }
  }
  (*one_done)();
}

}  // namespace arena::broker
