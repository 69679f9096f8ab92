// The life of a session: connections that come and go, wills, publishing, the end.
#include "broker/session/session.h"

#include <algorithm>

#include "base/hash.h"
#include "base/wire.h"
#include "broker/shard.h"

namespace arena::broker {

namespace {
constexpr std::string_view kShare = "$share/";
}  // namespace

std::string subscription_name(std::string_view group, std::string_view filter) {
  if (group.empty()) return std::string(filter);
  std::string name(kShare);
  name.append(group).push_back('/');
  name.append(filter);
  return name;
}

int compare_name(std::string_view group, std::string_view filter, std::string_view name) {
  if (group.empty()) return filter.compare(name);
  for (const std::string_view part : {kShare, group, std::string_view("/")}) {
    const int order = part.compare(name.substr(0, part.size()));
    if (order != 0) return order;
    name.remove_prefix(part.size());
  }
  return filter.compare(name);
}

Session::Session(Shard& shard, SessionId id, const OpenRequest& request)
    : shard_(shard),
      id_(id),
      key_(session_key(request.principal, request.client_id)),
      identity_(hash64(key_)),
      incarnation_(shard.loop().random()),
      space_bytes_(static_cast<uint16_t>(request.principal.space.size())),
      name_bytes_(static_cast<uint16_t>(request.principal.name.size())),
      internal_(request.principal.internal) {
  shard_.counters().sessions.add();
}

Session::~Session() { shard_.counters().queued_bytes.sub(waiting_bytes_); }

void Session::attach(const OpenRequest& request, SessionSink& sink, bool present, bool erases) {
  sink_ = &sink;
  started_ = false;
  ++attachment_;
  ++epoch_;
  expiry_s_ = std::min(request.expiry_s, shard_.options().session_expiry_max_s);
  will_ = request.will ? std::make_unique<Will>(*request.will) : nullptr;
  inflight_max_ = static_cast<uint16_t>(std::min({request.inflight_max, shard_.options().inflight_per_session_max, std::size_t{UINT16_MAX}}));
  set_due(0);
  expires_at_ms_ = 0;
  set_aside(false);
  shard_.counters().sessions_opened.add();
  shard_.counters().sessions_connected.add();
  auto then = [shard = &shard_, id = id_, attachment = attachment_, present](engine::CommitStatus status) {
    if (Session* session = shard->find_session(id)) session->on_attached(attachment, present, status);
  };
  has_record_ = has_record_ || persistent() || will_;
  if (has_record_) {
    write(std::move(then));
  } else if (erases) {
    shard_.submit_session(key_, {}, std::move(then));  // a session that was said to be over must not come back with a restart
  } else {
    sink_->opened(*this, present);
  }
}

void Session::on_attached(uint32_t attachment, bool present, engine::CommitStatus status) {
  if (attachment != attachment_ || sink_ == nullptr) return;
  if (status == engine::CommitStatus::committed || (present && status == engine::CommitStatus::full)) {
    sink_->opened(*this, present);
    return;
  }
  SessionSink* sink = sink_;
  will_.reset();
  release_sink(DetachKind::clean, 0);
  sink->open_refused(status == engine::CommitStatus::full ? Outcome::quota : Outcome::failed);
}

void Session::tidy() {
  if (!rare_) return;
  const Rare& mine = *rare_;
  if (mine.inbound.empty() && mine.owner_bound.empty() && mine.answers.empty() && mine.changing.empty() && mine.restored_tags.empty() &&
      mine.stale_due_keys.empty() && mine.replays.empty() && mine.due_key.empty() && mine.releasing.empty() && mine.unwritten.empty() && mine.last_values.empty() && !mine.durable_filters) {
    rare_.reset();
  }
}

void Session::start() {
  started_ = true;
  feed_.start();
  resend_window();
  tell_groups();  // a group on this core hands out in this very turn, which is not to be sent again
  pump_transient();
  pump();
}

void Session::evict(EndReason reason, DetachKind kind) {
  if (sink_ == nullptr) return;
  if (reason == EndReason::queue_full) shard_.counters().slow_disconnected.add();
  SessionSink* sink = sink_;
  release_sink(kind, std::nullopt);
  sink->closed(reason);
}

void Session::detach(DetachKind kind, std::optional<uint32_t> expiry_s) { release_sink(kind, expiry_s); }

void Session::release_sink(DetachKind kind, std::optional<uint32_t> expiry_s) {
  if (sink_ == nullptr) return;
  sink_ = nullptr;
  started_ = false;
  ++attachment_;
  if (rare_) rare_->answers.clear();
  end_replays();
  tidy();
  shard_.counters().sessions_connected.sub();
  if (expiry_s) expiry_s_ = std::min(*expiry_s, shard_.options().session_expiry_max_s);
  tell_groups();
  return_group_window();
  drop_waiting();
  feed_.stop();
  set_aside(true);
  if (kind == DetachKind::clean) will_.reset();
  if (!persistent()) {
    end();
    return;
  }
  if (will_ && will_->delay_s == 0) fire_will();
  schedule_after_detach();
  write({});
}

void Session::schedule_after_detach() {
  const int64_t now = shard_.loop().now_ms();
  expires_at_ms_ = expiry_s_ == kNever ? 0 : now + int64_t{expiry_s_} * 1000;
  int64_t due = expires_at_ms_;
  if (will_) {
    const int64_t will_at = now + int64_t{will_->delay_s} * 1000;
    due = due == 0 ? will_at : std::min(due, will_at);
  }
  set_due(due);
}

bool Session::is_over() const { return sink_ == nullptr && expires_at_ms_ != 0 && shard_.loop().now_ms() >= expires_at_ms_; }

void Session::on_due() {
  due_ms_ = 0;
  if (sink_ != nullptr) return;
  if (will_) fire_will();
  if (is_over()) {
    shard_.counters().sessions_expired.add();
    end();
    return;
  }
  set_due(expires_at_ms_);
  write({});
}

void Session::set_due(int64_t deadline_ms) {
  shard_.set_due(*this, due_ms_, deadline_ms);
  due_ms_ = deadline_ms;
}

void Session::end() {
  if (ended_) return;
  ended_ = true;
  if (sink_ != nullptr) {
    sink_ = nullptr;
    ++attachment_;
    shard_.counters().sessions_connected.sub();
  }
  set_due(0);
  end_replays();
  if (will_) fire_will();
  return_group_window();
  for (const Outstanding& entry : window_.entries()) {
    settled(entry.item);
    shard_.counters().drop(Drop::session_ended);
  }
  drop_waiting();
  std::vector<FilterName> names;
  for (const auto& subscription : subscriptions_) {
    names.push_back({std::string(subscription->request.group), std::string(subscription->request.filter)});
  }
  unsubscribe(std::move(names), 0);
  written_for_good();
  if (rare_) {
    for (const auto& [tag, inbound] : rare_->inbound) {
      if (inbound.stored) shard_.call_owner(inbound.partition, erase_handshake(inbound.partition, incarnation_, tag, {}));
    }
  }
  if (has_record_) {
    std::vector<engine::Operation> operations(1);
    operations[0].kind = engine::Operation::Kind::erase;
    operations[0].space = engine::Space::sessions;
    operations[0].key = key();
    if (rare_) {
      if (!rare_->due_key.empty()) rare_->stale_due_keys.insert(rare_->due_key);
      for (const std::string& key : rare_->stale_due_keys) {
        operations.push_back({engine::Operation::Kind::erase, engine::Space::due, key, {}});
      }
    }
    shard_.erase_session(key(), std::move(operations));
  }
  if (is_reader_) shard_.unregister_reader(id_);
  shard_.counters().sessions.sub();
  shard_.remove_session(*this);
}

// ---- publishing ----

bool Session::may_publish(std::string_view topic) const {
  return shard_.policy().decide(subject(), access::Action::publish, topic).allowed();
}

void Session::stamp(Message& message, std::size_t count) const {
  message.id = shard_.next_message_id(count);
  message.principal = principal().name;
  message.publisher = identity_;
  message.published_ms = shard_.loop().wall_ms();
}

void Session::fire_will() {
  Will will = std::move(*will_);
  will_.reset();
  mark_dirty();
  if (!may_publish(will.message->topic)) {
    shard_.counters().drop(Drop::denied_publish);
    return;
  }
  auto message = std::make_unique<Message>();
  message->topic = will.message->topic;
  message->payload = will.message->payload;
  message->guarantee = will.message->guarantee;
  message->retain = will.message->retain;
  if (will.message->extras) message->extras = std::make_unique<const Extras>(*will.message->extras);
  stamp(*message);
  if (will.lifetime_s != 0) message->expires_ms = message->published_ms + int64_t{will.lifetime_s} * 1000;
  shard_.counters().wills_sent.add();
  PublishMarkRef once;
  if (message->guarantee == Guarantee::exactly_once) {
    // One a connection: after a crash it may be sent again.
    once = mark_of({"will " + std::to_string(incarnation_) + "." + std::to_string(epoch_), {}, 0, 0}, principal().space, principal().name, *message);
  }
  shard_.publish_will(key(), MessageRef(message.release()), std::move(once));
}

void Session::publish(std::unique_ptr<Message> message, uint16_t tag, uint64_t cookie, const PublishKey* known_by) {
  if (tag != 0) {
    auto [it, fresh] = rare().inbound.try_emplace(tag);
    if (it->second.releasing) {  // out of turn: its release is not answered yet
      it->second = Inbound{};
      fresh = true;
    }
    if (!fresh && it->second.done) {
      sink_->published(cookie, Receipt{Outcome::ok, Level::memory, true, std::nullopt});
      return;
    }
    it->second.wait({attachment_, cookie});
    if (!fresh) return;  // the first one's receipt answers this one too
    it->second.stored = message->retain;  // whether or not a log keeps it
    it->second.partition = shard_.placement().partition_of(message->topic);
  }
  Origin origin{id_, attachment_, tag, false, cookie, incarnation_, {}, {}};
  if (known_by != nullptr) origin.mark = mark_of(*known_by, principal().space, principal().name, *message);
  if (tag != 0) origin.session_key = SessionKeyRef(new SessionKey(key()));
  if (!may_publish(message->topic)) {
    shard_.counters().drop(Drop::denied_publish);
    on_receipt(origin, 0, Receipt{Outcome::denied, Level::memory, false, std::nullopt});
    return;
  }
  stamp(*message);
  shard_.counters().published.add();
  shard_.counters().published_bytes.add(message->payload.size());
  const PartitionId partition = shard_.placement().partition_of(message->topic);
  bool through_owner = message->guarantee != Guarantee::at_most_once || message->retain || known_by != nullptr || shard_.captured(message->topic);
  if (message->guarantee == Guarantee::at_most_once) {
    // While an earlier one waits with the owner, this one must not overtake it.
    through_owner = through_owner || owner_bound(partition);
    if (through_owner) {
      ++rare().owner_bound[partition];
      origin.counted = true;
    }
  }
  shard_.publish(MessageRef(message.release()), std::move(origin), through_owner);
}

void Session::publish(std::unique_ptr<Burst> burst) {
  const std::string& topic = burst->head().topic;
  if (!may_publish(topic)) {
    shard_.counters().drop(Drop::denied_publish, burst->size());
    return;
  }
  stamp(burst->head(), burst->size());
  shard_.counters().published.add(burst->size());
  shard_.counters().published_bytes.add(burst->payload_bytes());
  const BurstRef shared(burst.release());
  const bool captured = shard_.captured(shared->head().topic);
  if (!captured && (!rare_ || rare_->owner_bound.empty())) {
    shard_.route(shared);
    return;
  }
  const PartitionId partition = shard_.placement().partition_of(shared->head().topic);
  if (!captured && !owner_bound(partition)) {
    shard_.route(shared);
    return;
  }
  // They are stored there, or an earlier one waits with the owner: these follow it.
  for (std::size_t i = 0; i < shared->size(); ++i) {
    ++rare().owner_bound[partition];
    shard_.publish(shared->message(i), Origin{id_, attachment_, 0, true, 0, incarnation_, {}, {}}, true);
  }
}

void Session::on_receipt(const Origin& origin, PartitionId partition, const Receipt& receipt) {
  if (origin.counted && rare_) {
    const auto it = rare_->owner_bound.find(partition);
    if (it != rare_->owner_bound.end() && --it->second == 0) rare_->owner_bound.erase(it);
  }
  if (origin.tag == 0) {
    if (origin.cookie != 0 && sink_ != nullptr && origin.attachment == attachment_) sink_->published(origin.cookie, receipt);
    return;
  }
  if (!rare_) return;
  const auto it = rare_->inbound.find(origin.tag);
  if (it == rare_->inbound.end() || origin.incarnation != incarnation_) return;
  Inbound inbound = std::move(it->second);
  if (receipt.outcome == Outcome::ok || receipt.outcome == Outcome::no_match) {
    it->second = Inbound{true, inbound.stored || receipt.position.has_value(), false, partition, {}, {}};
  } else {
    rare_->inbound.erase(origin.tag);  // refused: the same tag is a new message next time [MQTT-4.3.3-9]
  }
  inbound.each_waiter([&](const Waiter& one) {
    if (sink_ != nullptr && one.attachment == attachment_) sink_->published(one.cookie, receipt);
  });
}

CallMail erase_handshake(PartitionId partition, uint64_t incarnation, uint16_t tag, CallMail then) {
  return [partition, incarnation, tag, then = std::move(then)](Shard& owner) mutable {
    std::vector<engine::Operation> operations(1);
    operations[0].kind = engine::Operation::Kind::erase;
    operations[0].space = engine::Space::handshakes;
    put_be(operations[0].key, incarnation);
    put_be(operations[0].key, tag);
    owner.partition(partition).submit(std::move(operations),
                                      [shard = &owner, then = std::move(then)](engine::CommitStatus status) mutable {
                                        if (then && status == engine::CommitStatus::committed) then(*shard);
                                      });
  };
}

void Session::release(uint16_t tag, uint64_t cookie) {
  const auto it = rare().inbound.find(tag);
  if (it == rare().inbound.end()) {
    sink_->released(cookie, false);
    return;
  }
  Inbound& inbound = it->second;
  if (!inbound.stored) {
    rare().inbound.erase(tag);
    sink_->released(cookie, true);
    return;
  }
  // The stored handshake is deleted before any release is answered, or a crash would bring it back; the answer comes by mail.
  inbound.wait({attachment_, cookie});
  if (std::exchange(inbound.releasing, true)) return;
  auto answer = [id = id_, tag, home = shard_.core()](Shard& owner) {
    owner.call(home, [id, tag](Shard& shard) {
      if (Session* session = shard.find_session(id)) session->on_handshake_erased(tag);
    });
  };
  shard_.call_owner(inbound.partition, erase_handshake(inbound.partition, incarnation_, tag, std::move(answer)));
}

void Session::on_handshake_erased(uint16_t tag) {
  if (!rare_) return;
  const auto it = rare_->inbound.find(tag);
  if (it == rare_->inbound.end() || !it->second.releasing) return;
  const Inbound inbound = std::move(it->second);
  rare_->inbound.erase(tag);
  inbound.each_waiter([&](const Waiter& one) {
    if (sink_ != nullptr && one.attachment == attachment_) sink_->released(one.cookie, true);
  });
}

}  // namespace arena::broker
