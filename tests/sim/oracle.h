// What was asked of the broker, what came back, and whether that is what it promises (DESIGN.md 4, CURSORS.md 14).
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "codec/mqtt/properties.h"
#include "codec/mqtt/reason.h"
#include "message/message.h"
#include "sim/once.h"
#include "sim/streams.h"
#include "sim/subscriptions.h"

namespace arena::sim {

inline constexpr int64_t kPauseMs = 5'000;      // how long a core may stand still, and a little
inline constexpr int64_t kNetworkMs = 10'000;  // how long the network may hold back what the broker has sent
inline constexpr uint32_t kForeverS = 10'000;  // no run lasts so long

struct Published {
  std::string publisher;
  std::string topic;
  Guarantee guarantee = Guarantee::at_most_once;
  bool retain = false;
  bool deletes = false;          // the last value of its topic, by being empty
  int64_t sent_ms = 0;
  int64_t expires_ms = 0;        // 0: never
  uint32_t interval_s = 0;       // as it was first sent; 0: none
  int64_t late_before_ms = 0;    // how far the clock had been set back by then
  bool acked = false;
  int64_t acked_ms = 0;          // when first
  bool refused = false;
  bool resent = false;
  std::size_t padding = 0;
  bool plain = false;            // by MQTT 3.1.1, which has no properties
  bool unsure_once = false;      // its handshake was lost with its session: it may legally come twice
  bool late = false;             // refused, and sent again behind later ones
  bool may_expire() const { return expires_ms != 0 && interval_s < kForeverS; }
};

// A subscription as its client knows it.
struct Span {
  std::string filter;            // without the group's prefix
  std::string group;
  Guarantee granted = Guarantee::at_most_once;
  int64_t granted_ms = 0;        // 0: not answered yet, or given up
  uint64_t request = 0;          // which of its client's requests made it
  bool ended = false;
  bool shaky = false;            // asked for again, and not answered yet
  bool lossy = false;            // at most once, now or before it was asked for again
  bool no_local = false;
};

// When, how and on which connection a message came last.
struct Arrival {
  int64_t dialled_ms = 0;
  int64_t at_ms = 0;
  Guarantee guarantee = Guarantee::at_most_once;
};

// One session of one client, from its making to its end.
struct SessionView {
  std::string client;
  bool persistent = false;
  bool lost = false;             // ended, or nobody can know
  bool plain = false;            // by MQTT 3.1.1, which does not tell one deletion from another
  bool narrow = false;           // at times it took no large messages: those are lost to it
  bool stands = false;           // certainly: it does not expire, and nothing on its way may end it
  std::vector<Span> spans;
  std::map<std::size_t, int> deliveries;        // message -> first-time deliveries, retained snapshots apart
  std::map<std::size_t, Arrival> arrivals;
  std::map<std::string, std::vector<std::size_t>> order;  // topic -> first deliveries, not from groups; apart at most once
  std::map<std::size_t, int> exactly_once;      // message -> completed as new at exactly once
  std::map<std::size_t, std::string> of_group;  // message that came at exactly once -> the group it can only have come from
  std::map<std::string, std::size_t> last_live;   // order key -> highest message seen live
  std::map<std::string, std::size_t> last_first;  // order key -> highest message seen first
  std::set<std::string> wills;
  std::map<std::string, int64_t> first_asked_ms;  // filter -> when it was first asked for without a group
  std::map<std::size_t, int64_t> settled_ms;      // message -> when its client was done with it
  std::vector<int64_t> breaks_ms;                 // when its connections ended
  std::set<std::string> groups_asked;             // "$share/<group>/<filter>", ever
  std::set<std::string> without_own;              // filters asked for without what one publishes oneself, ever
  struct Leave {
    uint64_t request = 0;  // the last that asked for the end
    bool answered = false;
  };
  std::map<std::string, Leave> leaves;            // by the name of the subscription
  SubscriptionJudge subscriptions;
};

// A will whose connection ended without a goodbye, and that nothing kept from being sent.
struct OwedWill {
  std::string topic;
  std::string payload;
  int64_t dialled_ms = 0;
  int64_t ended_ms = 0;
  int64_t due_ms = 0;      // when its delay or its session was over
};

struct Received {
  std::string_view topic;
  std::string_view payload;
  Guarantee guarantee = Guarantee::at_most_once;
  bool dup = false;
  bool retained = false;
  int64_t dialled_ms = 0;  // the connection it came on
  std::string_view position{};  // where it says that it is stored; empty: it does not say
  std::span<const uint32_t> ids{};  // of the subscriptions that it says it came of
};

class Oracle {
 public:
  // It is named by its number.
  void publish(Published message);
  Published& message(std::size_t index) { return messages_[index]; }
  std::size_t messages() const { return messages_.size(); }
  SessionView& new_session(const std::string& client, bool persistent);
  // What is left of its expiry interval, as a packet says that carries the message, in the first or any later copy.
  void check_interval(const std::string& client, std::string_view topic, std::string_view payload, std::optional<uint32_t> left_s, int64_t now_ms);
  // What else it carries.
  void check_properties(const std::string& client, std::string_view payload, const arena::mqtt::PublishProperties& came);
  // A message has arrived and is new to the client (an exactly-once repeat under an open tag is not).
  void received(SessionView& session, const Received& got, int64_t now_ms, const std::vector<Span>& unanswered);
  // Its receiver was told that the broker is done with what it got at exactly once.
  void released(const SessionView& session, std::size_t index);
  void will(const std::string& payload, bool plain) { wills_[payload] = plain; }
  // As long as it does not say otherwise with 0.
  void will_not_before(const std::string& payload, int64_t at_ms) { wills_not_before_[payload] = at_ms; }
  // From `now_ms` on guard/# may, or may not, be read, and gate/# written; what is under way still arrives.
  void rules_changed(bool guarded, int64_t now_ms);
  // Whatever expires by that clock lives so much longer.
  void clock_jumped_back(int64_t ms) {
    late_ms_ += ms;
    streams_.clock_jumped();
  }
  int64_t late_ms() const { return late_ms_; }
  void store_full(int64_t from_ms, int64_t upto_ms) { full_.push_back({from_ms, upto_ms}); }
  // Something is slower than it promises to be.
  void disturbed(int64_t from_ms, int64_t upto_ms) { disturbed_.push_back({from_ms, upto_ms}); }
  // settled: what the store says that each client or group is done with, as payloads.
  void crashed(int64_t now_ms, const std::map<std::string, std::set<std::string>>& settled);
  // It is sent again: what is settled of it says nothing of the copy.
  void may_be_stored_anew(std::size_t index);
  bool was_disturbed(int64_t from_ms, int64_t upto_ms) const { return overlap(disturbed_, from_ms, upto_ms); }
  bool was_full(int64_t from_ms, int64_t upto_ms) const { return overlap(full_, from_ms, upto_ms); }
  // Has a crash brought back what a full store could not replace?
  bool full_before_crash() const {
    return std::any_of(crashes_ms_.begin(), crashes_ms_.end(), [&](int64_t at_ms) { return overlap(full_, at_ms - 6'000, at_ms); });
  }
  bool crashed_within(int64_t from_ms, int64_t upto_ms) const {
    return std::any_of(crashes_ms_.begin(), crashes_ms_.end(), [&](int64_t at_ms) { return at_ms >= from_ms && at_ms <= upto_ms; });
  }
  int64_t last_crash_ms() const { return crashes_ms_.empty() ? 0 : crashes_ms_.back(); }
  // The publisher was told what its message came to; told_why: its protocol has reasons.
  void answered(std::size_t index, arena::mqtt::Reason reason, bool told_why, int64_t now_ms);
  // Somebody asked to be a member at most once: it may be given any message, and lose it.
  void may_lose(const std::string& group) { lossy_groups_.insert(group); }
  // For certain, and nothing takes it away again.
  void has_last_value(const std::string& topic, const std::string& publisher) { last_values_[topic] = publisher; }
  // Something is published that may take its place, or delete it.
  void may_lose_last_value(const std::string& topic);
  const std::map<std::string, std::string>& last_values() const { return last_values_; }
  std::vector<std::string> last_values_but_of(const std::string& client) const;
  void owe_will(OwedWill will) { owed_wills_.push_back(std::move(will)); }
  // Does the log hold a message to that topic whose payload begins like this?
  std::function<bool(const std::string& topic, const std::string& payload)> is_stored;
  // Its connection ended with a goodbye that was sent now.
  void goodbye(const std::string& will, int64_t now_ms) { goodbyes_[will] = now_ms; }
  void forbid_will(const std::string& payload) { forbidden_wills_.insert(payload); }

  // After everything has healed and drained: what was promised must have happened.
  void check_end();
  StreamJudge& streams() { return streams_; }
  OnceJudge& once() { return once_; }
  // The replay gave what its connection took.
  void replayed(ReplayView& view, const Replayed& got);
  // What the rules take out, always or at times: never owed to anybody.
  static bool is_ruled(std::string_view topic);
  // Which message a payload names; SIZE_MAX: none.
  static std::size_t index_of(std::string_view payload);
  uint64_t deliveries() const { return deliveries_; }
  void fail(const std::string& what) {
    if (verbose) std::fprintf(stderr, "         FAILURE %s\n", what.c_str());
    failures_.push_back(what);
  }
  bool verbose = false;
  bool network_is_good = false;  // so that times can be held to
  const std::vector<std::string>& failures() const { return failures_; }

 private:
  struct Period {
    int64_t from_ms = 0;
    int64_t upto_ms = INT64_MAX;
  };
  static bool overlap(const std::vector<Period>& periods, int64_t from_ms, int64_t upto_ms);
  static bool within(const std::vector<Period>& periods, int64_t from_ms, int64_t upto_ms);
  bool may_be_refused(const Published& message, arena::mqtt::Reason reason, int64_t now_ms) const;
  bool may_be_taken(const Published& message, int64_t now_ms) const;
  const SessionView* certain_reader(const Published& message, Guarantee granted_at_least) const;
  static bool reads(const SessionView& session, const Published& message, Guarantee granted_at_least);
  static bool is_lost_to(const SessionView& session, const Published& message) { return session.narrow && message.padding != 0; }
  void check_stored(std::size_t index, const Published& message);
  void check_wills();
  void check_goodbye(const std::string& will, int64_t now_ms);
  bool excused(const OwedWill& will) const;
  void check_permission(const SessionView& session, const Received& got, int64_t now_ms);
  // Does the subscription say that what its own client publishes is not to come?
  static bool is_own(const Span& span, const SessionView& session, const Published& message) {
    return span.no_local && session.client == message.publisher;
  }
  void check_matches(const SessionView& session, const Received& got, const Published& message,
                     const std::vector<Span>& unanswered);
  SubscriptionJudge::Kind check_subscriptions(SessionView& session, const Received& got, std::size_t index);
  void check_order(SessionView& session, const Received& got, std::size_t index, const std::vector<Span>& unanswered);
  void check_superseded(const SessionView& session, std::size_t index, int64_t asked_ms);
  void check_last_value(SessionView& session, const Received& got, std::size_t index);
  bool must_be_stored(const SessionView& session, std::size_t index, int64_t settled_ms, int64_t now_ms) const;
  static std::string_view filter_of_group(std::string_view name);
  static std::string reader_of(const SessionView& session, const Received& got);
  static bool perhaps_from_group(const SessionView& session, const Received& got);
  void check_settled(const SessionView& session, const Received& got, std::size_t index);
  void check_released(SessionView& session, const Received& got, std::size_t index);
  void check_repetition(SessionView& session, const Received& got, std::size_t index, bool shared, int64_t now_ms);
  void check_places(const SessionView& session);
  void check_subscribed_in_time(const SessionView& session, const Received& got, std::size_t index);
  std::string order_key(const Received& got, std::size_t index) const;
  void check_group(const std::string& name, const std::vector<const Span*>& spans, const std::vector<const SessionView*>& members);

  uint64_t deliveries_ = 0;
  int64_t late_ms_ = 0;
  int64_t guarded_since_ms_ = 0;  // 0: guard/# may be read
  std::vector<Period> guarded_;
  std::vector<Period> full_;
  std::vector<Period> disturbed_;
  std::vector<int64_t> crashes_ms_;
  std::map<std::string, std::set<std::size_t>> settled_;  // client or group -> what must not come again
  std::map<std::string, std::map<std::size_t, std::string>> released_;  // group -> message -> who was told that it is over
  std::vector<OwedWill> owed_wills_;
  std::vector<Published> messages_;
  std::vector<std::unique_ptr<SessionView>> sessions_;
  std::map<std::string, bool, std::less<>> wills_;  // payload -> by MQTT 3.1.1
  std::set<std::string> forbidden_wills_;
  std::set<std::string> lossy_groups_;
  std::map<std::string, std::string> last_values_;  // topic -> who set it
  std::map<std::string, int64_t> goodbyes_;  // will -> when
  std::map<std::string, int64_t> wills_not_before_;
  std::vector<std::string> failures_;
  StreamJudge streams_{[this](const std::string& what) { fail(what); }};
  OnceJudge once_{[this](const std::string& what) { fail(what); }};
};

}  // namespace arena::sim
