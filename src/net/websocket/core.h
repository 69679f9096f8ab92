// What the WebSocket streams of one core share.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/intrusive_list.h"
#include "base/ref.h"
#include "codec/websocket/decoder.h"
#include "net/count.h"
#include "runtime/loop.h"

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

// Outlives its streams. What they write in a turn leaves in one frame.
class WebSocketCore {
 public:
  static constexpr std::size_t kScratchBytes = 64 << 10;
  static constexpr std::size_t kSpareBytesMin = 512;

  explicit WebSocketCore(runtime::Loop& loop) : loop_(loop) {}
  WebSocketCore(const WebSocketCore&) = delete;
  WebSocketCore& operator=(const WebSocketCore&) = delete;

  const WebSocketCounters& counters() const { return counters_; }

  // ---- for streams ----
  runtime::Loop& loop() { return loop_; }
  WebSocketCounters& count() { return counters_; }
  // Lets it work at the end of this turn.
  void at_turn_end(WebSocketStream& stream);
  // Room for what comes out of frames; its content lasts until the next read on this core.
  std::span<char> scratch();
  // Buffers for output, so that a turn costs no allocations. Bounded.
  std::string take_spare();
  void give_spare(std::string buffer);

 private:
  void run();

  runtime::Loop& loop_;
  WebSocketCounters counters_;
  IntrusiveList<WebSocketStream, WebSocketOutputTag> waiting_;
  bool run_due_ = false;
  std::unique_ptr<char[]> scratch_;
  std::vector<std::string> spares_;
};

}  // namespace arena::net
