// What the streams of one core share that are layers around other streams.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <utility>

#include "base/intrusive_list.h"
#include "base/spare_buffers.h"
#include "runtime/loop.h"

namespace arena::net {

// `Layer` is a ListNode<Tag> and has on_core_turn(). Outlives its streams.
template <typename Layer, typename Tag>
class LayerCore {
 public:
  static constexpr std::size_t kScratchBytes = 64 << 10;

  explicit LayerCore(runtime::Loop& loop) : loop_(loop) {}
  LayerCore(const LayerCore&) = delete;
  LayerCore& operator=(const LayerCore&) = delete;

  runtime::Loop& loop() { return loop_; }
  // Lets it work before this turn ends, behind everything that is deferred already and behind what that defers: what those write
  // goes out together, in one record or frame.
  void at_turn_end(Layer& stream) {
    waiting_.push_back(stream);
    if (std::exchange(run_due_, true)) return;
    loop_.defer([this] {
      loop_.defer([this] { run(); });
    });
  }
  // Room for what is read out of what came; its content lasts until the next read on this core.
  std::span<char> scratch() {
    if (!scratch_) scratch_ = std::make_unique_for_overwrite<char[]>(kScratchBytes);
    return {scratch_.get(), kScratchBytes};
  }
  SpareBuffers& spares() { return spares_; }

 private:
  void run() {
    run_due_ = false;
    IntrusiveList<Layer, Tag> now;
    now.splice_back(waiting_);
    while (!now.empty()) now.pop_front().on_core_turn();
  }

  runtime::Loop& loop_;
  IntrusiveList<Layer, Tag> waiting_;
  bool run_due_ = false;
  std::unique_ptr<char[]> scratch_;
  SpareBuffers spares_;
};

}  // namespace arena::net
