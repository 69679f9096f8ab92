// One filter of one session or group, as the router sees it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "base/ring.h"
#include "broker/types.h"

namespace arena::broker {

class Session;
class Group;

// Lives on its owner's core.
class Subscription {
 public:
  // A session's own, its side of a shared one, or its replay.
  explicit Subscription(Session& owner, bool is_replay = false) : replay(is_replay), session_(&owner) {}
  explicit Subscription(Group& owner) : grouped_(true), group_(&owner) {}

  // Null: it is the other's.
  Session* session() const { return grouped_ ? nullptr : session_; }
  Group* group() const { return grouped_ ? group_ : nullptr; }

  [[no_unique_address]] SubscribeRequest request;  // what follows lies in its padding
  bool durable : 1 = false;        // records are kept for it in the log
  const bool replay : 1 = false;

 private:
  const bool grouped_ : 1 = false;

 public:
  uint32_t covered_epoch = 0;      // policy epoch under which every topic of the filter may be read; 0: none
  Ring<std::pair<LogName, uint64_t>> born;
  // Cores whose answer is outstanding: what they route is in their snapshot, or published before we were there.
  uint64_t waiting_cores = 0;
  uint64_t group_id = 0;           // a member's side of a shared subscription; of a replay: the reader

  bool is_known(LogName log) const {
    return std::any_of(born.begin(), born.end(), [log](const auto& place) { return place.first == log; });
  }
  // Is the record of its log at `offset` mine through this subscription?
  bool is_born(LogName log, uint64_t offset) const {
    for (const auto& [born_log, end] : born) {
      if (born_log == log) return offset >= end;
    }
    return false;
  }

 private:
  union {
    Session* const session_;
    Group* const group_;
  };
};
static_assert(sizeof(Subscription) == 64);  // there are very many, and the next size of heap block is 80

// "$share/<group>/<filter>" or the filter: how a subscription is named inside its session.
std::string subscription_name(std::string_view group, std::string_view filter);
// Below, at or above 0: that name comes before `name`, is it, or comes after it. Makes no string.
int compare_name(std::string_view group, std::string_view filter, std::string_view name);

}  // namespace arena::broker
