// Sending, waiting and what came of it.
#include <algorithm>
#include <utility>

#include "client/load/load.h"
#include "runtime/clock.h"

namespace arena::client {

namespace {
constexpr int64_t kSettleMs = 10'000;
constexpr int64_t kCountedMs = 600'000;
constexpr int64_t kTellNs = 250'000'000;
}  // namespace

Status Load::measure(LoadReport& report) {
  using Phase = LoadProgress::Phase;
  Mark begin = mark();
  if (Status status = begin_sending(); !status) return status;
  const bool counted = options_.messages != 0;
  if (!counted) {
    if (Status status = turn_for(Phase::warming_up, options_.warm_up_ms); !status) return status;
    latencies_ = {};
    begin = mark();
  }
  if (Status status = turn_for(Phase::measuring, counted ? kCountedMs : options_.duration_ms); !status)
    return status;
  const Mark end = mark();
  sending_ = false;
  if (Status status = turn_for(Phase::settling, kSettleMs); !status) return status;
  fill_in(report, begin, end);
  return Unit{};
}

Status Load::begin_sending() {
  sending_ = true;
  if (options_.rate <= 0) {
    for (LoadPublisher* publisher : publishers_) publisher->fill();
    return Unit{};
  }
  pace_timer_.emplace(loop_, [this] { send_what_is_due(); });
  if (!pace_timer_->good()) return fail("the system has no file descriptor left");
  schedule_ = Schedule(runtime::monotonic_ns(), options_.rate * static_cast<double>(publishers_.size()));
  pace_timer_->arm_at(schedule_.due_ns(0));
  return Unit{};
}

// In turns, so that publishers are evenly spread over time.
void Load::send_what_is_due() {
  const int64_t now_ns = runtime::monotonic_ns();
  const auto count = static_cast<uint64_t>(publishers_.size());
  while (may_send(scheduled_ / count)) {
    const int64_t due_ns = schedule_.due_ns(scheduled_);
    if (due_ns > now_ns) return pace_timer_->arm_at(due_ns);
    publishers_[scheduled_++ % count]->send_due(due_ns);
  }
}

// Ends early as soon as nothing is on its way and nothing is left to be sent.
Status Load::turn_for(LoadProgress::Phase phase, int64_t duration_ms) {
  phase_began_ns_ = runtime::monotonic_ns();
  const int64_t deadline_ms = loop_.now_ms() + duration_ms;
  while (failure_.empty() && loop_.now_ms() < deadline_ms && !settled()) {
    loop_.turn(std::min<int64_t>(deadline_ms - loop_.now_ms(), 50));
    tell_progress(phase, phase == LoadProgress::Phase::settling || options_.messages != 0 ? 0 : duration_ms);
  }
  return failure_.empty() ? Status(Unit{}) : fail_with(failure_);
}

void Load::tell_progress(LoadProgress::Phase phase, int64_t total_ms) {
  if (!watcher_) return;
  const int64_t now_ns = runtime::monotonic_ns();
  if (told_at_ns_ == 0) told_at_ns_ = phase_began_ns_;
  const int64_t since_ns = now_ns - told_at_ns_;
  if (since_ns < kTellNs) return;
  LoadProgress progress{phase, static_cast<unsigned>(ready_), static_cast<unsigned>(clients_.size())};
  progress.elapsed_s = static_cast<double>(now_ns - phase_began_ns_) * 1e-9;
  progress.total_s = static_cast<double>(total_ms) * 1e-3;
  const uint64_t counted = delivered_ + (reads_later(options_.scenario) ? acknowledged_ : 0);
  progress.per_second = static_cast<double>(counted - told_delivered_) / (static_cast<double>(since_ns) * 1e-9);
  progress.latency_p50_us = latencies_.percentile_us(0.5);
  progress.latency_p99_us = latencies_.percentile_us(0.99);
  told_at_ns_ = now_ns;
  told_delivered_ = counted;
  watcher_(progress);
}

bool Load::settled() const {
  return std::all_of(publishers_.begin(), publishers_.end(),
                     [this](const LoadPublisher* p) { return p->settled() && !may_send(p->sent()); });
}

// Once a turn, after everything readable was read, so that what is sent goes out in batches.
void Load::ask_to_fill(LoadPublisher& publisher) {
  to_fill_.push_back(&publisher);
  if (std::exchange(fill_due_, true)) return;
  loop_.defer([this] { fill_those_that_asked(); });
}

void Load::fill_those_that_asked() {
  fill_due_ = false;
  const std::vector<LoadPublisher*> asked = std::exchange(to_fill_, {});
  for (LoadPublisher* publisher : asked) publisher->fill();
}

void Load::fill_in_connections(LoadReport& report, const Mark& begin, const Mark& end) const {
  const auto count = static_cast<double>(clients_.size());
  report.seconds = static_cast<double>(end.at_ns - begin.at_ns) * 1e-9;
  report.per_second = count / report.seconds;
  report.client_cpu_us = (end.own_cpu_us - begin.own_cpu_us) / count;
  if (begin.server_cpu_us && end.server_cpu_us)
    report.server_cpu_us = (*end.server_cpu_us - *begin.server_cpu_us) / count;
  if (begin.server_rss_bytes && end.server_rss_bytes) {
    report.server_rss_bytes_per_client = (*end.server_rss_bytes - *begin.server_rss_bytes) / count;
  }
}

void Load::fill_in(LoadReport& report, const Mark& begin, const Mark& end) const {
  report.seconds = static_cast<double>(end.at_ns - begin.at_ns) * 1e-9;
  report.published = end.published - begin.published;
  report.delivered = end.delivered - begin.delivered;
  const uint64_t acknowledged = end.acknowledged - begin.acknowledged;
  const auto counted = static_cast<double>(reads_later(options_.scenario) ? acknowledged : report.delivered);
  const double delivered = std::max(counted, 1.0);
  report.per_second = counted / report.seconds;
  report.client_cpu_us = (end.own_cpu_us - begin.own_cpu_us) / delivered;
  if (begin.server_cpu_us && end.server_cpu_us) {
    report.server_cpu_us = (*end.server_cpu_us - *begin.server_cpu_us) / delivered;
  }
  report.latency_p50_us = latencies_.percentile_us(0.5);
  report.latency_p90_us = latencies_.percentile_us(0.9);
  report.latency_p99_us = latencies_.percentile_us(0.99);
  report.latency_p999_us = latencies_.percentile_us(0.999);
  report.latency_max_us = latencies_.max_us();
  if (reads_later(options_.scenario)) return;  // they have not read yet
  for (const LoadSubscriber* subscriber : subscribers_) subscriber->add_to(report);
}

}  // namespace arena::client
