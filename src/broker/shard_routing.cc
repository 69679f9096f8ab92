// Routing: who gets a message on this core, and which cores must hear of it.
#include <algorithm>
#include <bit>
#include <utility>

#include "broker/replay.h"
#include "broker/shard.h"

namespace arena::broker {

const std::vector<Routed>& RoutedBurst::singles() {
  if (singles_.empty()) {
    singles_.reserve(burst->size());
    for (std::size_t i = 0; i < burst->size(); ++i) singles_.push_back(Routed{burst->message(i)});
  }
  return singles_;
}

bool Shard::route(const Routed& routed) {
  const bool here = deliver_here(routed, core());
  return post_to_interested(routed.message->topic, routed) || here;
}

void Shard::route(const BurstRef& burst) {
  deliver_here(burst, core());
  post_to_interested(burst->head().topic, burst);
}

template <typename What>
bool Shard::post_to_interested(std::string_view topic, const What& what) {
  if (shards_.size() == 1) return false;
  const uint64_t cores = remote_.match(topic);
  for (uint64_t rest = cores; rest != 0; rest &= rest - 1) post(static_cast<unsigned>(std::countr_zero(rest)), Mail(what));
  return cores != 0;
}

// A delivery may end a session, whose will is routed from inside: it waits until this one is through.
bool Shard::deliver_here(const Routed& routed, unsigned from) {
  if (routing_) {
    postponed_.emplace_back(routed, from);
    return true;
  }
  routing_ = true;
  const bool matched = match_here(*routed.message, 1, from);
  for (std::size_t i = 0; i < candidates_used_; ++i) candidates_[i].session->take(routed, candidates_[i].merged);
  for (std::size_t i = 0; i < groups_hit_.size(); ++i) groups_hit_[i]->offer(routed);
  for (std::size_t i = 0; i < replays_hit_.size(); ++i) offer_to_replay(replays_hit_[i], routed);
  routing_ = false;
  deliver_postponed();
  return matched;
}

void Shard::deliver_here(const BurstRef& burst, unsigned from) {
  RoutedBurst routed(burst);
  if (routing_) {
    for (const Routed& single : routed.singles()) postponed_.emplace_back(single, from);
    return;
  }
  routing_ = true;
  match_here(burst->head(), burst->size(), from);
  for (std::size_t i = 0; i < candidates_used_; ++i) candidates_[i].session->take(routed, candidates_[i].merged);
  for (std::size_t i = 0; i < groups_hit_.size(); ++i) {
    for (const Routed& single : routed.singles()) groups_hit_[i]->offer(single);
  }
  for (std::size_t i = 0; i < replays_hit_.size(); ++i) {
    for (const Routed& single : routed.singles()) offer_to_replay(replays_hit_[i], single);
  }
  routing_ = false;
  deliver_postponed();
}

void Shard::deliver_postponed() {
  while (!postponed_.empty() && !routing_) {
    std::vector<std::pair<Routed, unsigned>> postponed = std::move(postponed_);
    postponed_.clear();
    for (const auto& [later, sender] : postponed) deliver_here(later, sender);
  }
}

// One that was ended by a delivery before is not there any more.
void Shard::offer_to_replay(uint64_t id, const Routed& routed) {
  if (Reader* reader = find_reader(id)) static_cast<Replay*>(reader)->offer(routed);
}

// Fills candidates_ and groups_hit_ for `count` messages like this one; nothing is delivered in here, so the index stands still.
bool Shard::match_here(const Message& message, std::size_t count, unsigned from) {
  candidates_used_ = 0;
  groups_hit_.clear();
  replays_hit_.clear();
  matches_.clear();
  const std::size_t aside = index_.match(message.topic, matches_);
  if (aside != 0 && message.guarantee == Guarantee::at_most_once) counters_.drop(Drop::offline, aside * count);
  const uint64_t from_bit = uint64_t{1} << from;
  for (FilterIndex::Value value : matches_) {
    Subscription& subscription = *reinterpret_cast<Subscription*>(value);
    if ((subscription.waiting_cores & from_bit) != 0) continue;
    if (subscription.replay) {
      replays_hit_.push_back(subscription.group_id);
    } else if (subscription.group() != nullptr) {
      groups_hit_.push_back(subscription.group());
    } else {
      add_candidate(subscription, message, count);
    }
  }
  return aside != 0 || !matches_.empty();
}

// Overlapping subscriptions of one session come to one delivery, at the highest guarantee [MQTT-3.3.4-2].
void Shard::add_candidate(Subscription& subscription, const Message& message, std::size_t count) {
  Session& session = *subscription.session();
  const SubscribeRequest& request = subscription.request;
  if (request.no_local && message.publisher == session.identity()) return;
  if (!session.may_read(subscription, message.topic)) {
    counters_.drop(Drop::denied_delivery, count);
    return;
  }
  if (session.route_slot() >= candidates_used_ || candidates_[session.route_slot()].session != &session) {
    session.set_route_slot(candidates_used_++);
    if (candidates_.size() < candidates_used_) candidates_.emplace_back();
    Candidate& fresh = candidates_[session.route_slot()];
    fresh.session = &session;
    fresh.merged.guarantee = Guarantee::at_most_once;
    fresh.merged.retained = false;
    fresh.merged.durable = false;
    fresh.merged.positions = false;
    fresh.merged.slow = SlowPolicy::drop_oldest;
    fresh.merged.ids.clear();
  }
  Merged& merged = candidates_[session.route_slot()].merged;
  const Guarantee guarantee = std::min(message.guarantee, request.granted);
  merged.guarantee = std::max(merged.guarantee, guarantee);
  merged.retained = merged.retained || (request.keep_retained_flag && message.retain);
  merged.durable = merged.durable || (subscription.durable && guarantee != Guarantee::at_most_once);
  merged.positions = merged.positions || request.positions;
  merged.slow = std::max(merged.slow, request.slow.value_or(SlowPolicy::drop_oldest));
  if (request.id != 0) merged.ids.push_back(request.id);
}

// ---- between cores ----

namespace {
std::size_t mail_bytes(const Mail& mail) {
  if (const auto* routed = std::get_if<Routed>(&mail)) return routed->message->accounted_bytes();
  if (const auto* burst = std::get_if<BurstRef>(&mail)) return (*burst)->accounted_bytes();
  if (const auto* publish = std::get_if<PublishMail>(&mail)) return publish->message->accounted_bytes();
  return 0;  // receipts and calls are bounded by what asked for them, and must always pass
}
}  // namespace

void Shard::post(unsigned to, Mail&& mail) {
  constexpr std::size_t kFirstRoom = 16;  // a batch grows without moving what is in it
  outbox_bytes_[to] += mail_bytes(mail);
  if (outbox_[to].empty()) outbox_[to].reserve(kFirstRoom);
  outbox_[to].push_back(std::move(mail));
  if (outbox_scheduled_) return;
  outbox_scheduled_ = true;
  loop_.defer([this] { flush_outbox(); });
}

void Shard::flush_outbox() {
  outbox_scheduled_ = false;
  for (unsigned to = 0; to < outbox_.size(); ++to) {
    if (outbox_[to].empty()) continue;
    posted_bytes_[to] += outbox_bytes_[to];
    loop_.post(to, [there = shards_[to], from = core(), bytes = outbox_bytes_[to], batch = std::move(outbox_[to])]() mutable {
      there->handle_batch(from, batch);
      there->handled_bytes_[from]->fetch_add(bytes, std::memory_order_relaxed);
    });
    outbox_[to].clear();
    outbox_bytes_[to] = 0;
  }
}

bool Shard::congested() const {
  for (unsigned to = 0; to < shards_.size(); ++to) {
    if (to == core()) continue;
    const uint64_t handled = shards_[to]->handled_bytes_[core()]->load(std::memory_order_relaxed);
    if (posted_bytes_[to] + outbox_bytes_[to] - handled > options_.cross_core_bytes_max) return true;
  }
  return false;
}

void Shard::handle_batch(unsigned from, std::vector<Mail>& batch) {
  for (Mail& mail : batch) {
    if (auto* routed = std::get_if<Routed>(&mail)) {
      deliver_here(*routed, from);
    } else if (auto* burst = std::get_if<BurstRef>(&mail)) {
      deliver_here(*burst, from);
    } else if (auto* publish = std::get_if<PublishMail>(&mail)) {
      const PartitionId id = placement_->partition_of(publish->message->topic);
      partition(id).publish(std::move(publish->message), publish->origin);
    } else if (auto* receipt = std::get_if<ReceiptMail>(&mail)) {
      answer(receipt->origin, receipt->partition, receipt->receipt);
    } else {
      std::get<CallMail>(mail)(*this);
    }
  }
}

void Shard::call(unsigned to, CallMail call) {
  if (to == core()) {
    call(*this);
  } else {
    post(to, std::move(call));
  }
}

}  // namespace arena::broker
