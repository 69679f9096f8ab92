// SUBSCRIBE and UNSUBSCRIBE: every filter gets its reason, in order, in one answer.
#include <utility>

#include "broker/stream/from.h"
#include "gateway/mqtt/connection.h"
#include "gateway/mqtt/own_properties.h"

namespace arena::gateway::mqtt {
namespace am = arena::mqtt;

namespace {

// Does the fault break the grammar of filters (sections 4.7.1, 4.7.3 and 4.8.2)? Then the packet is malformed and ends
// the connection; what is well-formed but more than this server takes is refused on its own. MQTT 3.x has no groups.
bool is_ill_formed(TopicFault fault, am::Version version) {
  if (fault == TopicFault::bad_group) return version == am::Version::v5;
  return fault != TopicFault::too_long && fault != TopicFault::too_deep;
}

// Our own user properties of a SUBSCRIBE: what a subscriber that is too slow loses, from where
// streams are replayed before what is published follows, and whether deliveries say where their message is stored.
constexpr std::string_view kSlowProperty = "arena-slow";
constexpr std::string_view kSinceProperty = "arena-since";
constexpr std::string_view kPositionsProperty = "arena-positions";
constexpr std::string_view kReplayPrefix = "$replay/";

std::optional<bool> truth_of(std::string_view text) {
  if (text == "1" || text == "true") return true;
  if (text == "0" || text == "false") return false;
  return std::nullopt;
}

struct Asked {
  bool understood = true;
  std::optional<SlowPolicy> slow;
  std::optional<broker::ReplayFrom> since;
  bool positions = false;
};

Asked asked_in(const am::SubscribeProperties& properties, int64_t now_ms) {
  Asked asked;
  for (const am::UserProperty& property : properties.user_properties) {
    if (!is_own(property)) continue;
    if (property.name == kSlowProperty) {
      asked.slow = slow_policy_of(property.value);
      asked.understood = asked.understood && asked.slow.has_value();
    } else if (property.name == kSinceProperty) {
      auto since = broker::parse_from(property.value, now_ms);
      asked.understood = asked.understood && since.ok();
      if (since) asked.since = std::move(since).value();
    } else if (property.name == kPositionsProperty) {
      const std::optional<bool> positions = truth_of(property.value);
      asked.understood = asked.understood && positions.has_value();
      asked.positions = positions.value_or(false);
    } else {
      asked.understood = false;
    }
  }
  return asked;
}

}  // namespace

// A reason to refuse this one filter, or malformed_packet to end the connection; the session is asked about the
// others.
std::optional<Connection::Reason> Connection::check_subscription(const am::Subscription& subscription,
                                                                 broker::SubscribeOrder& out) {
  TopicFault fault{};
  std::string_view filter = subscription.filter;
  if (filter.starts_with(kReplayPrefix)) {  // "$replay/<from>/<filter>"
    filter.remove_prefix(kReplayPrefix.size());
    const std::size_t slash = filter.find('/');
    if (slash == std::string_view::npos) return Reason::topic_filter_invalid;
    auto from = broker::parse_from(filter.substr(0, slash), door_.loop().wall_ms());
    if (!from) return Reason::topic_filter_invalid;
    out.from = std::move(from).value();
    filter.remove_prefix(slash + 1);
  }
  if (out.from) out.replay_name = subscription.filter;
  const std::optional<GroupFilter> parsed = parse_filter(filter, fault, options_->topics);
  if (!parsed) return is_ill_formed(fault, version_) ? Reason::malformed_packet : Reason::topic_filter_invalid;
  if (!parsed->group.empty() && !options_->shared_available) return Reason::shared_subscriptions_not_supported;
  if (has_wildcard(parsed->filter) && !options_->wildcard_available) return Reason::wildcard_subscriptions_not_supported;
  out.filter = parsed->filter;
  out.group = parsed->group;
  out.granted = std::min(subscription.qos, options_->guarantee_max);
  out.no_local = subscription.no_local;
  out.keep_retained_flag = subscription.retain_as_published;
  out.retained = static_cast<broker::RetainedOnSubscribe>(subscription.retain_handling);
  return std::nullopt;
}

// A request under an identifier that is in use [MQTT-2.2.1-3]. 3.x has no code to say so.
template <typename Answer>
void Connection::refuse_request(Answer answer, std::size_t filters) {
  if (version_ != Version::v5) return fail(Reason::protocol_error, "packet identifier in use");
  answer.reasons.assign(filters, Reason::packet_identifier_in_use);
  send(answer);
}

void Connection::on_subscribe(const am::Subscribe& packet) {
  if (id_in_use(packet.packet_id)) {
    refuse_request(am::Suback{.packet_id = packet.packet_id}, packet.subscriptions.size());
    return;
  }
  const Asked asked = asked_in(packet.properties, door_.loop().wall_ms());
  PendingSubscribe pending;
  pending.packet_id = packet.packet_id;
  std::vector<broker::SubscribeOrder> requests;
  for (const am::Subscription& subscription : packet.subscriptions) {
    broker::SubscribeOrder request;
    request.id = packet.properties.subscription_identifier.value_or(0);
    request.slow = asked.slow;
    request.positions = asked.positions;
    request.from = asked.since;
    std::optional<Reason> refusal = check_subscription(subscription, request);
    if (refusal == Reason::malformed_packet) return fail(*refusal, "ill-formed topic filter");
    if (!refusal && !asked.understood) refusal = Reason::implementation_specific_error;
    pending.reasons.push_back(refusal.value_or(Reason::success));
    if (refusal) continue;
    pending.asked.push_back(pending.reasons.size() - 1);
    requests.push_back(std::move(request));
  }
  if (requests.empty()) {
    send_suback(pending);
    return;
  }
  const uint64_t cookie = door_.next_request();
  rare().subscribes[cookie] = std::move(pending);
  session_->subscribe(std::move(requests), cookie);
}

void Connection::subscribed(uint64_t cookie, std::span<const broker::SubscribeOutcome> outcomes) {
  if (!rare_) return;
  const auto it = rare_->subscribes.find(cookie);
  if (it == rare_->subscribes.end()) return;
  PendingSubscribe pending = std::move(it->second);
  rare_->subscribes.erase(it);
  tidy();
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    Reason& reason = pending.reasons[pending.asked[i]];
    switch (outcomes[i].status) {
      case broker::SubscribeStatus::granted:
        reason = static_cast<Reason>(outcomes[i].granted);
        break;
      case broker::SubscribeStatus::denied:
        reason = Reason::not_authorized;
        break;
      case broker::SubscribeStatus::quota:
        reason = Reason::quota_exceeded;
        break;
      case broker::SubscribeStatus::no_stream:
        reason = Reason::topic_filter_invalid;
        break;
      case broker::SubscribeStatus::failed:
        reason = Reason::unspecified_error;
        break;
    }
  }
  send_suback(pending);
}

