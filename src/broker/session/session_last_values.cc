// Last values behind a subscribe: they may be very many, so they leave as fast as the subscriber takes them.
#include <algorithm>
#include <utility>

#include "broker/session/session.h"
#include "broker/shard.h"

namespace arena::broker {

// Bounded by the session's queue like all that waits, though here only the references count.
void Session::add_last_values(const std::string& name, std::vector<MessageRef> messages) {
  if (messages.empty()) return;
  const std::size_t most = queued_bytes_max() / sizeof(MessageRef);
  const std::size_t left = has_last_values() ? rare_->last_values.size() : 0;
  const std::size_t room = most - std::min(left, most);
  if (messages.size() > room) {
    shard_.counters().drop(Drop::queue_full, messages.size() - room);
    messages.resize(room);
  }
  if (!has_last_values()) waiting_ahead_ = static_cast<uint32_t>(waiting_.size());
  rare().last_values.add(name, std::move(messages));
  tidy();
}

// None: the subscription is gone, or does not want it.
std::optional<Item> Session::last_value_item(const std::string& name, const MessageRef& message) {
  Subscription* found = subscriptions_.find(name);
  if (found == nullptr) return std::nullopt;
  Subscription& subscription = *found;
  if (subscription.request.no_local && message->publisher == identity_) return std::nullopt;
  if (message->payload.empty() || message->expired(shard_.loop().wall_ms())) return std::nullopt;
  if (!publisher_may(*message)) {
    shard_.counters().drop(Drop::denied_publish);
    return std::nullopt;
  }
  if (!may_read(subscription, message->topic)) {
    shard_.counters().drop(Drop::denied_delivery);
    return std::nullopt;
  }
  Item item{message, std::min(message->guarantee, subscription.request.granted), true};
  if (subscription.request.id != 0) item.ids.push_back(subscription.request.id);
  return item;
}

void Session::send_last_values() {
  bool must_record = false;
  while (has_last_values() && open_for_sending() && sink_->ready()) {
    std::optional<Item> item = last_value_item(rare_->last_values.name(), rare_->last_values.front());
    const bool transient = item && item->guarantee == Guarantee::at_most_once;
    const bool record = item && must_record_tag(*item);
    if (item && !transient && !may_send()) break;
    if (item && !record && must_record) break;  // behind those that are recorded first
    rare_->last_values.pop();
    if (!item) continue;
    if (transient) {
      send_transient(*item);
    } else if (record) {
      window_.add(*std::move(item), Stage::recording, 0);
      must_record = true;
    } else {
      send(*std::move(item));
    }
  }
  tidy();
  if (!must_record) return;
  recording_ = true;
  write_recording();
}

}  // namespace arena::broker
