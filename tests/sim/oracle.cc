#include "sim/oracle.h"

#include <algorithm>
#include <charconv>

#include "message/topic.h"
#include "sim/properties.h"

namespace arena::sim {
namespace {

std::string text(std::size_t index, const Published& message) {
  return "m" + std::to_string(index) + " from " + message.publisher + " to " + message.topic + " at guarantee " +
         std::to_string(static_cast<int>(message.guarantee));
}

}  // namespace

// Of "$share/<group>/<filter>".
std::string_view Oracle::filter_of_group(std::string_view name) { return name.substr(name.find('/', name.find('/') + 1) + 1); }

bool Oracle::is_ruled(std::string_view topic) {
  return topic.starts_with("secret/") || topic.starts_with("guard/") || topic.starts_with("mute/");
}

// Payloads are "m<index>;" and padding.
std::size_t Oracle::index_of(std::string_view payload) {
  std::size_t index = SIZE_MAX;
  if (!payload.empty() && payload[0] == 'm') std::from_chars(payload.data() + 1, payload.data() + payload.size(), index);
  return index;
}

void Oracle::publish(Published message) { messages_.push_back(std::move(message)); }

SessionView& Oracle::new_session(const std::string& client, bool persistent) {
  sessions_.push_back(std::make_unique<SessionView>());
  sessions_.back()->client = client;
  sessions_.back()->persistent = persistent;
  return *sessions_.back();
}

void Oracle::check_permission(const SessionView& session, const Received& got, int64_t now_ms) {
  if (got.topic.starts_with("mute/")) fail(session.client + " received what nobody may publish");
  if (got.topic.starts_with("secret/")) fail(session.client + " received what it may not read: " + std::string(got.topic));
  // What has once left may leave again.
  const bool guarded = guarded_since_ms_ != 0 && now_ms > guarded_since_ms_ + (network_is_good ? 100 : kNetworkMs);
  if (guarded && !got.dup && got.topic.starts_with("guard/")) {
    fail(session.client + " received what it may not read any more: " + std::string(got.topic));
  }
}

void Oracle::check_matches(const SessionView& session, const Received& got, const Published& message,
                           const std::vector<Span>& unanswered) {
  if (got.topic != message.topic) fail("a message changed its topic: " + message.topic + " to " + std::string(got.topic));
  if (session.lost) return;
  // What has once left may leave again after unsubscribing; exactly once it always completes.
  if (got.dup || got.guarantee == Guarantee::exactly_once) return;
  // What another one has fetched may still come when that has ended.
  const bool fetched = std::any_of(session.spans.begin(), session.spans.end(),
                                   [&](const Span& span) { return !span.no_local && filter_matches(span.filter, got.topic); });
  const auto matches = [&](const Span& span) {
    const bool own = !fetched && is_own(span, session, message) && span.granted_ms != 0 && message.sent_ms > span.granted_ms;
    return !span.ended && !own && filter_matches(span.filter, got.topic);
  };
  if (std::any_of(session.spans.begin(), session.spans.end(), matches)) return;
  if (std::any_of(unanswered.begin(), unanswered.end(), matches)) return;
  fail(session.client + " received " + std::string(got.topic) + " without a subscription to it");
}

// What a session that was lost is subscribed to nobody knows.
SubscriptionJudge::Kind Oracle::check_subscriptions(SessionView& session, const Received& got, std::size_t index) {
  if (session.lost) return got.retained ? SubscriptionJudge::Kind::either : SubscriptionJudge::Kind::live;
  const Published& message = messages_[index];
  int64_t asked_ms = 0;
  const SubscriptionJudge::Kind kind = session.subscriptions.received(got, message, session.client == message.publisher, asked_ms, [&](const std::string& how) {
    fail(session.client + " received " + text(index, message) + " " + how);
  });
  if (kind == SubscriptionJudge::Kind::last_value && asked_ms != 0) check_superseded(session, index, asked_ms);
  return kind;
}

// What had taken its place, or deleted it, before anybody asked is the last value, or there is none.
void Oracle::check_superseded(const SessionView& session, std::size_t index, int64_t asked_ms) {
  const Published& message = messages_[index];
  if (message.resent) return;
  for (std::size_t later = index + 1; later < messages_.size(); ++later) {
    const Published& other = messages_[later];
    if (!other.retain || other.acked_ms == 0 || other.acked_ms >= asked_ms || other.topic != message.topic) continue;
    const bool behind = other.publisher == message.publisher || (message.acked_ms != 0 && message.acked_ms < other.sent_ms);
    if (behind) fail(session.client + " received the last value " + text(index, message) + ", whose place m" + std::to_string(later) + " had taken before it asked");
  }
}

std::vector<std::string> Oracle::last_values_but_of(const std::string& client) const {
  std::vector<std::string> topics;
  for (const auto& [topic, publisher] : last_values_) {
    if (publisher != client) topics.push_back(topic);
  }
  return topics;
}

void Oracle::may_lose_last_value(const std::string& topic) {
  last_values_.erase(topic);
  for (const auto& session : sessions_) session->subscriptions.not_owed(topic);
}

// What came the same way from the same publisher to the same topic.
std::string Oracle::order_key(const Received& got, std::size_t index) const {
  const Published& message = messages_[index];
  return message.publisher + "\n" + message.topic + "\n" + std::to_string(static_cast<int>(message.guarantee)) +
         (got.guarantee == Guarantee::at_most_once ? "t" : "s");
}

// A last value must not be older than what the session has seen live.
void Oracle::check_last_value(SessionView& session, const Received& got, std::size_t index) {
  if (!messages_[index].retain || got.dup) return;
  std::size_t& live = session.last_live.try_emplace(order_key(got, index), index).first->second;
  if (got.retained && index < live) {
    fail(session.client + " received the last value " + text(index, messages_[index]) + " after m" + std::to_string(live));
  }
  if (!got.retained) live = std::max(live, index);
}

// First deliveries of one publisher, topic and guarantee come in the order they were sent. A group has no order.
void Oracle::check_order(SessionView& session, const Received& got, std::size_t index, const std::vector<Span>& unanswered) {
  if (session.lost) return;  // nobody knows which groups it has joined
  const Published& message = messages_[index];
  for (const Span& span : unanswered) {
    if (!span.group.empty() && filter_matches(span.filter, got.topic)) return;
  }
  for (const Span& span : session.spans) {
    if (!span.group.empty() && filter_matches(span.filter, got.topic)) return;
  }
  // What was passed by as its own may be its own no more, and come late from the log.
  const bool was_own = message.publisher == session.client &&
                       std::any_of(session.without_own.begin(), session.without_own.end(), [&](const std::string& filter) { return filter_matches(filter, got.topic); });
  if (was_own) return;
  session.order[message.topic + (got.guarantee == Guarantee::at_most_once ? " t" : " s")].push_back(index);
  const auto [it, fresh] = session.last_first.try_emplace(order_key(got, index), index);
  // Sent again after a reconnect: whoever subscribed in between did not get the first copy, and this one comes late.
  const auto before_it = [&](const Span& span) {
    return span.granted_ms != 0 && span.granted_ms < message.sent_ms && filter_matches(span.filter, got.topic);
  };
  // The same where the first copy had expired.
  // And where the first copy was refused, by a store that was full, and the refusal was lost.
  const bool refused = was_full(message.sent_ms, message.sent_ms + (network_is_good ? 100 : kNetworkMs));
  // And where nobody was there to take it.
  const bool missed = got.guarantee == Guarantee::at_most_once && got.dialled_ms > message.sent_ms;
  const bool late_copy = message.resent && (message.may_expire() || message.late || refused || missed || std::none_of(session.spans.begin(), session.spans.end(), before_it));
  if (!fresh && it->second > index && !late_copy) {
    fail(session.client + " received " + text(index, message) + " after m" + std::to_string(it->second));
  }
  it->second = std::max(it->second, index);
}

void Oracle::crashed(int64_t now_ms, const std::map<std::string, std::set<std::string>>& settled) {
  crashes_ms_.push_back(now_ms);
  settled_.clear();
  for (const auto& [client, payloads] : settled) {
    for (const std::string& payload : payloads) settled_[client].insert(index_of(payload));
  }
  for (const auto& session : sessions_) {
    for (const auto& [index, at_ms] : session->settled_ms) {
      if (must_be_stored(*session, index, at_ms, now_ms)) settled_[session->client].insert(index);
    }
  }
}

// What was acknowledged before anything that matches it was asked for is over: only a last value or a group has it still.
void Oracle::check_subscribed_in_time(const SessionView& session, const Received& got, std::size_t index) {
  const Published& message = messages_[index];
  if (message.acked_ms == 0 || message.resent || got.dup || perhaps_from_group(session, got)) return;
  if (session.subscriptions.perhaps_unasked(got.topic)) return;
  int64_t asked_ms = INT64_MAX;
  for (const auto& [filter, at_ms] : session.first_asked_ms) {
    if (filter_matches(filter, got.topic)) asked_ms = std::min(asked_ms, at_ms);
  }
  if (asked_ms == INT64_MAX || asked_ms <= message.acked_ms) return;
  fail(session.client + " received " + text(index, message) + ", acknowledged " + std::to_string(asked_ms - message.acked_ms) +
       " ms before it subscribed");
}

// It says how long the message may still live: what it was given less the time it has waited at the broker [MQTT-3.3.2-6].
void Oracle::check_interval(const std::string& client, std::string_view topic, std::string_view payload, std::optional<uint32_t> left_s, int64_t now_ms) {
  const std::size_t index = index_of(payload);
  if (topic.starts_with("will/") || index >= messages_.size()) return;
  const Published& message = messages_[index];
  if (!left_s || message.interval_s == 0) {
    if (left_s || message.interval_s != 0) fail(client + " received " + text(index, message) + (left_s ? " with an expiry" : " without its expiry"));
    return;
  }
  // From when it was sent, at the earliest, and when it was acknowledged, or had come in any case, at the latest.
  const int64_t at_least_ms = message.sent_ms + int64_t{message.interval_s} * 1000 - now_ms;
  int64_t begun_ms = message.resent ? now_ms : network_is_good ? message.sent_ms + kPauseMs : now_ms;
  if (message.acked_ms != 0 && !message.resent) begun_ms = std::min(begun_ms, message.acked_ms);
  const int64_t held_back_ms = network_is_good ? 500 : kNetworkMs;
  const int64_t late_ms = late_ms_ - message.late_before_ms;
  const int64_t given_ms = int64_t{message.interval_s} * 1000 + late_ms;
  // What left once may leave again, however late.
  const int64_t at_most_ms = std::max<int64_t>(0, std::min(given_ms, begun_ms + given_ms - (now_ms - held_back_ms)) + 999);
  const int64_t left_ms = int64_t{*left_s} * 1000;
  if (left_ms > at_most_ms || left_ms < at_least_ms) {
    fail(client + " received " + text(index, message) + " with " + std::to_string(*left_s) + " s left of " + std::to_string(message.interval_s) +
         ", " + std::to_string(now_ms - message.sent_ms) + " ms after it was sent");
  }
}

void Oracle::check_properties(const std::string& client, std::string_view payload, const arena::mqtt::PublishProperties& came) {
  if (const auto will = wills_.find(payload); will != wills_.end() && !will->second) {
    const auto own = [&](const arena::mqtt::UserProperty& property) { return property.name == "will" && property.value == payload; };
    const bool same = came.content_type == payload && std::count_if(came.user_properties.begin(), came.user_properties.end(), own) == 1;
    if (!same) fail(client + " received the will " + will->first + " with other properties");
  }
  const std::size_t index = index_of(payload);
  if (index >= messages_.size()) return;
  const Published& message = messages_[index];
  const std::string difference = (message.plain ? CarriedProperties() : CarriedProperties::of(index)).difference(came);
  if (!difference.empty()) fail(client + " received " + text(index, message) + " with " + difference);
}

void Oracle::replayed(ReplayView& view, const Replayed& got) {
  ++deliveries_;
  if (got.topic.starts_with("secret/") || got.topic.starts_with("mute/")) {
    fail(view.client + "'s replay gave what it may not read: " + std::string(got.topic));
  }
  if (got.topic.starts_with("will/")) return;
  const std::size_t index = index_of(got.payload);
  if (!got.topic.starts_with("$gap/")) {
    if (index >= messages_.size()) return fail(view.client + "'s replay gave what nobody published");
    const Published& message = messages_[index];
    if (message.topic != got.topic) fail("a message changed its topic: " + message.topic + " to " + std::string(got.topic));
    if (message.refused) fail(text(index, message) + " was refused, and replayed to " + view.client);
  }
  streams_.received(view, got);
}

void Oracle::received(SessionView& session, const Received& got, int64_t now_ms, const std::vector<Span>& unanswered) {
  ++deliveries_;
  if (got.topic.starts_with("will/")) {
    if (!wills_.contains(got.payload)) fail("a will that nobody left: " + std::string(got.payload));
    session.wills.insert(std::string(got.payload));
    const auto not_before = wills_not_before_.find(std::string(got.payload));
    if (not_before != wills_not_before_.end() && now_ms + 10 < not_before->second) {
      fail("the will " + not_before->first + " came " + std::to_string(not_before->second - now_ms) + " ms before its delay was over");
    }
    if (forbidden_wills_.contains(std::string(got.payload))) fail("a will that was taken back: " + std::string(got.payload));
    check_goodbye(std::string(got.payload), now_ms);
    return;
  }
  const std::size_t index = index_of(got.payload);
  if (index >= messages_.size()) {
    fail(session.client + " received what nobody published");
    return;
  }
  const Published& message = messages_[index];
  if (message.refused) fail(text(index, message) + " was refused, and delivered to " + session.client);
  check_permission(session, got, now_ms);
  check_matches(session, got, message, unanswered);
  if (message.expires_ms != 0 && !got.dup && now_ms > message.expires_ms + late_ms_ + (network_is_good ? kPauseMs : kNetworkMs) && got.guarantee != Guarantee::exactly_once) {
    fail(session.client + " received " + text(index, message) + " " + std::to_string(now_ms - message.expires_ms) + " ms too late");
  }
  const SubscriptionJudge::Kind kind = check_subscriptions(session, got, index);
  if (kind != SubscriptionJudge::Kind::either) check_last_value(session, got, index);
  if (!got.position.empty()) streams_.names(session.client, got.position, got.topic, got.payload);
  if (kind == SubscriptionJudge::Kind::either) ++session.deliveries[index];
  if (got.retained) return;
  if (!message.resent) streams_.must_be_captured(index, message.topic, message.sent_ms, "came live");
  check_settled(session, got, index);
  check_released(session, got, index);
  check_subscribed_in_time(session, got, index);
  // A shared subscription beside a plain one gives a copy of its own.
  const auto in_group = [&](const Span& span) { return !span.group.empty() && filter_matches(span.filter, got.topic); };
  const bool shared = std::any_of(session.spans.begin(), session.spans.end(), in_group) ||
                      std::any_of(unanswered.begin(), unanswered.end(), in_group);
  if (got.guarantee == Guarantee::exactly_once && !shared && !session.lost && ++session.exactly_once[index] > 1 && !message.unsure_once) {
    fail(session.client + " received " + text(index, message) + " twice at exactly once");
  }
  check_repetition(session, got, index, shared, now_ms);
  if (++session.deliveries[index] == 1) check_order(session, got, index, unanswered);
}

void Oracle::check_end() {
  check_wills();
  streams_.check_end([this](std::size_t index) { return index < messages_.size() && !messages_[index].resent; });
  std::map<std::string, std::vector<const Span*>> group_spans;
  std::vector<const SessionView*> unknown_members;  // nobody knows what such a session has joined
  std::map<std::string, std::vector<const SessionView*>> group_members;
  for (const auto& session : sessions_) {
    for (const Span& span : session->spans) {
      if (span.group.empty()) continue;
      group_members["$share/" + span.group + "/" + span.filter].push_back(session.get());
    }
    if (session->lost) unknown_members.push_back(session.get());
    if (!session->lost) {
      session->subscriptions.check_end([&](const std::string& what) { fail(session->client + " " + what); });
    }
    if (!session->lost) check_places(*session);
    if (session->lost || !session->persistent) continue;
    for (const Span& span : session->spans) {
      if (span.ended || span.granted_ms == 0 || span.granted == Guarantee::at_most_once) continue;
      if (!span.group.empty()) {
        group_spans["$share/" + span.group + "/" + span.filter].push_back(&span);
        continue;
      }
      for (std::size_t index = 0; index < messages_.size(); ++index) {
        const Published& message = messages_[index];
        const bool owed = message.acked && !is_ruled(message.topic) && message.guarantee != Guarantee::at_most_once && !message.may_expire() &&
                          message.sent_ms > span.granted_ms && !is_own(span, *session, message) && !is_lost_to(*session, message) && filter_matches(span.filter, message.topic) &&
                          !streams_.may_be_deleted(message.topic, message.sent_ms);
        const bool nameless = message.deletes && session->plain;
        if (owed && !nameless && !session->deliveries.contains(index)) fail(session->client + " never received " + text(index, message));
      }
    }
  }
  for (const auto& [name, spans] : group_spans) {
    std::vector<const SessionView*> members = group_members[name];
    members.insert(members.end(), unknown_members.begin(), unknown_members.end());
    if (!lossy_groups_.contains(name)) check_group(name, spans, members);
  }
}

// A group with a durable member that stands to the end: somebody got each message.
void Oracle::check_group(const std::string& name, const std::vector<const Span*>& spans,
                         const std::vector<const SessionView*>& members) {
  int64_t since = INT64_MAX;
  for (const Span* span : spans) since = std::min(since, span->granted_ms);
  for (std::size_t index = 0; index < messages_.size(); ++index) {
    const Published& message = messages_[index];
    // Exactly once it may end with the session that held it [MQTT-4.8.2-5].
    if (!message.acked || message.guarantee != Guarantee::at_least_once || message.may_expire()) continue;
    if (is_ruled(message.topic) || streams_.may_be_deleted(message.topic, message.sent_ms)) continue;
    if (message.sent_ms <= since || !filter_matches(spans.front()->filter, message.topic)) continue;
    // Who cannot take it has settled it for all.
    const bool got = std::any_of(members.begin(), members.end(), [&](const SessionView* member) {
      return member->deliveries.contains(index) || is_lost_to(*member, message);
    });
    if (!got) fail("no member of " + name + " received " + text(index, message));
  }
}

}  // namespace arena::sim
