#include "net/websocket/core.h"

#include <utility>

#include "net/websocket/stream.h"

namespace arena::net {
namespace {
constexpr std::size_t kSpareBytesMax = 64 << 10;
constexpr std::size_t kSparesMax = 64;
}  // namespace

// Behind everything that is deferred already, and behind what that defers: what those write goes into the same frame.
void WebSocketCore::at_turn_end(WebSocketStream& stream) {
  waiting_.push_back(stream);
  if (std::exchange(run_due_, true)) return;
  loop_.defer([this] {
    loop_.defer([this] { run(); });
  });
}

void WebSocketCore::run() {
  run_due_ = false;
  IntrusiveList<WebSocketStream, WebSocketOutputTag> now;
  now.splice_back(waiting_);
  while (!now.empty()) now.pop_front().on_core_turn();
}

std::span<char> WebSocketCore::scratch() {
  if (!scratch_) scratch_ = std::make_unique_for_overwrite<char[]>(kScratchBytes);
  return {scratch_.get(), kScratchBytes};
}

std::string WebSocketCore::take_spare() {
  std::string buffer;
  if (spares_.empty()) {
    buffer.reserve(kSpareBytesMin);
  } else {
    buffer = std::move(spares_.back());
    spares_.pop_back();
  }
  return buffer;
}

void WebSocketCore::give_spare(std::string buffer) {
  if (buffer.capacity() < kSpareBytesMin || buffer.capacity() > kSpareBytesMax || spares_.size() >= kSparesMax) return;
  buffer.clear();
  spares_.push_back(std::move(buffer));
}

}  // namespace arena::net
