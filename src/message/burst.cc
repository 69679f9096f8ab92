#include "message/burst.h"

namespace arena {

Burst::Burst(std::string_view topic, std::span<const std::string_view> payloads) {
  head_.topic = topic;
  std::size_t bytes = 0;
  for (const std::string_view payload : payloads) bytes += payload.size();
  payloads_.reserve(bytes);
  ends_.reserve(payloads.size());
  for (const std::string_view payload : payloads) {
    payloads_.append(payload);
    ends_.push_back(static_cast<uint32_t>(payloads_.size()));
  }
}

MessageRef Burst::message(std::size_t i) const {
  auto one = std::make_unique<Message>();
  one->id = head_.id;
  one->id.low += i;
  one->topic = head_.topic;
  one->payload = payload(i);
  one->principal = head_.principal;
  one->publisher = head_.publisher;
  one->published_ms = head_.published_ms;
  return MessageRef(one.release());
}

}  // namespace arena
