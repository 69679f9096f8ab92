// A device that subscribes: with which options, and what it is told of it.
#include <algorithm>
#include <array>
#include <utility>

#include "message/topic.h"
#include "sim/client.h"

namespace arena::sim {
namespace am = arena::mqtt;

namespace {

std::string name_of(const std::string& filter, const std::string& group) { return group.empty() ? filter : "$share/" + group + "/" + filter; }

am::RetainHandling retain_handling(LastValues last_values) {
  if (last_values == LastValues::if_new) return am::RetainHandling::send_if_new;
  return last_values == LastValues::never ? am::RetainHandling::do_not_send : am::RetainHandling::send;
}

}  // namespace

void Client::replace_span(Span span) {
  const auto same = [&](const Span& old) { return old.filter == span.filter && old.group == span.group; };
  span.lossy = span.granted == Guarantee::at_most_once;
  for (const Span& old : session_->spans) span.lossy = span.lossy || (same(old) && old.lossy);
  std::erase_if(session_->spans, same);
  session_->spans.push_back(std::move(span));
}

// What was asked and not answered may or may not have happened: such messages may come, and none is owed.
void Client::remember_unanswered() {
  if (session_ != nullptr) {
    for (const auto& [id, list] : asked_) {
      for (const Asked& asked : list) {
        if (!asked.subscribe) continue;
        replace_span(asked.span);
      }
    }
  }
  asked_.clear();
}

// The options follow from when it is asked, so that nothing else of a run is drawn otherwise.
Asking Client::asking_for(const Span& span, bool with_options) const {
  Asking asking;
  asking.number = span.request;
  asking.filter = span.filter;
  asking.group = span.group;
  asking.granted = span.granted;
  asking.asked_ms = now_ms();
  asking.no_local = span.no_local;
  if (dial_.version != am::Version::v5 || !with_options) return asking;
  const uint64_t dice = this->dice();
  if (dice % 4 != 0) asking.id = static_cast<uint32_t>(span.request);
  asking.as_published = (dice >> 8) % 6 == 0;
  if (span.group.empty()) asking.last_values = std::array{LastValues::always, LastValues::always, LastValues::if_new, LastValues::never}[(dice >> 16) % 4];
  return asking;
}

void Client::subscribe(const std::string& filter, const std::string& group, Guarantee guarantee, bool with_options) {
  if (!connected() || session_ == nullptr || asked_.size() + asked_replays_.size() >= kAskedMax) return;
  if (dial_.version != am::Version::v5 && !group.empty()) return;
  const std::string name = name_of(filter, group);
  Asked asked;
  asked.span.no_local = dial_.version == am::Version::v5 && group.empty() && requests_ % 5 == 2;
  asked.span.filter = filter;
  asked.span.group = group;
  asked.span.granted = guarantee;
  asked.span.request = ++requests_;
  const Asking asking = asking_for(asked.span, with_options);
  am::Subscribe packet;
  packet.packet_id = next_id();
  packet.subscriptions.push_back({name, guarantee, asking.no_local, asking.as_published, retain_handling(asking.last_values)});
  if (asking.id != 0) packet.properties.subscription_identifier = asking.id;
  // It takes the place of a replay of that name.
  for (auto& [number, view] : replays_) view->leaving = view->leaving || view->name == name;
  if (dial_.version == am::Version::v5 && requests_ % 4 == 3) {
    packet.properties.user_properties.push_back({"arena-positions", "1"});
  }
  if (group.empty()) {
    session_->first_asked_ms.try_emplace(filter, now_ms());
  } else {
    session_->groups_asked.insert(name);
    if (guarantee == Guarantee::at_most_once) oracle_.may_lose(name);
  }
  if (asking.no_local) session_->without_own.insert(filter);
  count_options(asking);
  session_->subscriptions.asked(asking, oracle_.last_values_but_of(name_));
  asked_[packet.packet_id].push_back(asked);
  for (Span& span : session_->spans) {
    if (span.filter == filter && span.group == group) span.shaky = true;
  }
  send(packet);
}

void Client::count_options(const Asking& asking) {
  tally_[asking.group.empty() ? "subscribe" : "subscribe shared"]++;
  if (asking.as_published) tally_["subscribe, retained as published"]++;
  if (asking.last_values == LastValues::never) tally_["subscribe without last values"]++;
  const bool held = std::any_of(session_->spans.begin(), session_->spans.end(), [&](const Span& span) {
    return span.filter == asking.filter && span.group == asking.group && !span.ended && span.granted_ms != 0;
  });
  if (held) tally_[asking.last_values == LastValues::if_new ? "subscribe again, last values if new" : "subscribe again"]++;
}

void Client::on_suback(const am::Suback& packet) {
  const am::Reason reason = packet.reasons.front();
  if (on_replay_answer(packet.packet_id, reason, true)) return;
  const auto it = asked_.find(packet.packet_id);
  if (it == asked_.end()) return oracle_.fail(name_ + " got a SUBACK it did not ask for");
  Span span = it->second.front().span;
  asked_.erase(it);
  session_->subscriptions.answered(span.request, !am::is_error(reason), now_ms());
  if (am::is_error(reason)) {
    tally_["suback refused"]++;
    return;
  }
  if (static_cast<Guarantee>(reason) != span.granted) oracle_.fail(name_ + " was granted another guarantee than it asked for");
  // The answer to what it asked for later may have come before.
  const auto leave = session_->leaves.find(name_of(span.filter, span.group));
  const bool leaves = leave != session_->leaves.end() && leave->second.request > span.request;
  if (!leaves) span.granted_ms = now_ms();
  span.ended = leaves && leave->second.answered;
  // So may the answer to what took its place.
  const auto later = [&](const Span& other) { return other.filter == span.filter && other.group == span.group && other.request > span.request && other.granted_ms != 0; };
  if (std::any_of(session_->spans.begin(), session_->spans.end(), later)) return;
  replace_span(span);
}

std::string Client::unsubscribe(uint64_t choice) {
  if (!connected() || session_ == nullptr || asked_.size() >= kAskedMax) return "nothing";
  std::vector<Span*> live;
  for (Span& span : session_->spans) {
    if (!span.ended) live.push_back(&span);
  }
  if (live.empty()) return "nothing";
  const Span& chosen = *live[choice % live.size()];
  const std::string name = name_of(chosen.filter, chosen.group);
  am::Unsubscribe packet;
  packet.packet_id = next_id();
  packet.filters.push_back(name);
  Asked asked;
  asked.subscribe = false;
  asked.span = chosen;
  asked.span.request = ++requests_;
  asked_[packet.packet_id].push_back(asked);
  session_->leaves[name] = {asked.span.request, false};
  session_->subscriptions.leaving(chosen.filter, chosen.group);
  // From here on nothing is owed; until the answer it may still come.
  for (Span& span : session_->spans) {
    if (span.filter == chosen.filter && span.group == chosen.group) span.granted_ms = 0;
  }
  send(packet);
  tally_["unsubscribe"]++;
  return name;
}

void Client::on_unsuback(const am::Unsuback& packet) {
  if (on_replay_answer(packet.packet_id, am::Reason::success, false)) return;
  const auto it = asked_.find(packet.packet_id);
  if (it == asked_.end()) return oracle_.fail(name_ + " got an UNSUBACK it did not ask for");
  const Span span = it->second.front().span;
  asked_.erase(it);
  const bool none = !packet.reasons.empty() && packet.reasons.front() == am::Reason::no_subscription_existed;
  if (none && !session_->lost && session_->subscriptions.has(span.filter, span.group)) {
    oracle_.fail(name_ + " was told that it has no subscription to " + span.filter);
  }
  if (SessionView::Leave& leave = session_->leaves[name_of(span.filter, span.group)]; leave.request == span.request) leave.answered = true;
  session_->subscriptions.left(span.filter, span.group, span.request, now_ms());
  for (Span& old : session_->spans) {
    if (old.filter == span.filter && old.group == span.group && old.request < span.request) old.ended = true;
  }
}

}  // namespace arena::sim
