// A device that replays streams: what it asks for, and which replay each message came of.
#include <algorithm>
#include <cstdio>

#include "sim/client.h"

namespace arena::sim {
namespace am = arena::mqtt;

namespace {

constexpr std::size_t kReplaysMax = 3;

ReplayView::Kind kind_of(const std::string& from) {
  if (from == "earliest") return ReplayView::Kind::earliest;
  if (from == "latest") return ReplayView::Kind::latest;
  if (from == "seen") return ReplayView::Kind::after;
  return from.ends_with("s") ? ReplayView::Kind::age : ReplayView::Kind::offset;
}

std::string text_of(const std::map<engine::LogName, uint64_t>& seen) {
  std::string out;
  for (const auto& [log, offset] : seen) {
    out += (out.empty() ? "0." : ",0.") + std::to_string(static_cast<uint32_t>(log.log)) + "." + std::to_string(log.partition) + "." +
           std::to_string(offset);
  }
  return out.empty() ? "earliest" : out;
}

}  // namespace

void Client::replay(const std::string& filter, const std::string& from, Guarantee guarantee, bool as_property) {
  // What is too large to be sent would leave a gap that nobody tells.
  if (!connected() || session_ == nullptr || dial_.version != am::Version::v5 || packet_max_ != 0) return;
  if (asked_.size() + asked_replays_.size() >= kAskedMax || replays_.size() >= kReplaysMax) return;
  ReplayView view;
  view.client = name_;
  view.filter = filter;
  view.kind = kind_of(from);
  const std::string place = view.kind == ReplayView::Kind::after ? text_of(seen_) : from;
  if (view.kind == ReplayView::Kind::after) view.after = seen_;
  if (view.kind == ReplayView::Kind::offset) view.offset = std::stoull(from);
  if (view.kind == ReplayView::Kind::age) view.age_ms = std::stoll(from) * 1000;
  view.name = as_property ? filter : "$replay/" + place + "/" + filter;
  // One of the same name, or a plain subscription, would end; that is not judged.
  const auto same = [&](const auto& entry) { return entry.second->name == view.name; };
  if (std::any_of(replays_.begin(), replays_.end(), same)) return;
  const auto plain = [&](const Span& span) { return span.group.empty() && span.filter == filter; };
  const auto asks = [&](const auto& entry) { return plain(entry.second.front().span); };
  if (as_property && std::any_of(session_->spans.begin(), session_->spans.end(), [&](const Span& span) { return !span.ended && plain(span); })) return;
  if (as_property && (session_->lost || std::any_of(asked_.begin(), asked_.end(), asks))) return;
  const std::string name = view.name;
  am::Subscribe packet;
  packet.packet_id = next_id();
  packet.properties.subscription_identifier = ++last_replay_;
  packet.properties.user_properties.push_back({"arena-positions", "1"});
  if (as_property) packet.properties.user_properties.push_back({"arena-since", place});
  am::Subscription subscription;
  subscription.filter = name;
  subscription.qos = guarantee;
  packet.subscriptions.push_back(subscription);
  replays_[last_replay_] = &oracle_.streams().ask(std::move(view));
  asked_replays_[packet.packet_id] = {last_replay_, true, now_ms()};
  send(packet);
  tally_["replay from " + std::string(from.ends_with("s") ? "an age" : from == "seen" || from.ends_with("t") ? from : "an offset")]++;
}

std::string Client::end_replay(uint64_t choice) {
  std::vector<uint32_t> live;
  for (const auto& [number, view] : replays_) {
    if (view->answered && !view->leaving) live.push_back(number);
  }
  if (!connected() || live.empty() || asked_.size() + asked_replays_.size() >= kAskedMax) return "nothing";
  const uint32_t number = live[choice % live.size()];
  ReplayView& view = *replays_[number];
  view.leaving = true;
  am::Unsubscribe packet;
  packet.packet_id = next_id();
  packet.filters.push_back(view.name);
  asked_replays_[packet.packet_id] = {number, false, now_ms()};
  send(packet);
  tally_["replay ended"]++;
  return view.name;
}

// False: it answers something else.
bool Client::on_replay_answer(uint16_t id, am::Reason reason, bool subscribed) {
  const auto it = asked_replays_.find(id);
  if (it == asked_replays_.end() || it->second.subscribe != subscribed) return false;
  const AskedReplay asked = it->second;
  asked_replays_.erase(it);
  const auto at = replays_.find(asked.replay);
  if (at == replays_.end()) return true;
  ReplayView& view = *at->second;
  if (!subscribed) {
    // What waits for it may still come if another wants it, too.
    if (replays_.size() == 1) view.over = true;
    if (replays_.size() == 1) replays_.erase(at);
  } else if (am::is_error(reason)) {
    oracle_.streams().refused(view, reason == am::Reason::topic_filter_invalid || reason == am::Reason::implementation_specific_error, asked.asked_ms);
    tally_["replay refused"]++;
    view.over = true;
    replays_.erase(at);
  } else {
    oracle_.streams().granted(view, static_cast<Guarantee>(reason));
  }
  return true;
}

// They last as long as their connection.
void Client::end_replays() {
  for (auto& [number, view] : replays_) view->over = true;
  replays_.clear();
  asked_replays_.clear();
}

// False: it came of something else.
bool Client::on_replayed(const am::Publish& packet) {
  const auto& ids = packet.properties.subscription_identifiers;
  if (ids.empty() || ids.front() <= kFirstReplay) return false;
  const auto at = replays_.find(ids.front());
  // What was on its way when a connection broke comes again, though the replay is over [MQTT-4.4.0-1].
  if (packet.dup && at == replays_.end() && ids.size() == 1 && ids.front() <= last_replay_) {
    note_in_flight(packet, SIZE_MAX);
    if (packet.qos == Guarantee::exactly_once) opens(packet);
    acknowledge(packet);
    return true;
  }
  if (packet.qos != Guarantee::at_most_once) note_in_flight(packet, SIZE_MAX);
  const bool fresh = packet.qos != Guarantee::exactly_once || opens(packet);
  if (at == replays_.end() || ids.size() != 1) {
    oracle_.fail(name_ + " received " + std::string(packet.topic) + " of a replay that it does not have");
  } else if (packet.dup || packet.retain) {
    oracle_.fail(name_ + " received of the replay " + at->second->name + " a repetition or a last value");
  } else if (fresh) {
    const std::string_view position = position_of(packet);
    oracle_.replayed(*at->second, {packet.topic, packet.payload, packet.qos, position});
    note_seen(position);
    tally_[packet.topic.starts_with("$gap/") ? "gap told" : position.empty() ? "followed without a stream" : "replayed"]++;
  }
  if (packet.qos != Guarantee::at_most_once) acknowledge(packet);
  return true;
}

// "0.<log>.<partition>.<offset>"
void Client::note_seen(std::string_view position) {
  unsigned log = 0;
  unsigned partition = 0;
  unsigned long long offset = 0;
  if (std::sscanf(std::string(position).c_str(), "0.%u.%u.%llu", &log, &partition, &offset) != 3) return;
  seen_[{static_cast<engine::PartitionId>(partition), static_cast<engine::LogId>(log)}] = offset;
}

}  // namespace arena::sim
