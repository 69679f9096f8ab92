// What comes again: it must have a reason, and what is settled must not.
#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

#include "message/topic.h"
#include "sim/oracle.h"

namespace arena::sim {

// Settled work is written at the latest a second after it is done, if the broker heard of it and nothing was in its way.
bool Oracle::must_be_stored(const SessionView& session, std::size_t index, int64_t settled_ms, int64_t now_ms) const {
  constexpr int64_t kWrittenMs = 2'000;
  constexpr int64_t kOnItsWayMs = 500;
  if (!network_is_good || session.lost || index >= messages_.size() || messages_[index].resent) return false;
  if (settled_ms + kWrittenMs > now_ms) return false;
  const auto cut_short = [&](int64_t at_ms) { return at_ms >= settled_ms && at_ms < settled_ms + kWrittenMs; };
  if (std::any_of(crashes_ms_.begin(), crashes_ms_.end() - 1, cut_short)) return false;
  if (overlap(full_, settled_ms, now_ms) || overlap(disturbed_, settled_ms, now_ms)) return false;
  return std::none_of(session.breaks_ms.begin(), session.breaks_ms.end(),
                      [&](int64_t at_ms) { return at_ms >= settled_ms && at_ms < settled_ms + kOnItsWayMs; });
}

void Oracle::may_be_stored_anew(std::size_t index) {
  if (once_.is_stored(index)) return;
  for (auto& [client, settled] : settled_) settled.erase(index);
}

// A lost session may have joined any.
bool Oracle::perhaps_from_group(const SessionView& session, const Received& got) {
  return session.lost || std::any_of(session.groups_asked.begin(), session.groups_asked.end(),
                                     [&](const std::string& name) { return filter_matches(filter_of_group(name), got.topic); });
}

// Whose the copy is that a session got: its own log's, or that of the one group it can have joined; empty: nobody knows.
std::string Oracle::reader_of(const SessionView& session, const Received& got) {
  if (!perhaps_from_group(session, got)) return session.client;
  std::string reader;
  for (const std::string& name : session.groups_asked) {
    if (!filter_matches(filter_of_group(name), got.topic)) continue;
    if (!reader.empty()) return {};
    reader = name;
  }
  const bool plain = std::any_of(session.first_asked_ms.begin(), session.first_asked_ms.end(),
                                 [&](const auto& asked) { return filter_matches(asked.first, got.topic); });
  return session.lost || plain ? std::string() : reader;
}

// What was committed as settled before a crash is not read again after it.
void Oracle::check_settled(const SessionView& session, const Received& got, std::size_t index) {
  if (got.dialled_ms <= last_crash_ms()) return;
  const auto settled = settled_.find(reader_of(session, got));
  if (settled == settled_.end() || !settled->second.contains(index)) return;
  fail(session.client + " received " + "m" + std::to_string(index) + " again, which " + settled->first + " had settled before the crash");
}

// A group gives a message to nobody any more once a member has been told that its exactly-once handshake is over, whatever ends then.
void Oracle::released(const SessionView& session, std::size_t index) {
  const auto group = session.of_group.find(index);
  if (group != session.of_group.end() && !session.lost) released_[group->second].try_emplace(index, session.client);
}

void Oracle::check_released(SessionView& session, const Received& got, std::size_t index) {
  const Published& message = messages_[index];
  if (message.unsure_once || (message.resent && message.guarantee != Guarantee::exactly_once)) return;
  const std::string reader = reader_of(session, got);
  if (reader.empty() || reader == session.client) return;
  if (got.guarantee == Guarantee::exactly_once) session.of_group[index] = reader;
  const auto over = released_[reader].find(index);
  if (over != released_[reader].end()) {
    fail(session.client + " received m" + std::to_string(index) + " of " + reader + ", which " + over->second + " had been told is over");
  }
}

// What came before comes again only on another connection, as long as it is not settled, and says so [MQTT-3.3.1-1] [MQTT-4.4.0-1].
void Oracle::check_repetition(SessionView& session, const Received& got, std::size_t index, bool shared, int64_t now_ms) {
  constexpr int64_t kOnItsWayMs = 500;
  const auto [at, first] = session.arrivals.try_emplace(index, Arrival{got.dialled_ms, now_ms, got.guarantee});
  const Arrival before = std::exchange(at->second, {got.dialled_ms, now_ms, got.guarantee});
  const Published& message = messages_[index];
  if (first || shared || session.lost || message.resent) return;
  const std::string what = session.client + " received m" + std::to_string(index) + " again";
  if (message.guarantee == Guarantee::at_most_once) return fail(what + ", which was published at most once");
  // The log may give what one that keeps nothing gave live, when another is asked for again without no-local.
  if (before.guarantee == Guarantee::at_most_once) return;
  if (before.dialled_ms == got.dialled_ms) return fail(what + " on one connection");
  if (last_crash_ms() >= before.dialled_ms || got.guarantee == Guarantee::at_most_once) return;
  if (!got.dup) fail(what + ", and it does not say so");
  const auto settled = session.settled_ms.find(index);
  if (!network_is_good || settled == session.settled_ms.end() || settled->second < before.at_ms || overlap(disturbed_, settled->second, now_ms)) return;
  const auto cut_short = [&](int64_t broke_ms) { return broke_ms >= settled->second && broke_ms < settled->second + kOnItsWayMs; };
  if (std::none_of(session.breaks_ms.begin(), session.breaks_ms.end(), cut_short)) fail(what + ", which it had acknowledged");
}

// Whoever published them: first deliveries of one topic come in the order in which they are stored.
void Oracle::check_places(const SessionView& session) {
  for (const auto& [topic, indexes] : session.order) {
    std::map<engine::LogName, std::pair<uint64_t, std::size_t>> last;
    for (const std::size_t index : indexes) {
      const OnceJudge::Place* place = once_.place_of(index);
      if (place == nullptr || messages_[index].resent) continue;
      auto& [offset, before] = last.try_emplace(place->first, place->second, index).first->second;
      if (place->second < offset) {
        fail(session.client + " received m" + std::to_string(index) + " after m" + std::to_string(before) + ", which is stored behind it");
      }
      if (place->second > offset) std::tie(offset, before) = std::tie(place->second, index);
    }
  }
}

}  // namespace arena::sim
