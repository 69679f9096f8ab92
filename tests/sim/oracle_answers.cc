// What publishers are told: does the answer fit the question, and was it true when it was given? And wills that must come.
#include <algorithm>

#include "message/topic.h"
#include "sim/oracle.h"

namespace arena::sim {

using arena::mqtt::Reason;

void Oracle::rules_changed(bool guarded, int64_t now_ms) {
  guarded_since_ms_ = guarded ? now_ms : 0;
  if (guarded) {
    guarded_.push_back({now_ms, INT64_MAX});
  } else if (!guarded_.empty()) {
    guarded_.back().upto_ms = now_ms;
  }
}

bool Oracle::overlap(const std::vector<Period>& periods, int64_t from_ms, int64_t upto_ms) {
  return std::any_of(periods.begin(), periods.end(),
                     [&](const Period& period) { return period.from_ms <= upto_ms && period.upto_ms >= from_ms; });
}

bool Oracle::within(const std::vector<Period>& periods, int64_t from_ms, int64_t upto_ms) {
  return std::any_of(periods.begin(), periods.end(),
                     [&](const Period& period) { return period.from_ms < from_ms && period.upto_ms > upto_ms; });
}

// A session that stands for certain and subscribed for certain before the message was sent; null: nobody knows of one.
const SessionView* Oracle::certain_reader(const Published& message, Guarantee granted_at_least) const {
  if (full_before_crash()) return nullptr;
  for (const auto& session : sessions_) {
    if (reads(*session, message, granted_at_least)) return session.get();
  }
  return nullptr;
}

bool Oracle::reads(const SessionView& session, const Published& message, Guarantee granted_at_least) {
  if (session.lost || !session.persistent || !session.stands) return false;
  return std::any_of(session.spans.begin(), session.spans.end(), [&](const Span& span) {
    const bool certain = span.group.empty() && !span.ended && !span.shaky && span.granted_ms != 0 && span.granted_ms < message.sent_ms && !is_own(span, session, message);
    return certain && span.granted >= granted_at_least && filter_matches(span.filter, message.topic);
  });
}

bool Oracle::may_be_refused(const Published& message, Reason reason, int64_t now_ms) const {
  if (reason == Reason::not_authorized) {
    return message.topic.starts_with("mute/") || (message.topic.starts_with("gate/") && overlap(guarded_, message.sent_ms, now_ms));
  }
  // What nobody can want needs no place in the store.
  const bool wanted = message.retain || !message.topic.starts_with("$lone/");
  return reason == Reason::quota_exceeded && wanted && overlap(full_, message.sent_ms, now_ms);
}

bool Oracle::may_be_taken(const Published& message, int64_t now_ms) const {
  if (message.topic.starts_with("mute/")) return false;
  return !message.topic.starts_with("gate/") || !within(guarded_, message.sent_ms, now_ms);
}

// Acknowledged is committed: who reads the log for certain has it, or will find it there.
void Oracle::check_stored(std::size_t index, const Published& message) {
  if (message.topic.starts_with("gate/") || message.topic.starts_with("mute/")) return;
  if (message.guarantee != Guarantee::at_most_once) streams_.must_be_captured(index, message.topic, message.sent_ms, "was acknowledged");
  if (message.may_expire() || is_ruled(message.topic) || streams_.may_be_deleted(message.topic, message.sent_ms)) return;
  const SessionView* reader = certain_reader(message, Guarantee::at_least_once);
  if (reader == nullptr || reader->deliveries.contains(index) || is_lost_to(*reader, message)) return;
  if (message.deletes && reader->plain) return;
  if (!is_stored(message.topic, "m" + std::to_string(index) + ";")) {
    fail("m" + std::to_string(index) + " was acknowledged, " + reader->client + " has not had it, and it is not stored");
  }
}

void Oracle::answered(std::size_t index, Reason reason, bool told_why, int64_t now_ms) {
  const Published& message = messages_[index];
  const std::string what = "m" + std::to_string(index) + " to " + message.topic + " was answered '" +
                           std::string(arena::mqtt::to_string(reason)) + "'";
  if (arena::mqtt::is_error(reason)) {
    if (!may_be_refused(message, reason, now_ms)) fail(what + " for no cause");
    return;
  }
  if (!told_why) {  // 3.1.1 says yes to what it refuses, too
    if (!may_be_refused(message, Reason::not_authorized, now_ms)) check_stored(index, message);
    return;
  }
  if (!may_be_taken(message, now_ms)) fail(what + " though it may not be published");
  if (reason == Reason::no_matching_subscribers) {
    const SessionView* reader = certain_reader(message, Guarantee::at_most_once);
    if (reader != nullptr) fail(what + " though " + reader->client + " wants it");
    streams_.must_be_captured(index, message.topic, message.sent_ms, "was wanted by nobody");
    return;
  }
  // The answer to a repeated handshake does not say it again.
  const bool repeated = message.resent && (message.guarantee == Guarantee::exactly_once || once_.mark_of(index) != nullptr);
  if (message.topic.starts_with("$lone/") && !repeated) fail(what + " though nobody can want it");
  check_stored(index, message);
}

// The store may have refused it, a crash may have cut its will short.
bool Oracle::excused(const OwedWill& will) const {
  if (overlap(full_, will.dialled_ms, will.due_ms + 15'000)) return true;
  return std::any_of(crashes_ms_.begin(), crashes_ms_.end(),
                     [&](int64_t at_ms) { return at_ms > will.ended_ms && at_ms < will.due_ms + 12'000; });
}

// A goodbye has no answer, so a crash may forget one that it was not the time to write.
void Oracle::check_goodbye(const std::string& will, int64_t now_ms) {
  const auto said = goodbyes_.find(will);
  if (said == goodbyes_.end() || !network_is_good || was_full(said->second, now_ms) || was_disturbed(said->second, now_ms)) return;
  if (!crashed_within(said->second, said->second + 2'000)) fail("a will whose client had said goodbye: " + will);
}

// Only in a good network does a client know when the broker takes its connection for ended.
void Oracle::check_wills() {
  if (!network_is_good) return;
  for (const OwedWill& will : owed_wills_) {
    if (excused(will)) continue;
    Published message;
    message.topic = will.topic;
    message.publisher = will.topic.substr(will.topic.find('/') + 1);
    message.sent_ms = will.dialled_ms;
    for (const auto& session : sessions_) {
      if (session->wills.contains(will.payload)) continue;
      if (reads(*session, message, Guarantee::at_least_once)) fail(session->client + " never received the will " + will.payload);
    }
  }
}

}  // namespace arena::sim
