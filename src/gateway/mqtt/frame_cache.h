// A message is encoded once per dialect; its subscribers share the bytes.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "codec/mqtt/encoder.h"
#include "message/burst.h"
#include "message/message.h"
#include "net/stream.h"

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

// What a frame has for one subscriber only.
struct OwnPart {
  std::span<const uint32_t> subscription_ids;
  uint16_t topic_alias = 0;
  bool with_topic = true;
  std::string position;  // of the message, as text; empty: not told
};

// Encodes without packet id and DUP, which differ per delivery: patched where the bytes are copied to.
Frame encode_frame(const Message& message, const FrameKey& key, const OwnPart& own);

// The frames of a burst's messages behind each other, at QoS 0, not retained.
struct BurstFrames {
  net::SharedBytesRef bytes;
  std::size_t frame_bytes_max = 0;  // the largest
};

// One core's; remembers the last few.
class FrameCache {
 public:
  // The frame without subscription ids or alias. Valid until the next call.
  const Frame& get(const MessageRef& message, FrameKey key);
  const BurstFrames& get(const BurstRef& burst, arena::mqtt::Version version);

 private:
  struct Entry {
    MessageRef message;
    FrameKey key;
    Frame frame;
  };
  struct BurstEntry {
    BurstRef burst;
    BurstFrames frames;
  };
  std::array<Entry, 4> entries_;
  std::size_t turn_ = 0;
  std::array<BurstEntry, 2> bursts_;  // the last for 3.x, the last for 5
};

}  // namespace arena::gateway::mqtt
