#include "broker/retained/retained_values.h"

namespace arena::broker {

void RetainedValues::set(const MessageRef& message) {
  if (message->payload.empty()) return forget(tree_.erase(message->topic));
  forget(tree_.set(message));
  if (message->expires_ms != 0) expiring_.emplace(message->expires_ms, message.get());
  if (message->publisher != 0) return;
  ++own_;
  own_bytes_ += message->accounted_bytes();
}

void RetainedValues::erase(const MessageRef& message) { forget(tree_.erase(message->topic)); }

void RetainedValues::forget(const MessageRef& before) {
  if (!before) return;
  if (before->expires_ms != 0) expiring_.erase({before->expires_ms, before.get()});
  if (before->publisher != 0) return;
  --own_;
  own_bytes_ -= before->accounted_bytes();
}

std::vector<MessageRef> RetainedValues::take_expired(int64_t wall_ms, std::size_t max) {
  std::vector<MessageRef> out;
  while (out.size() < max && next_expiry_ms() <= wall_ms) {
    out.push_back(tree_.find(expiring_.begin()->second->topic));
    expiring_.erase(expiring_.begin());
  }
  return out;
}

}  // namespace arena::broker
