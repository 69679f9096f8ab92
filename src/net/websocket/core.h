// What the WebSocket streams of one core share.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/ref.h"
#include "codec/websocket/decoder.h"
#include "net/count.h"
#include "net/layer_core.h"

namespace arena::net {

class WebSocketStream;
struct WebSocketOutputTag;

// What a peer may send.
struct WebSocketLimits {
  websocket::DecodeLimits decode;
  uint32_t idle_frames_per_s = 100;  // control frames and frames without payload, averaged over ten seconds
};

// The same for many streams, kept once.
struct SharedWebSocketLimits : RefCounted<SharedWebSocketLimits> {
  explicit SharedWebSocketLimits(const WebSocketLimits& limits) : value(limits) {}
  const WebSocketLimits value;
};
using WebSocketLimitsRef = Ref<const SharedWebSocketLimits>;
inline WebSocketLimitsRef share_limits(const WebSocketLimits& limits) { return WebSocketLimitsRef(new SharedWebSocketLimits(limits)); }

// Why a connection was ended.
enum class WebSocketFailure : uint8_t {
  malformed,    // frames that are none
  not_binary,   // text, where bytes are carried
  too_big,      // a frame or a message
  idle_frames,  // too many of them
};
inline constexpr std::size_t kWebSocketFailures = 4;
inline constexpr const char* kWebSocketFailureNames[kWebSocketFailures] = {"malformed", "not_binary", "too_big", "idle_frames"};

struct WebSocketCounters {
  Count accepted;     // connections, in all
  Count connections;  // open now
  Count pongs_left_out;  // for peers that do not take their output
  Count failed[kWebSocketFailures];

  void fail(WebSocketFailure why) { failed[static_cast<std::size_t>(why)].add(); }
};

// What its streams write in a turn leaves in one frame.
class WebSocketCore : public LayerCore<WebSocketStream, WebSocketOutputTag> {
 public:
  using LayerCore::LayerCore;

  const WebSocketCounters& counters() const { return counters_; }
  WebSocketCounters& count() { return counters_; }  // for streams

 private:
  WebSocketCounters counters_;
};

}  // namespace arena::net
