#include "broker/group.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "broker/shard.h"
#include "message/topic.h"

namespace arena::broker {

std::string group_key(std::string_view space, std::string_view group, std::string_view filter) {
  std::string key(space);
  key.push_back('\0');
  key.append(group).push_back('\0');
  key.append(filter);
  return key;
}

Group::Group(Shard& shard, uint64_t id, std::string space, std::string name, std::string filter)
    : shard_(shard),
      id_(id),
      space_(std::move(space)),
      name_(std::move(name)),
      key_(group_key(space_, name_, filter)),
      subscription_(*this) {
  subscription_.request.filter = filter;
  subscription_.request.group = name_;
  subscription_.request.granted = Guarantee::exactly_once;
  shard_.counters().groups.add();
}

Group::~Group() = default;

void leave_group(Shard& shard, uint64_t group_id, SessionId session) {
  shard.call(group_core(group_id), [group_id, session](Shard& there) {
    if (Group* group = there.find_group(group_id)) group->leave(session);
  });
}

Group::Member* Group::find(SessionId session) {
  const auto it = std::find_if(members_.begin(), members_.end(), [&](const Member& m) { return m.session == session; });
  return it == members_.end() ? nullptr : &*it;
}

bool Group::anyone_online() const {
  return std::any_of(members_.begin(), members_.end(), [](const Member& member) { return member.online; });
}

void Group::join(Member member, UniqueFunction<void(bool)> done) {
  const bool durable = member.persistent && member.granted != Guarantee::at_most_once;
  if (find(member.session) == nullptr) members_.push_back(std::move(member));
  const bool becomes_durable = durable && !subscription_.durable;
  if (becomes_durable) {
    subscription_.durable = true;
    shard_.register_reader(id_, *this);
  }
  waiting_joins_.push_back(std::move(done));
  if (becomes_durable || !asked_) {
    asked_ = true;
    ++answers_open_;
    shard_.add_interest(subscription_, subscription_.durable ? id_ : 0, feed_.floors(), false,
                        [shard = &shard_, id = id_](const std::vector<MessageRef>&) {
                          if (Group* group = shard->find_group(id)) group->on_interest_known();
                        });
  } else if (answers_open_ == 0) {
    answer_joins();
  }
}

void Group::enter(Member member) {
  Member* known = find(member.session);
  if (known == nullptr) return;  // it left meanwhile
  member.held = known->held;
  *known = member;
  set_online(member.session, member.online, member.window);
}

// Asked once, and again when the log begins to be kept for it: whoever joins waits for both.
void Group::on_interest_known() {
  if (--answers_open_ == 0) answer_joins();
}

void Group::answer_joins() {
  std::vector<UniqueFunction<void(bool)>> joins = std::move(waiting_joins_);
  waiting_joins_.clear();
  if (!subscription_.durable) {
    for (auto& done : joins) done(true);
    return;
  }
  write([joins = std::move(joins)](engine::CommitStatus status) mutable {
    for (auto& done : joins) done(status == engine::CommitStatus::committed);
  });
}

void Group::set_online(SessionId session, bool online, std::size_t window) {
  Member* member = find(session);
  if (member == nullptr) return;
  member->online = online;
  member->window = window;
  if (!online) {
    stop_if_alone();
    return;
  }
  if (!reading_) {
    reading_ = true;
    feed_.start();
  }
  unpark();
  pump();
}

void Group::leave(SessionId session) {
  std::erase_if(members_, [&](const Member& member) { return member.session == session; });
  if (members_.empty()) {
    end();
  } else {
    stop_if_alone();
    unpark();  // it may have been the last who might read them
    pump();
  }
}

// Nobody to hand anything to: what the log has is read again later, the rest is dropped and counted.
void Group::stop_if_alone() {
  if (anyone_online() || !reading_) return;
  reading_ = false;
  unpark();
  for (const Item& item : waiting_) {
    if (item.stored) {
      if (Cursor* cursor = feed_.find(item.log)) cursor->untake(item.offset);
    } else {
      shard_.counters().drop(Drop::no_member);
    }
  }
  waiting_.clear();
  waiting_bytes_ = 0;
  feed_.stop();
}

void Group::end() {
  if (ended_) return;
  ended_ = true;
  for (UniqueFunction<void()>& done : std::exchange(settling_, {})) done();
  shard_.silence(subscription_);
  shard_.forget_subscription(subscription_, id_, true);
  if (subscription_.durable) {
    shard_.unregister_reader(id_);
    std::vector<engine::Operation> operations(1);
    operations[0] = {engine::Operation::Kind::erase, engine::Space::groups, key_, {}};
    shard_.submit(key_, std::move(operations), {});
  }
  shard_.counters().groups.sub();
  shard_.remove_group(*this);
}

// ---- handing out ----

void Group::offer(const Routed& routed) {
  if (ended_) return;
  const Guarantee guarantee = routed.message->guarantee;
  if (subscription_.durable && routed.stored) {
    if (!feed_.admits(shard_, routed.log, routed.offset)) return;
    if (kept_bytes() >= shard_.options().queued_bytes_per_session_max) {
      feed_.fall_behind(shard_, routed.log);
      return;
    }
    if (!feed_.find(routed.log)->take(routed.offset)) return;
    enqueue(Item{routed.message, guarantee, false, true, routed.log, routed.offset});
    return;
  }
  if (!anyone_online()) {
    shard_.counters().drop(Drop::no_member);
  } else if (guarantee == Guarantee::at_most_once) {
    if (Member* member = next_member(*routed.message)) {
      hand_out(Item{routed.message, guarantee}, *member);
    } else {
      shard_.counters().drop(anyone_may_read(*routed.message) ? Drop::no_member : Drop::denied_delivery);
    }
  } else if (kept_bytes() >= shard_.options().queued_bytes_per_session_max) {
    shard_.counters().drop(Drop::queue_full);
  } else {
    enqueue(Item{routed.message, guarantee});
  }
}

void Group::enqueue(Item item) {
  waiting_bytes_ += item.bytes();
  waiting_.push_back(std::move(item));
  pump();
}

// Its own side decides again when it is there.
bool Group::may_read(Member& member, const Message& message) {
  const access::Policy& policy = shard_.policy();
  if (member.covered_epoch == policy.epoch()) return true;
  const access::Subject subject{member.principal, member.client_id};
  if (policy.covers(subject, subscription_.request.filter) == access::Coverage::all) {
    member.covered_epoch = policy.epoch();
    return true;
  }
  return policy.decide(subject, access::Action::subscribe, message.topic).allowed();
}

bool Group::anyone_may_read(const Message& message) {
  return std::any_of(members_.begin(), members_.end(), [&](Member& member) { return may_read(member, message); });
}

bool Group::anyone_has_room() const {
  return std::any_of(members_.begin(), members_.end(), [](const Member& member) { return member.has_room(); });
}

// In turn, among those online with room who may read it.
Group::Member* Group::next_member(const Message& message) {
  for (std::size_t tried = 0; tried < members_.size(); ++tried) {
    turn_ = (turn_ + 1) % members_.size();
    Member& member = members_[turn_];
    if (member.has_room() && may_read(member, message)) return &member;
  }
  return nullptr;
}

void Group::pump() {
  while (!waiting_.empty()) {
    if (!place_first()) return;
  }
  read_if_room();
}

Item Group::take_first() {
  Item item = std::move(waiting_.front());
  waiting_.pop_front();
  waiting_bytes_ -= item.bytes();
  return item;
}

// False: there is nobody now who could take more.
bool Group::place_first() {
  constexpr std::size_t kParkedMax = 1000;  // each is looked at again whenever somebody has room
  const Message& message = *waiting_.front().message;
  if (message.expired(shard_.loop().wall_ms())) {
    shard_.counters().drop(Drop::expired);
    settled(take_first());
  } else if (Member* member = next_member(message)) {
    hand_out(take_first(), *member);
  } else if (!anyone_has_room()) {
    return false;
  } else if (!anyone_may_read(message)) {
    shard_.counters().drop(Drop::denied_delivery);
    settled(take_first());
  } else if (parked_.size() < kParkedMax) {
    parked_.push_back(std::move(waiting_.front()));
    waiting_.pop_front();
  } else {
    return false;
  }
  return true;
}

void Group::unpark() {
  waiting_.insert(waiting_.begin(), std::make_move_iterator(parked_.begin()), std::make_move_iterator(parked_.end()));
  parked_.clear();
}

void Group::on_policy_changed() {
  unpark();
  pump();
}

void Group::hand_out(Item item, Member& member) {
  item.guarantee = std::min(item.guarantee, member.granted);
  item.retained = member.keep_retained_flag && item.message->retain;
  item.ids.clear();
  if (member.subscription_id != 0) item.ids.push_back(member.subscription_id);
  if (item.guarantee != Guarantee::at_most_once) {
    hold(std::move(item), member);
    return;
  }
  settled(item);
  item.origin = {id_, 0};
  item.stored = false;
  post(std::move(item), member.session);
}

void Group::hold(Item item, Member& member) {
  const uint64_t number = next_number_++;
  item.origin = {id_, number};
  ++member.held;
  held_bytes_ += item.bytes();
  held_[number] = Held{item, member.session};
  post(std::move(item), member.session);
}

void Group::post(Item item, SessionId session) {
  shard_.call(core_of(session), [item = std::move(item), session, home = shard_.core()](Shard& there) mutable {
    if (Session* member = there.find_session(session)) {
      member->take_from_group(std::move(item));
      return;
    }
    there.call(home, [origin = item.origin, session](Shard& shard) {
      if (Group* group = shard.find_group(origin.group)) group->refuse(session, origin.number);
    });
  });
}

// The member holds one less.
void Group::let_go(SessionId session) {
  Member* member = find(session);
  if (member == nullptr) return;
  if (member->held-- == member->window) unpark();
}

void Group::settle(uint64_t number) {
  const auto it = held_.find(number);
  if (it == held_.end()) return;
  const Held held = std::move(it->second);
  held_.erase(it);
  held_bytes_ -= held.item.bytes();
  let_go(held.session);
  settled(held.item);
  pump();
}

void Group::settle_for_good(uint64_t number, UniqueFunction<void()> done) {
  settle(number);
  if (!subscription_.durable || ended_) return done();
  settling_.push_back(std::move(done));
  if (settling_.size() != 1) return;  // one commit for all of this turn
  shard_.loop().defer([shard = &shard_, id = id_] {
    if (Group* group = shard->find_group(id)) group->write_settled();
  });
}

void Group::write_settled() {
  if (settling_.empty()) return;
  write([shard = &shard_, id = id_, told = std::exchange(settling_, {})](engine::CommitStatus status) mutable {
    Group* group = shard->find_group(id);
    if (status != engine::CommitStatus::committed && group != nullptr) {  // the tick tries again
      std::move(told.begin(), told.end(), std::back_inserter(group->settling_));
      return;
    }
    for (UniqueFunction<void()>& done : told) done();
  });
}

// Comes back in the order it was first handed out, before everything that was not.
void Group::give_back(uint64_t number) {
  const auto it = held_.find(number);
  if (it == held_.end()) return;
  Held held = std::move(it->second);
  held_.erase(it);
  held_bytes_ -= held.item.bytes();
  let_go(held.session);
  if (ended_) return;
  held.item.guarantee = held.item.message->guarantee;
  const auto place = std::find_if(waiting_.begin(), waiting_.end(), [&](const Item& item) {
    return item.origin.number == 0 || item.origin.number > number;
  });
  waiting_bytes_ += held.item.bytes();
  waiting_.insert(place, std::move(held.item));
  if (!anyone_online()) {
    reading_ = true;  // so that stop_if_alone lets go of it
    stop_if_alone();
  } else {
    pump();
  }
}

void Group::refuse(SessionId session, uint64_t number) {
  if (Member* member = find(session)) member->online = false;
  if (number != 0) give_back(number);
  stop_if_alone();
}

void Group::settled(const Item& item) {
  if (!item.stored) return;
  if (Cursor* cursor = feed_.find(item.log)) cursor->settle(item.offset);
  dirty_ = true;
  shard_.want_tick();
}

// ---- the log ----

Filters Group::filters() {
  if (!filters_) {
    auto list = std::make_unique<FilterList>();
    list->filters.emplace_back(subscription_.request.filter);
    filters_ = Filters(list.release());
  }
  return filters_;
}

void Group::read_if_room() {
  if (!reading_ || ended_ || !feed_.behind()) return;
  if (kept_bytes() < shard_.options().queued_bytes_per_session_max / 4) feed_.read_more(shard_, id_, filters());
}

// In the turn the owner's answer arrives: what it routes from now on is mine.
void Group::join_log(const Places& ends) {
  for (const auto& [log, end] : ends) feed_.join(log, end, reading_);
}

void Group::on_read(ReadAnswer answer) {
  if (!feed_.accept(answer)) return;
  Cursor* cursor = feed_.find(answer.log);
  for (engine::Record& record : answer.records) {
    if (kept_bytes() >= shard_.options().queued_bytes_per_session_max) {
      answer.stop_at(record.offset);
      break;
    }
    if (record.offset < cursor->next() || !subscription_.is_born(answer.log, record.offset)) continue;
    if (record.message->guarantee == Guarantee::at_most_once) continue;  // it was handed out live, or never
    if (!cursor->take(record.offset)) continue;
    const Guarantee guarantee = record.message->guarantee;
    Item item{std::move(record.message), guarantee, false, true, answer.log, record.offset};
    waiting_bytes_ += item.bytes();
    waiting_.push_back(std::move(item));
  }
  shard_.counters().drop(Drop::damaged, answer.lost.counted());
  feed_.finish(answer);
  pump();
}

void Group::on_end(LogName log, uint64_t end) {
  Cursor* cursor = feed_.find(log);
  if (cursor != nullptr && cursor->seam == Cursor::Seam::live) cursor->advance(end);
}

void Group::on_tick() {
  feed_.report_floors(shard_, id_);
  if (!settling_.empty()) {
    write_settled();
  } else if (dirty_) {
    write({});
  }
}

engine::Operation Group::record_operation() const {
  GroupRecord record{space_, name_, std::string(subscription_.request.filter),
                     {subscription_.born.begin(), subscription_.born.end()}, feed_.records()};
  engine::Operation operation;
  operation.space = engine::Space::groups;
  operation.key = key_;
  operation.value = encode(record);
  return operation;
}

void Group::write(UniqueFunction<void(engine::CommitStatus)> done) {
  dirty_ = false;
  if (ended_) {
    if (done) done(engine::CommitStatus::committed);
    return;
  }
  std::vector<engine::Operation> operations;
  operations.push_back(record_operation());
  shard_.submit(key_, std::move(operations), [shard = &shard_, id = id_, done = std::move(done)](engine::CommitStatus status) mutable {
    Group* group = shard->find_group(id);
    if (group != nullptr && status != engine::CommitStatus::committed) group->write_later();
    if (done) done(status);
  });
}

// The store refused: the tick tries again, when it may have room.
void Group::write_later() {
  dirty_ = true;
  shard_.want_tick();
}

void Group::restore(const GroupRecord& record) {
  for (const auto& place : record.born) {
    if (shard_.has_log(place.first.log)) subscription_.born.push_back(place);
  }
  subscription_.durable = true;
  for (const CursorRecord& cursor : record.cursors) {
    if (shard_.has_log(cursor.log.log)) feed_.restore(cursor);
  }
  std::vector<LogName> joined;
  for (const Stream& stream : shard_.streams().all()) on_stream_added(stream, joined);
  shard_.register_reader(id_, *this);
}

}  // namespace arena::broker
