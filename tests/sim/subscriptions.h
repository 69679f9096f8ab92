// The judge of how subscriptions ask for their messages: under which identifiers, at which guarantee, with which flag and with
// which last values they come. One for each session.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "message/message.h"

namespace arena::sim {

struct Published;
struct Received;

enum class LastValues : uint8_t { always, if_new, never };

// One SUBSCRIBE, by the number of its client's requests.
struct Asking {
  uint64_t number = 0;
  std::string filter;          // without the group's prefix
  std::string group;
  uint32_t id = 0;             // 0: none
  int64_t asked_ms = 0;
  Guarantee granted = Guarantee::at_most_once;
  bool no_local = false;
  bool as_published = false;
  LastValues last_values = LastValues::always;

  int64_t granted_ms = 0;      // 0: not answered yet, or refused
  int64_t over_ms = 0;         // when its client knew that another took its place, or that it was refused or ended; 0: it did not
  unsigned leaves = 0;         // how often its end was asked for
  bool ended = false;          // ... and granted
  bool brings = true;          // last values may come of it
  std::set<std::string> brought;  // topics whose last value came of it

  bool is_named_as(const Asking& other) const { return filter == other.filter && group == other.group; }
};

class SubscriptionJudge {
 public:
  using Fail = std::function<void(const std::string&)>;
  // What a message that came is for certain.
  enum class Kind : uint8_t { live, last_value, either };

  // `owed`: topics that have a last value, which is not its client's own.
  void asked(Asking asking, const std::vector<std::string>& owed);
  void answered(uint64_t number, bool granted, int64_t now_ms);
  void leaving(const std::string& filter, const std::string& group);
  void left(const std::string& filter, const std::string& group, uint64_t number, int64_t now_ms);
  // Was anything of that topic asked for without its last values? Its owners are not always asked then, and what they have
  // just routed to others may come.
  bool perhaps_unasked(std::string_view topic) const;
  // For certain, when its end was asked for.
  bool has(const std::string& filter, const std::string& group) const;
  void not_owed(const std::string& topic) { owed_.erase(topic); }
  // What was to come behind an answer may be gone with the connection.
  void disconnected() { owed_.clear(); }

  // own: its publisher is the subscriber.
  // asked_ms: of a last value: when the request was sent that brought it.
  Kind received(const Received& got, const Published& message, bool own, int64_t& asked_ms, const Fail& fail);
  void check_end(const Fail& fail) const;

 private:
  const Asking* find(uint32_t id) const;
  bool in_force(const Asking& asking, const Published& message) const;
  static bool may_concern(const Asking& asking, const Published& message, bool own);
  bool surely_concerns(const Asking& asking, const Published& message, bool own) const;
  void check_ids(const Received& got, const Published& message, bool own, const Fail& fail) const;
  void check_guarantee(const Received& got, const Published& message, bool own, const Fail& fail) const;
  int64_t check_last_value(const Received& got, const Published& message, const Fail& fail);
  bool may_be_plain(const Received& got, const Published& message, bool own) const;
  void check_copy(const Received& got, const Published& message, bool own, const Fail& fail) const;
  bool may_bring(const Asking& asking, const Received& got) const;
  bool from_group(const Published& message) const;

  std::vector<Asking> askings_;
  std::map<std::string, std::string> owed_;  // topic of a last value -> filter that is to bring it
};

}  // namespace arena::sim
