// My side of shared subscriptions: joining a group, telling it whether I am there, giving back what it gave. CURSORS.md 12.
#include <algorithm>
#include <utility>

#include "broker/session/session.h"
#include "broker/shard.h"

namespace arena::broker {

void Session::subscribe_group(const SubscribeRequest& request, std::size_t slot, uint64_t cookie) {
  Change change = begin_change(request);
  Subscription* subscription = subscriptions_.find(change.name);
  if (subscription == nullptr) subscription = &add_subscription(request);
  subscription->request = request;
  join_group(*subscription, [shard = &shard_, id = id_, slot, cookie, change = std::move(change)](uint64_t group, bool stored) mutable {
    Session* session = shard->find_session(id);
    if (session != nullptr) {
      session->on_group_joined(std::move(change), group, stored, slot, cookie);
    } else {  // it ended meanwhile
      leave_group(*shard, group, id);
    }
  });
}

Group::Member Session::as_member(const Subscription& subscription) const {
  const SubscribeRequest& request = subscription.request;
  Group::Member member;
  member.session = id_;
  member.principal = {std::string(principal().space), std::string(principal().name), principal().internal};
  member.client_id = client_id();
  member.granted = request.granted;
  member.keep_retained_flag = request.keep_retained_flag;
  member.subscription_id = request.id;
  member.persistent = persistent();
  member.window = group_window();
  return member;
}

std::size_t Session::group_window() const { return std::max<std::size_t>(1, std::min<std::size_t>(inflight_max_, 64)); }

void Session::join_group(const Subscription& subscription, UniqueFunction<void(uint64_t, bool)> done) {
  const SubscribeRequest& request = subscription.request;
  const unsigned owner = shard_.placement().core_of_name(group_key(principal().space, request.group, request.filter));
  shard_.call(owner, [space = std::string(principal().space), group = request.group, filter = request.filter,
                      member = as_member(subscription), home = shard_.core(), done = std::move(done)](Shard& there) mutable {
    Group& joined = there.group_for(space, group, filter);
    const uint64_t group_id = joined.id();
    joined.join(std::move(member), [&there, home, group_id, done = std::move(done)](bool stored) mutable {
      there.call(home, [group_id, stored, done = std::move(done)](Shard&) mutable { done(group_id, stored); });
    });
  });
}

void Session::on_group_joined(Change change, uint64_t group_id, bool stored, std::size_t slot, uint64_t cookie) {
  Subscription* subscription = subscriptions_.find(change.name);
  if (subscription == nullptr) {  // unsubscribed meanwhile
    leave_group(shard_, group_id, id_);
    answer_subscribe(slot, cookie, SubscribeStatus::granted);
    return;
  }
  subscription->group_id = group_id;
  auto finish = [shard = &shard_, id = id_, slot, cookie, change = std::move(change)](engine::CommitStatus status) mutable {
    Session* session = shard->find_session(id);
    if (session == nullptr) return;
    const bool committed = status == engine::CommitStatus::committed;
    session->end_change(change, committed);
    if (committed) {
      session->enter_group(change.name, slot, cookie);
    } else {
      session->answer_subscribe(slot, cookie, SubscribeStatus::failed);
    }
  };
  if (!stored) {
    finish(engine::CommitStatus::full);
  } else if (!has_record_ || !persistent()) {
    finish(engine::CommitStatus::committed);
  } else {
    write(std::move(finish));
  }
}

// The group hands messages to me from now on; then the subscribe is answered.
void Session::enter_group(const std::string& name, std::size_t slot, uint64_t cookie) {
  const Subscription* subscription = subscriptions_.find(name);
  if (subscription == nullptr) return finish_subscribe(name, slot, cookie, {});
  Group::Member member = as_member(*subscription);
  member.online = open_for_sending();
  shard_.call(group_core(subscription->group_id), [group_id = subscription->group_id, member, id = id_, name, slot, cookie, home = shard_.core()](Shard& there) {
    if (Group* group = there.find_group(group_id)) group->enter(member);
    there.call(home, [id, name, slot, cookie](Shard& shard) {
      if (Session* session = shard.find_session(id)) session->finish_subscribe(name, slot, cookie, {});
    });
  });
}

// What the group gave me and has not left yet is not mine any more.
void Session::return_group_waiting(uint64_t group_id) {
  std::vector<GroupDelivery> returned;
  keep_waiting([&](const Item& item) {
    if (item.origin.group != group_id) return true;
    count_out(item);
    returned.push_back(item.origin);
    return false;
  });
  for (const GroupDelivery& origin : returned) refuse(origin);
}

void Session::tell_groups() {
  for (const auto& subscription : subscriptions_) {
    if (subscription->group_id != 0) tell_group(subscription->group_id);
  }
}

// Whether I am there to take what the group has.
void Session::tell_group(uint64_t group_id) {
  shard_.call(group_core(group_id), [group_id, id = id_, online = open_for_sending(), window = group_window()](Shard& shard) {
    if (Group* group = shard.find_group(group_id)) group->set_online(id, online, window);
  });
}

}  // namespace arena::broker
