#include "client/load/fine_timer.h"

#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

namespace arena::client {

namespace {
constexpr int64_t kNsPerS = 1'000'000'000;
}  // namespace

FineTimer::FineTimer(runtime::EpollLoop& loop, std::function<void()> callback)
    : loop_(loop),
      callback_(std::move(callback)),
      fd_(::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC)) {
  if (good()) loop_.add(fd_, EPOLLIN, *this);
}

FineTimer::~FineTimer() {
  if (!good()) return;
  loop_.remove(fd_, *this);
  ::close(fd_);
}

void FineTimer::arm_at(int64_t at_ns) {
  const int64_t moment = std::max<int64_t>(at_ns, 1);  // 0 would disarm it
  const itimerspec when{.it_interval = {}, .it_value = {moment / kNsPerS, moment % kNsPerS}};
  ::timerfd_settime(fd_, TFD_TIMER_ABSTIME, &when, nullptr);
}

void FineTimer::on_io(uint32_t) {
  uint64_t expirations = 0;
  if (::read(fd_, &expirations, sizeof expirations) == sizeof expirations) callback_();
}

}  // namespace arena::client
