// The message: what is published, stored and delivered, the same through every door. Immutable once made.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/ref.h"

namespace arena {

enum class Guarantee : uint8_t { at_most_once = 0, at_least_once = 1, exactly_once = 2 };

// Sorts by time of making; unique across cores and restarts.
struct MessageId {
  uint64_t high = 0;  // Unix milliseconds << 16 | core
  uint64_t low = 0;   // random start per core and run, then rising
  friend bool operator==(const MessageId&, const MessageId&) = default;
};

struct Position {
  uint32_t epoch = 0;
  uint16_t partition = 0;
  uint64_t offset = 0;
  friend bool operator==(const Position&, const Position&) = default;
};

using Header = std::pair<std::string, std::string>;

// What most messages do not have; kept apart so that they do not pay for it.
struct Extras {
  std::string content_type;
  std::string response_topic;
  std::string correlation;
  bool has_correlation = false;
  bool has_content_type = false;
  bool payload_is_text = false;       // the publisher declared the payload to be UTF-8 text
  bool has_payload_kind = false;      // the publisher declared the payload's kind at all
  std::vector<Header> headers;        // in the publisher's order
};

// Shared between cores by reference count, so never changed after it was made. Times are Unix milliseconds.
class Message : public RefCounted<Message> {
 public:
  MessageId id;
  std::string topic;
  std::string payload;
  std::string principal;        // who published, as authenticated; "" is anonymous
  uint64_t publisher = 0;       // identity of the publishing session; 0: the broker itself
  int64_t published_ms = 0;
  int64_t expires_ms = 0;       // 0: never
  Guarantee guarantee = Guarantee::at_most_once;
  bool retain = false;          // the publisher asked for it to become its topic's last value
  std::unique_ptr<const Extras> extras;  // null when there are none

  bool expired(int64_t wall_ms) const { return expires_ms != 0 && wall_ms >= expires_ms; }
  // Bytes this message is accounted with in every bounded queue.
  std::size_t accounted_bytes() const;
};

using MessageRef = Ref<const Message>;

}  // namespace arena
