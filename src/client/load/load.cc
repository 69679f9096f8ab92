#include "client/load/load.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "client/load/process.h"
#include "net/tcp.h"
#include "runtime/clock.h"

namespace arena::client {

namespace {
constexpr std::size_t kConnectingMax = 64;
constexpr unsigned kClientsPerAddress = 20'000;  // below the usual range of local ports
constexpr int64_t kConnectMs = 60'000;
constexpr int64_t kSettleMs = 10'000;
constexpr int64_t kCountedMs = 600'000;
constexpr int64_t kPaceMs = 1;
}  // namespace

Load::Load(runtime::EpollLoop& loop, const LoadOptions& options)
    : loop_(loop), options_(options), run_(static_cast<uint32_t>(loop.random())), pace_timer_(&Load::on_pace, this) {}

Load::~Load() {
  // Whoever is closed now is closed by us.
  failure_ = "over";
  for (const auto& client : clients_) client->abort();
}

Result<LoadReport> Load::run() {
  raise_descriptor_limit();
  make_clients();
  LoadReport report;
  report.clients = static_cast<unsigned>(clients_.size());
  const auto rss_before = process_rss_bytes(options_.server_pid);
  const Mark before = mark();
  if (const Status status = connect_clients(); !status) return fail(status.error());
  if (options_.scenario == Scenario::connections) {
    const Mark after = mark();
    const auto count = static_cast<double>(clients_.size());
    report.seconds = static_cast<double>(after.at_ns - before.at_ns) * 1e-9;
    report.per_second = count / report.seconds;
    report.client_cpu_us = (after.own_cpu_us - before.own_cpu_us) / count;
    if (before.server_cpu_us && after.server_cpu_us) {
      report.server_cpu_us = (*after.server_cpu_us - *before.server_cpu_us) / count;
    }
    const auto rss_after = process_rss_bytes(options_.server_pid);
    if (rss_before && rss_after) report.server_rss_bytes_per_client = (*rss_after - *rss_before) / count;
    return report;
  }
  if (const Status status = measure(report); !status) return fail(status.error());
  return report;
}

// Subscribers first: what is published before everyone listens would be lost.
void Load::make_clients() {
  unsigned number = 0;
  const auto topic = [&](unsigned i) { return fmt::format("load/{:08x}/{}", run_, i); };
  const bool pairs = options_.scenario == Scenario::pairs;
  const unsigned publishers = options_.scenario == Scenario::connections ? 0 : options_.publishers;
  const unsigned subscribers = pairs ? publishers : options_.subscribers;
  for (unsigned i = 0; i < subscribers; ++i) {
    const bool own_topic = pairs || options_.scenario == Scenario::connections;
    auto client = std::make_unique<LoadSubscriber>(*this, number++, topic(own_topic ? i : 0), pairs ? i : 0,
                                                   pairs ? 1 : publishers);
    subscribers_.push_back(client.get());
    clients_.push_back(std::move(client));
  }
  for (unsigned i = 0; i < publishers; ++i) {
    auto client = std::make_unique<LoadPublisher>(*this, number++, i, topic(pairs ? i : 0));
    publishers_.push_back(client.get());
    clients_.push_back(std::move(client));
  }
}

Status Load::connect_clients() {
  const int64_t deadline_ms = loop_.now_ms() + kConnectMs;
  while (connecting_ < kConnectingMax && next_ < clients_.size()) connect_next();
  while (ready_ < clients_.size() && failure_.empty()) {
    loop_.turn(100);
    if (loop_.now_ms() > deadline_ms) fail_once(fmt::format("{} of {} clients are ready after 60 s", ready_, clients_.size()));
  }
  return failure_.empty() ? Status(Unit{}) : fail_with(failure_);
}

void Load::connect_next() {
  const std::size_t index = next_++;
  ++connecting_;
  net::ConnectOptions options;
  options.timeout_ms = kConnectMs;
  options.stream.output_high_bytes = 16 << 20;
  if (index >= kClientsPerAddress && options_.host == "127.0.0.1") {
    options.local_address = fmt::format("127.0.0.{}", 1 + index / kClientsPerAddress);
  }
  net::connect_tcp(loop_, options_.host, options_.port, options, [this, index](auto stream) {
    if (!stream) return fail_once(stream.error().reason);
    clients_[index]->start(std::move(*stream));
  });
}

void Load::on_ready() {
  ++ready_;
  --connecting_;
  if (next_ < clients_.size()) connect_next();
}

void Load::fail_once(std::string reason) {
  if (failure_.empty()) failure_ = std::move(reason);
}

Load::Mark Load::mark() const {
  return {runtime::monotonic_ns(), delivered_, published_, own_cpu_us(), process_cpu_us(options_.server_pid)};
}

bool Load::may_send(uint64_t sent) const {
  return sending_ && failure_.empty() && (options_.messages == 0 || sent < options_.messages);
}

Status Load::measure(LoadReport& report) {
  sending_ = true;
  if (options_.rate > 0) {
    pace_began_ns_ = runtime::monotonic_ns();
    loop_.arm(pace_timer_, kPaceMs);
  } else {
    for (LoadPublisher* publisher : publishers_) publisher->fill();
  }
  const bool counted = options_.messages != 0;
  if (!counted) {
    if (Status status = turn_until(loop_.now_ms() + options_.warm_up_ms, false); !status) return status;
    latencies_ = {};
  }
  const Mark begin = mark();
  if (Status status = turn_until(loop_.now_ms() + (counted ? kCountedMs : options_.duration_ms), counted); !status) return status;
  const Mark end = mark();
  sending_ = false;
  if (Status status = turn_until(loop_.now_ms() + kSettleMs, true); !status) return status;
  fill_in(report, begin, end);
  return Unit{};
}

// `settle`: ends as soon as nothing is on its way and nothing is left to be sent.
Status Load::turn_until(int64_t deadline_ms, bool settle) {
  while (failure_.empty() && loop_.now_ms() < deadline_ms) {
    if (settle && settled()) break;
    loop_.turn(std::min<int64_t>(deadline_ms - loop_.now_ms(), 50));
  }
  return failure_.empty() ? Status(Unit{}) : fail_with(failure_);
}

bool Load::settled() const {
  return std::all_of(publishers_.begin(), publishers_.end(),
                     [this](const LoadPublisher* p) { return p->settled() && !may_send(p->sent()); });
}

void Load::fill_in(LoadReport& report, const Mark& begin, const Mark& end) const {
  report.seconds = static_cast<double>(end.at_ns - begin.at_ns) * 1e-9;
  report.published = end.published - begin.published;
  report.delivered = end.delivered - begin.delivered;
  const auto delivered = static_cast<double>(std::max<uint64_t>(report.delivered, 1));
  report.per_second = static_cast<double>(report.delivered) / report.seconds;
  report.client_cpu_us = (end.own_cpu_us - begin.own_cpu_us) / delivered;
  if (begin.server_cpu_us && end.server_cpu_us) {
    report.server_cpu_us = (*end.server_cpu_us - *begin.server_cpu_us) / delivered;
  }
  report.latency_p50_us = latencies_.percentile_us(0.5);
  report.latency_p99_us = latencies_.percentile_us(0.99);
  report.latency_max_us = latencies_.max_us();
  for (const LoadSubscriber* subscriber : subscribers_) subscriber->add_to(report);
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

void Load::on_pace(void* self) { static_cast<Load*>(self)->pace(); }

void Load::pace() {
  const auto elapsed_s = static_cast<double>(runtime::monotonic_ns() - pace_began_ns_) * 1e-9;
  const auto count = static_cast<uint64_t>(publishers_.size());
  const auto due = static_cast<uint64_t>(elapsed_s * options_.rate * static_cast<double>(count));
  // In turns, so that publishers are evenly spread over time.
  for (; paced_ < due && may_send(paced_ / count); ++paced_) publishers_[paced_ % count]->send_one();
  if (sending_ && failure_.empty()) loop_.arm(pace_timer_, kPaceMs);
}

}  // namespace arena::client
