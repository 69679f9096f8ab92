#include "runtime/clock.h"

#include <ctime>

namespace arena::runtime {

namespace {
int64_t ns_of(const timespec& t) { return int64_t{t.tv_sec} * 1'000'000'000 + t.tv_nsec; }
}  // namespace

int64_t monotonic_ns() {
  timespec t{};
  clock_gettime(CLOCK_MONOTONIC, &t);
  return ns_of(t);
}

int64_t unix_ms() {
  timespec t{};
  clock_gettime(CLOCK_REALTIME, &t);
  return int64_t{t.tv_sec} * 1000 + t.tv_nsec / 1'000'000;
}

std::optional<int64_t> process_cpu_ns(unsigned pid) {
  clockid_t clock{};
  timespec t{};
  if (clock_getcpuclockid(static_cast<pid_t>(pid), &clock) != 0 || clock_gettime(clock, &t) != 0) return std::nullopt;
  return ns_of(t);
}

}  // namespace arena::runtime
