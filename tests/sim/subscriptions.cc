#include "sim/subscriptions.h"

#include <algorithm>

#include "message/topic.h"
#include "sim/oracle.h"

namespace arena::sim {

void SubscriptionJudge::asked(Asking asking, const std::vector<std::string>& owed) {
  bool there = false;      // certainly
  bool perhaps = false;
  for (const Asking& before : askings_) {
    if (!before.is_named_as(asking)) continue;
    there = there || (before.granted_ms != 0 && before.leaves == 0);
    perhaps = perhaps || !before.ended;
  }
  const bool if_new = asking.last_values == LastValues::if_new;
  asking.brings = asking.group.empty() && asking.last_values != LastValues::never && !(if_new && there);
  if (asking.brings && !(if_new && perhaps)) {
    for (const std::string& topic : owed) {
      if (filter_matches(asking.filter, topic)) owed_[topic] = asking.filter;
    }
  }
  askings_.push_back(std::move(asking));
}

void SubscriptionJudge::answered(uint64_t number, bool granted, int64_t now_ms) {
  const auto at = std::find_if(askings_.begin(), askings_.end(), [&](const Asking& asking) { return asking.number == number; });
  if (at == askings_.end()) return;
  if (!granted) {
    at->over_ms = now_ms;
    at->brings = false;
    std::erase_if(owed_, [&](const auto& entry) { return entry.second == at->filter; });
    return;
  }
  at->granted_ms = now_ms;
  for (Asking& before : askings_) {
    if (before.number < number && before.over_ms == 0 && before.is_named_as(*at)) before.over_ms = now_ms;
  }
}

void SubscriptionJudge::leaving(const std::string& filter, const std::string& group) {
  for (Asking& asking : askings_) {
    if (asking.filter == filter && asking.group == group) ++asking.leaves;
  }
  std::erase_if(owed_, [&](const auto& entry) { return entry.second == filter; });
}

void SubscriptionJudge::left(const std::string& filter, const std::string& group, uint64_t number, int64_t now_ms) {
  for (Asking& asking : askings_) {
    if (asking.filter != filter || asking.group != group || asking.number > number) continue;
    asking.ended = true;
    if (asking.over_ms == 0) asking.over_ms = now_ms;
  }
}

bool SubscriptionJudge::perhaps_unasked(std::string_view topic) const {
  return std::any_of(askings_.begin(), askings_.end(), [&](const Asking& asking) {
    return asking.last_values != LastValues::always && filter_matches(asking.filter, topic);
  });
}

bool SubscriptionJudge::has(const std::string& filter, const std::string& group) const {
  return std::any_of(askings_.begin(), askings_.end(), [&](const Asking& asking) {
    return asking.filter == filter && asking.group == group && asking.granted_ms != 0 && asking.over_ms == 0 && asking.leaves == 1;
  });
}

const Asking* SubscriptionJudge::find(uint32_t id) const {
  const auto at = std::find_if(askings_.begin(), askings_.end(), [&](const Asking& asking) { return asking.id == id; });
  return at == askings_.end() ? nullptr : &*at;
}

// It had taken effect before the message was sent, and nothing was asked since that may have changed it.
bool SubscriptionJudge::in_force(const Asking& asking, const Published& message) const {
  if (asking.granted_ms == 0 || asking.granted_ms >= message.sent_ms || asking.over_ms != 0 || asking.leaves != 0) return false;
  return std::none_of(askings_.begin(), askings_.end(), [&](const Asking& later) {
    const bool was_nothing = later.granted_ms == 0 && later.over_ms != 0 && later.over_ms < message.sent_ms;  // refused
    return later.number > asking.number && later.is_named_as(asking) && !was_nothing;
  });
}

bool SubscriptionJudge::may_concern(const Asking& asking, const Published& message, bool own) {
  if (asking.over_ms != 0 && asking.over_ms < message.sent_ms) return false;
  return !(own && asking.no_local && asking.over_ms == 0) && filter_matches(asking.filter, message.topic);
}

bool SubscriptionJudge::surely_concerns(const Asking& asking, const Published& message, bool own) const {
  const bool not_mine = !asking.group.empty() || (own && asking.no_local) || Oracle::is_ruled(message.topic);
  return !not_mine && filter_matches(asking.filter, message.topic) && in_force(asking, message);
}

// A shared subscription beside a plain one gives a copy of its own.
bool SubscriptionJudge::from_group(const Published& message) const {
  return std::any_of(askings_.begin(), askings_.end(),
                     [&](const Asking& asking) { return !asking.group.empty() && filter_matches(asking.filter, message.topic); });
}

// All of those that matched, and none else [MQTT-3.3.4-3] [MQTT-3.3.4-4].
void SubscriptionJudge::check_ids(const Received& got, const Published& message, bool own, const Fail& fail) const {
  for (const uint32_t id : got.ids) {
    const Asking* asking = find(id);
    if (asking == nullptr) return fail("with an identifier that it never gave: " + std::to_string(id));
    if (!filter_matches(asking->filter, message.topic)) fail("with the identifier of its subscription to " + asking->filter);
    if (!got.dup && asking->over_ms != 0 && asking->over_ms < message.sent_ms) {
      fail("with the identifier " + std::to_string(id) + " of a subscription to " + asking->filter + " that was over");
    }
  }
  const std::set<uint32_t> given(got.ids.begin(), got.ids.end());
  if (given.size() != got.ids.size()) fail("with an identifier twice");
  if (got.retained || from_group(message)) return;
  for (const Asking& asking : askings_) {
    if (asking.id == 0 || given.contains(asking.id) || !surely_concerns(asking, message, own)) continue;
    fail("without the identifier " + std::to_string(asking.id) + " of its subscription to " + asking.filter);
  }
}

// The published one, but not more than the highest that was granted [MQTT-3.3.4-2] [MQTT-3.8.4-8].
void SubscriptionJudge::check_guarantee(const Received& got, const Published& message, bool own, const Fail& fail) const {
  int most = -1;
  int least = -1;
  for (const Asking& asking : askings_) {
    const int so = static_cast<int>(std::min(asking.granted, message.guarantee));
    if (may_concern(asking, message, false)) most = std::max(most, so);
    if (surely_concerns(asking, message, own)) least = std::max(least, so);
  }
  const int so = static_cast<int>(got.guarantee);
  if (most >= 0 && so > most) fail("at " + std::to_string(so) + ", and was granted " + std::to_string(most));
  const bool whole = !got.retained && !from_group(message);
  if (whole && so < least) fail("at " + std::to_string(so) + ", and was granted " + std::to_string(least));
}

bool SubscriptionJudge::may_be_plain(const Received& got, const Published& message, bool own) const {
  bool may = false;
  for (const Asking& asking : askings_) {
    if (!asking.group.empty()) continue;
    may = may || may_concern(asking, message, own);
    if (!surely_concerns(asking, message, own)) continue;
    if (got.guarantee < std::min(asking.granted, message.guarantee)) return false;
    if (asking.id != 0 && std::find(got.ids.begin(), got.ids.end(), asking.id) == got.ids.end()) return false;
  }
  return may;
}

// Each member of a group gets a copy as it asked for, whoever held the message before; beside a plain subscription it may be that
// one's copy.
void SubscriptionJudge::check_copy(const Received& got, const Published& message, bool own, const Fail& fail) const {
  if (!from_group(message) || may_be_plain(got, message, own)) return;
  for (const Asking& asking : askings_) {
    if (asking.group.empty() || !may_concern(asking, message, own)) continue;
    const bool says = asking.id == 0 ? got.ids.empty() : got.ids.size() == 1 && got.ids.front() == asking.id;
    if (says && got.guarantee == std::min(asking.granted, message.guarantee)) return;
  }
  fail("at " + std::to_string(static_cast<int>(got.guarantee)) + ", as none of its shared subscriptions asks for");
}

bool SubscriptionJudge::may_bring(const Asking& asking, const Received& got) const {
  if (!asking.brings || asking.brought.contains(std::string(got.topic)) || !filter_matches(asking.filter, got.topic)) return false;
  // It says the identifier that its subscription has now, which may have been asked for again meanwhile.
  return std::any_of(askings_.begin(), askings_.end(), [&](const Asking& named) {
    const bool says = got.ids.empty() ? named.id == 0 : named.id == got.ids.front();
    return says && named.number >= asking.number && named.is_named_as(asking);
  });
}

// Once for each request that wants them [MQTT-3.3.1-9] [MQTT-3.3.1-10] [MQTT-3.3.1-11]. When that was sent; 0: nobody knows.
int64_t SubscriptionJudge::check_last_value(const Received& got, const Published& message, const Fail& fail) {
  if (got.dup) return 0;
  const auto at = std::find_if(askings_.begin(), askings_.end(), [&](const Asking& asking) { return may_bring(asking, got); });
  if (at == askings_.end()) {
    fail("as a last value that it did not ask for");
    return 0;
  }
  at->brought.insert(std::string(got.topic));
  const Asking* named = got.ids.empty() ? nullptr : find(got.ids.front());
  if (got.ids.size() > 1) fail("as a last value with the identifiers of several subscriptions");
  if (named != nullptr && got.guarantee != std::min(named->granted, message.guarantee)) {
    fail("as a last value at " + std::to_string(static_cast<int>(got.guarantee)) + ", and was granted " +
         std::to_string(static_cast<int>(named->granted)));
  }
  return at->asked_ms;
}

SubscriptionJudge::Kind SubscriptionJudge::received(const Received& got, const Published& message, bool own, int64_t& asked_ms, const Fail& fail) {
  owed_.erase(std::string(got.topic));
  check_ids(got, message, own, fail);
  check_guarantee(got, message, own, fail);
  if (!got.retained) check_copy(got, message, own, fail);
  const auto keeps_flag = [&](const Asking& asking) { return asking.as_published && may_concern(asking, message, false); };
  if (!got.retained) {
    const auto surely = [&](const Asking& asking) { return asking.as_published && surely_concerns(asking, message, own); };
    if (message.retain && !from_group(message) && std::any_of(askings_.begin(), askings_.end(), surely)) {
      fail("without the retained flag, which it is to keep");
    }
    return Kind::live;
  }
  if (!message.retain) fail("as a last value, which it is not");
  if (message.deletes && std::none_of(askings_.begin(), askings_.end(), keeps_flag)) fail("as a last value, which it deletes");
  if (std::any_of(askings_.begin(), askings_.end(), keeps_flag)) return Kind::either;
  asked_ms = check_last_value(got, message, fail);
  return Kind::last_value;
}

void SubscriptionJudge::check_end(const Fail& fail) const {
  for (const auto& [topic, filter] : owed_) fail("never received the last value of " + topic + " behind its subscription to " + filter);
}

}  // namespace arena::sim
