#include "runtime/progress.h"

#include <algorithm>

namespace arena::runtime {
namespace {

constexpr int64_t kWindowNs = 1'000'000'000;

}  // namespace

std::string_view to_string(Phase phase) {
  switch (phase) {
    case Phase::sleeping: return "sleeping";
    case Phase::io: return "io";
    case Phase::mail: return "mail";
    case Phase::timers: return "timers";
    case Phase::deferred: return "deferred";
  }
  return "?";
}

void Progress::turn_began(int64_t now_ns, bool slept) {
  turn_start_ns_ = now_ns;
  if (!slept && turn_end_ns_ != 0) {
    busy_ns_ += now_ns - turn_end_ns_;
    busy_total_ns_ += now_ns - turn_end_ns_;
  }
  turn_.fetch_add(1, std::memory_order_release);
  close_window(now_ns);
}

void Progress::turn_ended(int64_t now_ns) {
  turn_end_ns_ = now_ns;
  const int64_t took_ns = now_ns - turn_start_ns_;
  busy_ns_ += took_ns;
  busy_total_ns_ += took_ns;
  const int64_t took_us = took_ns / 1000;
  if (took_us > longest_turn_us_.load(std::memory_order_relaxed)) {
    longest_turn_us_.store(took_us, std::memory_order_relaxed);
  }
  enter(Phase::sleeping);
  close_window(now_ns);
}

void Progress::close_window(int64_t now_ns) {
  const int64_t start_ns = window_start_ns_.load(std::memory_order_relaxed);
  const int64_t length_ns = now_ns - start_ns;
  if (length_ns < kWindowNs) return;
  const int64_t permille = start_ns == 0 ? 0 : busy_ns_ * 1000 / length_ns;
  busy_permille_.store(static_cast<unsigned>(std::clamp<int64_t>(permille, 0, 1000)), std::memory_order_relaxed);
  window_start_ns_.store(now_ns, std::memory_order_relaxed);
  busy_ns_ = 0;
}

unsigned Progress::busy_permille(int64_t now_ns) const {
  // A loop that closed no window for long is in one sleep or in one turn.
  if (now_ns - window_start_ns_.load(std::memory_order_relaxed) > 2 * kWindowNs) {
    return phase() == Phase::sleeping ? 0 : 1000;
  }
  return busy_permille_.load(std::memory_order_relaxed);
}

}  // namespace arena::runtime
