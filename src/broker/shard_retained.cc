// Last values: what is counted of them, and how they go when they have expired.
#include <algorithm>
#include <map>
#include <utility>

#include "broker/shard.h"

namespace arena::broker {
namespace {

constexpr std::size_t kExpiredMax = 256;  // in one turn
constexpr int64_t kLookMs = 60'000;       // the clock that they go by may be set

}  // namespace

// The broker's own take no room from others.
RetainedGrowth Shard::retained_growth(const Message& message) const {
  if (message.publisher == 0 || message.payload.empty()) return {};
  const std::size_t bytes = message.accounted_bytes();
  const MessageRef before = retained().find(message.topic);
  if (!before) return {1, bytes};
  return {0, bytes - std::min(bytes, before->accounted_bytes())};
}

bool Shard::retained_has_room(const RetainedGrowth& growth) const {
  if (growth.messages != 0 && total(&Counters::retained) + coming_retained_.messages + growth.messages > options_.retained_messages_max) return false;
  return growth.bytes == 0 || total(&Counters::retained_bytes) + coming_retained_.bytes + growth.bytes <= options_.retained_bytes_max;
}

void Shard::retained_coming(const RetainedGrowth& growth) {
  coming_retained_.messages += growth.messages;
  coming_retained_.bytes += growth.bytes;
}

void Shard::retained_came(const RetainedGrowth& growth) {
  coming_retained_.messages -= growth.messages;
  coming_retained_.bytes -= growth.bytes;
}

void Shard::set_retained(const MessageRef& message) {
  retained_.set(message);
  count_retained();
  arm_expiry();
}

void Shard::drop_retained(const MessageRef& expired) {
  if (!retained_.holds(expired)) return;
  retained_.erase(expired);
  count_retained();
}

void Shard::count_retained() {
  counters_.retained.set(retained_.count());
  counters_.retained_bytes.set(retained_.bytes());
}

void Shard::arm_expiry() {
  const int64_t next_ms = retained_.next_expiry_ms();
  if (next_ms == INT64_MAX || !running_) return expiry_timer_.disarm();
  const int64_t wait_ms = std::clamp<int64_t>(next_ms - loop_.wall_ms(), 0, kLookMs);
  if (!expiry_timer_.armed() || expiry_timer_.deadline_ms() > loop_.now_ms() + wait_ms) loop_.arm(expiry_timer_, wait_ms);
}

void Shard::on_expiry(void* self) {
  Shard& shard = *static_cast<Shard*>(self);
  std::map<PartitionId, std::vector<MessageRef>> expired;
  for (MessageRef& message : shard.retained_.take_expired(shard.loop_.wall_ms(), kExpiredMax)) {
    expired[shard.placement_->partition_of(message->topic)].push_back(std::move(message));
  }
  for (auto& [id, messages] : expired) shard.partition(id).expire(std::move(messages));
  shard.arm_expiry();
}

}  // namespace arena::broker