void Connection::send_suback(const PendingSubscribe& pending) {
  am::Suback packet;
  packet.packet_id = pending.packet_id;
  packet.reasons = pending.reasons;
  send(packet);
}

void Connection::on_unsubscribe(const am::Unsubscribe& packet) {
  if (id_in_use(packet.packet_id)) {
    refuse_request(am::Unsuback{.packet_id = packet.packet_id}, packet.filters.size());
    return;
  }
  PendingSubscribe pending;
  pending.packet_id = packet.packet_id;
  std::vector<broker::Session::FilterName> names;
  for (const std::string_view filter : packet.filters) {
    TopicFault fault{};
    const std::optional<GroupFilter> parsed = parse_filter(filter, fault, options_->topics);
    if (!parsed && is_ill_formed(fault, version_)) return fail(Reason::malformed_packet, "ill-formed topic filter");
    pending.reasons.push_back(parsed ? Reason::success : Reason::topic_filter_invalid);
    if (!parsed) continue;
    pending.asked.push_back(pending.reasons.size() - 1);
    names.push_back({std::string(parsed->group), std::string(parsed->filter)});
  }
  const uint64_t cookie = door_.next_request();
  rare().subscribes[cookie] = std::move(pending);
  session_->unsubscribe(std::move(names), cookie);
}

void Connection::unsubscribed(uint64_t cookie, std::span<const bool> existed) {
  if (!rare_) return;
  const auto it = rare_->subscribes.find(cookie);
  if (it == rare_->subscribes.end()) return;
  am::Unsuback packet;
  packet.packet_id = it->second.packet_id;
  packet.reasons = it->second.reasons;
  for (std::size_t i = 0; i < existed.size(); ++i) {
    packet.reasons[it->second.asked[i]] = existed[i] ? Reason::success : Reason::no_subscription_existed;
  }
  if (version_ != Version::v5) packet.reasons.clear();
  rare_->subscribes.erase(it);
  tidy();
  send(packet);
}

}  // namespace arena::gateway::mqtt
