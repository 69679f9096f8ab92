// A timer good to some microseconds, for sending that is spread evenly; the loop's own are good to a
// millisecond.
#pragma once

#include <cstdint>
#include <functional>

#include "runtime/epoll_loop.h"

namespace arena::client {

// On the loop's thread; the loop outlives it.
class FineTimer final : private runtime::IoHandler {
 public:
  FineTimer(runtime::EpollLoop& loop, std::function<void()> callback);
  ~FineTimer() override;
  FineTimer(const FineTimer&) = delete;
  FineTimer& operator=(const FineTimer&) = delete;

  // False when the system gave none: it never fires then.
  bool good() const { return fd_ >= 0; }
  // Of the monotonic clock; what is past already is due at once. Replaces the moment set before.
  void arm_at(int64_t at_ns);

 private:
  void on_io(uint32_t events) override;

  runtime::EpollLoop& loop_;
  const std::function<void()> callback_;
  const int fd_;
};

}  // namespace arena::client
