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

// Lives on its owner's core. Exactly one of session and group is set.
struct Subscription {
  Session* session = nullptr;
  Group* group = nullptr;
  SubscribeRequest request;
  bool durable = false;            // records are kept for it in the log
  bool replay = false;
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
};

// "$share/<group>/<filter>" or the filter: how a subscription is named inside its session.
std::string subscription_name(std::string_view group, std::string_view filter);
// Below, at or above 0: that name comes before `name`, is it, or comes after it. Makes no string.
int compare_name(std::string_view group, std::string_view filter, std::string_view name);

}  // namespace arena::broker
