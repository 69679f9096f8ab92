// Messages that came together, at most once, from one publisher to one topic, and differ in nothing but their payloads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/ref.h"
#include "message/message.h"

namespace arena {

// Permitted, matched, encoded and handed between cores as one; whoever cannot take it as one takes its messages one by
// one, which is the same thing. It exists for its price: 50 pairs at full speed cost 0.48 us of CPU a delivery with an
// object, a look-up and a frame for each message, and a third of it with one for each burst.
//
// Shared between cores by reference count, so never changed after it was stamped.
class Burst : public RefCounted<Burst> {
 public:
  // The payloads are copied.
  Burst(std::string_view topic, std::span<const std::string_view> payloads);

  // What all have in common; its id is the first one's, the others' follow. It has no payload.
  const Message& head() const { return head_; }
  Message& head() { return head_; }

  std::size_t size() const { return ends_.size(); }
  std::string_view payload(std::size_t i) const {
    const std::size_t begin = i == 0 ? 0 : ends_[i - 1];
    return std::string_view(payloads_).substr(begin, ends_[i] - begin);
  }
  std::size_t payload_bytes() const { return payloads_.size(); }
  std::size_t accounted_bytes() const { return head_.accounted_bytes() + payloads_.size() + 4 * ends_.size(); }
  // The message number `i` as one of its own. The topic, its payload and the publisher's name are copied.
  MessageRef message(std::size_t i) const;

 private:
  Message head_;
  std::string payloads_;        // behind each other
  std::vector<uint32_t> ends_;  // of each in payloads_
};

using BurstRef = Ref<const Burst>;

}  // namespace arena
