// SUBSCRIBE and UNSUBSCRIBE: every filter gets its reason, in order, in one answer.
#include <utility>

#include "gateway/mqtt/connection.h"

namespace arena::gateway::mqtt {
namespace am = arena::mqtt;

// A reason to refuse this one filter; the session is asked about the others.
std::optional<Connection::Reason> Connection::check_subscription(const am::Subscription& subscription,
                                                                 broker::SubscribeRequest& out) {
  TopicFault fault{};
  const std::optional<GroupFilter> parsed = parse_filter(subscription.filter, fault, options_->topics);
  if (!parsed) return Reason::topic_filter_invalid;
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

namespace {

// User properties that begin with "arena-" are ours: this one says what a subscriber that is too slow loses.
constexpr std::string_view kSlowProperty = "arena-slow";

struct SlowAsked {
  bool understood = true;
  std::optional<SlowPolicy> policy;  // none: not asked
};

SlowAsked slow_policy_asked(const am::SubscribeProperties& properties) {
  SlowAsked asked;
  for (const am::UserProperty& property : properties.user_properties) {
    if (property.name != kSlowProperty) continue;
    asked.policy = slow_policy_of(property.value);
    asked.understood = asked.understood && asked.policy.has_value();
  }
  return asked;
}

}  // namespace

void Connection::on_subscribe(const am::Subscribe& packet) {
  const SlowAsked slow = slow_policy_asked(packet.properties);
  PendingSubscribe pending;
  pending.packet_id = packet.packet_id;
  std::vector<broker::SubscribeRequest> requests;
  for (const am::Subscription& subscription : packet.subscriptions) {
    broker::SubscribeRequest request;
    request.id = packet.properties.subscription_identifier.value_or(0);
    request.slow = slow.policy;
    const std::optional<Reason> refusal =
        slow.understood ? check_subscription(subscription, request) : Reason::implementation_specific_error;
    pending.reasons.push_back(refusal.value_or(Reason::success));
    if (refusal) continue;
    pending.asked.push_back(pending.reasons.size() - 1);
    requests.push_back(std::move(request));
  }
  if (requests.empty()) {
    send_suback(pending);
    return;
  }
  const uint64_t cookie = next_subscribe_++;
  subscribes_[cookie] = std::move(pending);
  session_->subscribe(std::move(requests), cookie);
}

void Connection::subscribed(uint64_t cookie, std::span<const broker::SubscribeOutcome> outcomes) {
  const auto it = subscribes_.find(cookie);
  if (it == subscribes_.end()) return;
  PendingSubscribe pending = std::move(it->second);
  subscribes_.erase(it);
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
  PendingSubscribe pending;
  pending.packet_id = packet.packet_id;
  std::vector<broker::Session::FilterName> names;
  for (const std::string_view filter : packet.filters) {
    TopicFault fault{};
    const std::optional<GroupFilter> parsed = parse_filter(filter, fault, options_->topics);
    pending.reasons.push_back(parsed ? Reason::success : Reason::topic_filter_invalid);
    if (!parsed) continue;
    pending.asked.push_back(pending.reasons.size() - 1);
    names.push_back({std::string(parsed->group), std::string(parsed->filter)});
  }
  const uint64_t cookie = next_subscribe_++;
  subscribes_[cookie] = std::move(pending);
  session_->unsubscribe(std::move(names), cookie);
}

void Connection::unsubscribed(uint64_t cookie, std::span<const bool> existed) {
  const auto it = subscribes_.find(cookie);
  if (it == subscribes_.end()) return;
  am::Unsuback packet;
  packet.packet_id = it->second.packet_id;
  packet.reasons = it->second.reasons;
  for (std::size_t i = 0; i < existed.size(); ++i) {
    packet.reasons[it->second.asked[i]] = existed[i] ? Reason::success : Reason::no_subscription_existed;
  }
  if (version_ != Version::v5) packet.reasons.clear();
  subscribes_.erase(it);
  send(packet);
}

}  // namespace arena::gateway::mqtt
