#include "broker/shard.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "message/topic.h"

namespace arena::broker {

Shard::Shard(runtime::Loop& loop, engine::Store& store, std::shared_ptr<const Placement> placement, Options options,
             std::shared_ptr<const access::Policy> policy, Counters& counters)
    : loop_(loop),
      store_(store),
      placement_(std::move(placement)),
      options_(options),
      policy_(std::move(policy)),
      counters_(counters),
      outbox_(loop.cores()),
      outbox_bytes_(loop.cores()),
      posted_bytes_(loop.cores()),
      message_serial_(loop.random()),
      tick_(&Shard::on_tick, this),
      due_timer_(&Shard::on_due, this),
      expiry_timer_(&Shard::on_expiry, this) {
  for (unsigned sender = 0; sender < loop.cores(); ++sender) {
    handled_bytes_.push_back(std::make_unique<std::atomic<uint64_t>>(0));
  }
  for (PartitionId id = 0; id < placement_->partitions(); ++id) {
    if (placement_->core_of(id) == core()) partitions_[id] = std::make_unique<Partition>(*this, id);
  }
  if (placement_->core_of(0) == core()) registry_ = std::make_unique<StreamRegistry>(*this);
}

Shard::~Shard() = default;

// ---- sessions ----

Session* Shard::find_session(SessionId id) {
  const auto it = sessions_by_id_.find(id);
  return it == sessions_by_id_.end() ? nullptr : *it;
}

Session* Shard::find_session(std::string_view key) {
  const auto it = sessions_.find(key);
  return it == sessions_.end() ? nullptr : it->get();
}

Session* Shard::open(const OpenRequest& request, SessionSink& sink) {
  const access::Subject subject{request.principal, request.client_id};
  if (request.will && !policy_->decide(subject, access::Action::publish, request.will->message->topic).allowed()) {
    sink.open_refused(Outcome::denied);
    return nullptr;
  }
  Session* session = find_session(session_key(request.principal, request.client_id));
  if (session != nullptr && session->connected()) {
    counters_.takeovers.add();
    // A will without delay goes out now; one with a delay only if the session ends with this.
    session->evict(EndReason::taken_over, DetachKind::abrupt);
    session = find_session(session_key(request.principal, request.client_id));
  }
  const bool over = session != nullptr && session->is_over();  // its timer may be late
  if (over) counters_.sessions_expired.add();
  if (session != nullptr && (request.clean_start || over)) {
    session->end();
    session = nullptr;
  }
  const bool present = session != nullptr;
  const bool erases = !present && !erasing_.empty() && erasing_.contains(session_key(request.principal, request.client_id));
  if (!present) session = &add_session(request);
  session->attach(request, sink, present, erases);
  return session;
}

Session& Shard::add_session(const OpenRequest& request) {
  const SessionId id = (SessionId{core()} << 48) | next_serial_++;
  auto session = std::make_unique<Session>(*this, id, request);
  Session& added = *session;
  sessions_by_id_.insert(&added);
  sessions_.insert(std::move(session));
  return added;
}

void Shard::remove_session(Session& session) {
  sessions_by_id_.erase(&session);
  const auto it = sessions_.find(session.key());
  if (it == sessions_.end()) return;
  // Elements of a set cannot be moved out; this one is erased next, by its place.
  dead_sessions_.push_back(std::move(const_cast<std::unique_ptr<Session>&>(*it)));
  sessions_.erase(it);
  bury();
}

void Shard::submit_session(std::string_view key, std::vector<engine::Operation> operations, UniqueFunction<void(engine::CommitStatus)> done) {
  const auto it = wills_under_way_.find(key);
  if (it == wills_under_way_.end()) return submit(key, std::move(operations), std::move(done));
  it->second.behind.push_back({std::move(operations), std::move(done)});
}

void Shard::publish_will(std::string_view key, MessageRef message, PublishMarkRef mark) {
  const bool stored = message->guarantee != Guarantee::at_most_once || message->retain || captured(message->topic);
  if (!stored) return publish(std::move(message), Origin{}, false);
  const uint64_t will = next_reader_id();
  will_keys_.emplace(will, key);
  ++wills_under_way_[std::string(key)].open;
  Origin origin;
  origin.session = will;
  origin.cookie = 1;
  origin.mark = std::move(mark);
  publish(std::move(message), std::move(origin), true);
}

void Shard::will_answered(uint64_t will) {
  const auto key = will_keys_.find(will);
  if (key == will_keys_.end()) return;
  const auto it = wills_under_way_.find(key->second);
  if (--it->second.open == 0) {
    std::vector<SessionWork> behind = std::move(it->second.behind);
    wills_under_way_.erase(it);
    for (SessionWork& work : behind) submit(key->second, std::move(work.operations), std::move(work.done));
  }
  will_keys_.erase(key);
}

void Shard::erase_session(std::string_view key, std::vector<engine::Operation> operations) {
  ++erasing_[std::string(key)];
  submit_session(key, std::move(operations), [this, key = std::string(key)](engine::CommitStatus) {
    const auto it = erasing_.find(key);
    if (--it->second == 0) erasing_.erase(it);
  });
}

// Those who ended this turn may still be on the stack; they go when the turn does.
void Shard::bury() {
  if (dead_sessions_.size() + dead_groups_.size() != 1) return;
  loop_.defer([this] {
    dead_sessions_.clear();
    dead_groups_.clear();
  });
}

bool Shard::kick(std::string_view key) {
  Session* session = find_session(key);
  if (session == nullptr || !session->connected()) return false;
  session->evict(EndReason::kicked, DetachKind::abrupt);
  return true;
}

std::size_t Shard::kick_all(const std::function<bool(const PrincipalView&)>& chosen) {
  std::vector<std::string> keys;  // sessions may end while they are kicked
  for (const auto& session : sessions_) {
    if (session->connected() && chosen(session->principal())) keys.emplace_back(session->key());
  }
  std::size_t kicked = 0;
  for (const std::string& key : keys) kicked += kick(key) ? 1 : 0;
  return kicked;
}

bool Shard::end_session(std::string_view key) {
  Session* session = find_session(key);
  if (session == nullptr) return false;
  session->evict(EndReason::kicked, DetachKind::abrupt);
  if (Session* left = find_session(key)) left->end();
  return true;
}

void Shard::each_session(const std::function<void(const Session&)>& visit) const {
  for (const auto& session : sessions_) visit(*session);
}

void Shard::drain(UniqueFunction<void()> done) {
  std::vector<SessionId> ids;
  for (const auto& session : sessions_) {
    if (session->connected()) ids.push_back(session->id());
  }
  for (SessionId id : ids) {
    // Not the client says goodbye: its will goes out, or is kept.
    if (Session* session = find_session(id)) session->evict(EndReason::shutting_down, DetachKind::abrupt);
  }
  for (const auto& [id, reader] : readers_) reader->on_tick();
  auto open = std::make_shared<std::size_t>(partitions_.size() + 1);
  auto one_done = std::make_shared<UniqueFunction<void()>>([open, done = std::move(done)]() mutable {
    if (--*open == 0) done();
  });
  for (const auto& [id, partition] : partitions_) {
    partition->submit({}, [one_done](engine::CommitStatus) { (*one_done)(); });
  }
  (*one_done)();
}

void Shard::set_due(Session& session, int64_t old_ms, int64_t deadline_ms) {
  if (old_ms != 0) due_.erase({old_ms, session.id()});
  if (deadline_ms != 0) due_.insert({deadline_ms, session.id()});
  arm_due();
}

void Shard::arm_due() {
  // What fell due while the broker was away waits until all are known who may want it.
  if (due_.empty() || !running_) {
    due_timer_.disarm();
  } else if (!due_timer_.armed() || due_timer_.deadline_ms() != std::get<0>(*due_.begin())) {
    loop_.arm(due_timer_, std::get<0>(*due_.begin()) - loop_.now_ms());
  }
}

void Shard::on_due(void* self) {
  Shard& shard = *static_cast<Shard*>(self);
  while (!shard.due_.empty() && std::get<0>(*shard.due_.begin()) <= shard.loop_.now_ms()) {
    const SessionId id = std::get<1>(*shard.due_.begin());
    shard.due_.erase(shard.due_.begin());
    if (Session* session = shard.find_session(id)) session->on_due();
  }
  shard.arm_due();
}

// ---- groups ----

Group* Shard::find_group(uint64_t id) {
  const auto it = groups_by_id_.find(id);
  return it == groups_by_id_.end() ? nullptr : it->second;
}

Group& Shard::group_for(std::string_view space, std::string_view group, std::string_view filter) {
  const std::string key = group_key(space, group, filter);
  std::unique_ptr<Group>& slot = groups_[key];
  if (slot == nullptr) {
    const uint64_t id = kGroupBit | (uint64_t{core()} << 48) | next_serial_++;
    slot = std::make_unique<Group>(*this, id, std::string(space), std::string(group), std::string(filter));
    groups_by_id_[id] = slot.get();
  }
  return *slot;
}

void Shard::remove_group(Group& group) {
  groups_by_id_.erase(group.id());
  const auto it = groups_.find(group.key());
  if (it == groups_.end()) return;
  dead_groups_.push_back(std::move(it->second));
  groups_.erase(it);
  bury();
}

void Shard::set_policy(std::shared_ptr<const access::Policy> policy) {
  policy_ = std::move(policy);
  std::vector<SessionId> ids;  // sessions may end while they are told
  for (const Session* session : sessions_by_id_) ids.push_back(session->id());
  for (SessionId id : ids) {
    if (Session* session = find_session(id)) session->drop_denied();
  }
  for (const auto& [id, group] : groups_by_id_) group->on_policy_changed();
}

std::size_t Shard::largest_queue_bytes() const {
  std::size_t most = 0;
  for (const auto& session : sessions_) most = std::max(most, session->queued_bytes());
  for (const auto& [key, group] : groups_) most = std::max(most, group->queued_bytes());
  return most;
}

// ---- publishing ----

MessageId Shard::next_message_id(std::size_t count) {
  return MessageId{(static_cast<uint64_t>(loop_.wall_ms()) << 16) | core(), std::exchange(message_serial_, message_serial_ + count)};
}

void Shard::publish_internal(std::unique_ptr<Message> message) {
  message->id = next_message_id();
  message->published_ms = loop_.wall_ms();
  publish(MessageRef(message.release()), Origin{}, false);
}

void Shard::publish(MessageRef message, Origin origin, bool through_owner) {
  if (!through_owner && !message->retain && message->guarantee == Guarantee::at_most_once && !captured(message->topic)) {
    const bool matched = route(Routed{std::move(message)});
    answer(origin, 0, Receipt{matched ? Outcome::ok : Outcome::no_match, Level::memory, false, std::nullopt});
    return;
  }
  const PartitionId id = placement_->partition_of(message->topic);
  const unsigned owner = placement_->core_of(id);
  if (owner == core()) {
    partition(id).publish(std::move(message), origin);
  } else {
    post(owner, PublishMail{std::move(message), std::move(origin)});
  }
}

void Shard::answer(const Origin& origin, PartitionId partition, const Receipt& receipt) {
  if (origin.session == 0 || (origin.cookie == 0 && origin.tag == 0 && !origin.counted)) return;
  const unsigned home = core_of(origin.session);
  if (home != core()) {
    post(home, ReceiptMail{origin.for_receipt(), partition, receipt});
  } else if (Session* session = find_session(origin.session)) {
    session->on_receipt(origin, partition, receipt);
  } else {
    will_answered(origin.session);
  }
}

bool Shard::log_has_room(const Log& log) const {
  if (log.is_inbox()) return total(&Counters::inbox_bytes) < options_.inbox_bytes_max;
  return !streams_over_budget_.contains(log.name().log) && total(&Counters::stream_bytes) < options_.stream_bytes_max;
}

uint64_t Shard::total(Counter Counters::*counter) const {
  uint64_t sum = 0;
  for (const Shard* shard : shards_) sum += (shard->counters_.*counter).get();
  return sum;
}

void Shard::on_store_failed() {
  log::error("broker", "the store failed: nothing more is acknowledged");
  if (store_failed_hook_) store_failed_hook_();
}

// ---- ticking ----

void Shard::want_tick() {
  if (!tick_.armed()) loop_.arm(tick_, options_.cursor_flush_ms);
}

void Shard::on_tick(void* self) {
  Shard& shard = *static_cast<Shard*>(self);
  if (!shard.running_) {
    shard.want_tick();
    return;
  }
  for (const auto& [id, reader] : shard.readers_) reader->on_tick();
  for (const auto& [id, partition] : shard.partitions_) partition->tick();
}

void Shard::tell_end(LogName log, uint64_t end) {
  for (unsigned to = 0; to < shards_.size(); ++to) {
    call(to, [log, end](Shard& there) {
      for (const auto& [id, reader] : there.readers_) reader->on_end(log, end);
      if (!there.readers_.empty()) there.want_tick();
    });
  }
}

void Shard::register_reader(uint64_t id, Reader& reader) { readers_[id] = &reader; }

Reader* Shard::find_reader(uint64_t id) const {
  const auto it = readers_.find(id);
  return it == readers_.end() ? nullptr : it->second;
}

void Shard::unregister_reader(uint64_t id) { readers_.erase(id); }

void Shard::submit(std::string_view key, std::vector<engine::Operation> operations,
                   UniqueFunction<void(engine::CommitStatus)> done) {
  partition(placement_->partition_of(key)).submit(std::move(operations), std::move(done));
}

}  // namespace arena::broker
