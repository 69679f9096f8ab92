#include "runtime/main_thread.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <thread>

#include "runtime/clock.h"

namespace arena::runtime {
namespace {

constexpr rlim_t kFilesFromTheStart = 131'072;  // a table of 1 MiB, the kernel's

sigset_t set_of(std::initializer_list<int> signals) {
  sigset_t set;
  sigemptyset(&set);
  for (int signal : signals) sigaddset(&set, signal);
  return set;
}

}  // namespace

unsigned machine_cores() {
  const unsigned cores = std::thread::hardware_concurrency();
  return cores == 0 ? 1 : cores;
}

void raise_file_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
  const int last = static_cast<int>(std::min(limit.rlim_cur, kFilesFromTheStart)) - 1;
  const int highest = ::fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, last);
  if (highest >= 0) ::close(highest);
}

void block_signals(std::initializer_list<int> signals) {
  const sigset_t set = set_of(signals);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

int wait_signal(std::initializer_list<int> signals, int64_t timeout_ms) {
  const sigset_t set = set_of(signals);
  const timespec timeout{timeout_ms / 1000, (timeout_ms % 1000) * 1'000'000};
  const int signal = sigtimedwait(&set, nullptr, &timeout);
  return signal < 0 ? 0 : signal;
}

int wait_signal_or_input(std::initializer_list<int> signals, int descriptor, int64_t timeout_ms) {
  const sigset_t set = set_of(signals);
  const int pending = ::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
  if (pending < 0) return wait_signal(signals, timeout_ms);
  pollfd ready[2] = {{pending, POLLIN, 0}, {descriptor, POLLIN, 0}};
  ::poll(ready, 2, static_cast<int>(timeout_ms));
  ::close(pending);
  return wait_signal(signals, 0);
}

Deadline::Deadline(int64_t in_ms) : at_ns_(monotonic_ns() + in_ms * 1'000'000) {}

bool Deadline::passed() const { return monotonic_ns() >= at_ns_; }

void pause_thread_ms(int64_t ms) { std::this_thread::sleep_for(std::chrono::milliseconds(ms)); }

}  // namespace arena::runtime
