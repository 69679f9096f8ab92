// A message is encoded once per dialect; its subscribers share the bytes.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "codec/mqtt/encoder.h"
#include "message/message.h"

namespace arena::gateway::mqtt {

struct Frame {
  std::string bytes;  // empty: cannot be expressed
  arena::mqtt::EncodedPublish layout;
};

struct FrameKey {
  arena::mqtt::Version version = arena::mqtt::Version::v5;
  Guarantee guarantee = Guarantee::at_most_once;
  bool retained = false;
  friend bool operator==(const FrameKey&, const FrameKey&) = default;
};

// Encodes without packet id and DUP, which differ per delivery: patched where the bytes are copied to.
Frame encode_frame(const Message& message, const FrameKey& key, std::span<const uint32_t> subscription_ids,
                   uint16_t topic_alias, bool with_topic);

// One core's; remembers the last few.
class FrameCache {
 public:
  // The frame without subscription ids or alias. Valid until the next call.
  const Frame& get(const MessageRef& message, FrameKey key);

 private:
  struct Entry {
    MessageRef message;
    FrameKey key;
    Frame frame;
  };
  std::array<Entry, 4> entries_;
  std::size_t turn_ = 0;
};

}  // namespace arena::gateway::mqtt
