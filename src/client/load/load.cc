#include "client/load/load.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "client/load/process.h"
#include "net/tcp.h"
#include "net/tls/connect.h"
#include "net/websocket/connect.h"
#include "runtime/clock.h"
#include "runtime/main_thread.h"

namespace arena::client {

namespace {
constexpr std::size_t kConnectingMax = 64;
constexpr unsigned kClientsPerAddress = 20'000;  // below the usual range of local ports
constexpr int64_t kConnectMs = 60'000;

std::optional<double> cpu_us_of(unsigned pid) {
  const auto ns = pid != 0 ? runtime::process_cpu_ns(pid) : std::nullopt;
  return ns ? std::optional(static_cast<double>(*ns) * 1e-3) : std::nullopt;
}

}  // namespace

Load::Load(runtime::EpollLoop& loop, const LoadOptions& options)
    : loop_(loop),
      options_(options),
      tls_(loop, net::TicketSeed{}),
      websocket_(loop),
      fill_(options.payload_bytes - std::min(options.payload_bytes, kLoadPayloadMin), 'x'),
      run_(static_cast<uint32_t>(loop.random())) {}

Load::~Load() {
  // Whoever is closed now is closed by us.
  failure_ = "over";
  for (const auto& client : clients_) {
    if (client) client->abort();
  }
}

Result<LoadReport> Load::run() {
  runtime::raise_file_limit();
  make_clients();
  LoadReport report;
  report.clients = static_cast<unsigned>(clients_.size());
  const Mark before = mark();
  if (const Status status = connect_clients(); !status) return fail(status.error());
  if (options_.scenario == Scenario::connections) {
    fill_in_connections(report, before, mark());
    return report;
  }
  if (options_.scenario == Scenario::offline) {  // its sessions wait; now publishers come
    make_publishers();
    if (const Status status = connect_clients(); !status) return fail(status.error());
    report.clients = static_cast<unsigned>(clients_.size());
  }
  if (const Status status = measure(report); !status) return fail(status.error());
  if (!reads_later(options_.scenario)) return report;
  if (const Status status = read_back(report); !status) return fail(status.error());
  return report;
}

// Subscribers first: what is published before everyone listens would be lost.
void Load::make_clients() {
  switch (options_.scenario) {
    case Scenario::connections:
    case Scenario::offline:
      clients_.resize(options_.subscribers);  // each is made when its turn comes: they may be a million
      return;
    case Scenario::replay: return make_publishers();
    case Scenario::pairs:
    case Scenario::fan_out:
    case Scenario::fan_in: make_subscribers(); return make_publishers();
  }
}

void Load::make_subscribers() {
  const bool pairs = options_.scenario == Scenario::pairs;
  for (unsigned i = 0; i < (pairs ? options_.publishers : options_.subscribers); ++i) {
    const auto number = static_cast<unsigned>(clients_.size());
    auto client = std::make_unique<LoadSubscriber>(*this, number, LoadRole{.filter = topic_of(i), .qos = options_.qos, .same_as = {}},
                                                   pairs ? i : 0, pairs ? 1 : options_.publishers);
    subscribers_.push_back(client.get());
    clients_.push_back(std::move(client));
  }
}

void Load::make_publishers() {
  for (unsigned i = 0; i < options_.publishers; ++i) {
    auto client = std::make_unique<LoadPublisher>(*this, static_cast<unsigned>(clients_.size()), i, topic_of(i));
    publishers_.push_back(client.get());
    clients_.push_back(std::move(client));
  }
}

// Of publisher i.
std::string Load::topic_of(unsigned i) const {
  const bool shared = options_.scenario == Scenario::fan_in || options_.scenario == Scenario::fan_out;
  return fmt::format("{}/{:08x}/{}", options_.topics, run_, shared ? 0 : i);
}

LoadRole Load::role_of_idle(unsigned i) const {
  if (options_.scenario == Scenario::offline) {
    const std::string all = fmt::format("{}/{:08x}/+", options_.topics, run_);
    return {.filter = all, .qos = Guarantee::at_least_once, .persistent = true, .leaves = true, .same_as = {}};
  }
  const bool leaves = options_.persistent;
  return {.filter = topic_of(i), .qos = options_.qos, .persistent = leaves, .leaves = leaves, .same_as = {}};
}

Status Load::connect_clients() {
  phase_began_ns_ = runtime::monotonic_ns();
  std::size_t ready_before = ready_;
  int64_t deadline_ms = loop_.now_ms() + kConnectMs;
  while (connecting_ < kConnectingMax && next_ < clients_.size()) connect_next();
  while (ready_ < clients_.size() && failure_.empty()) {
    loop_.turn(100);
    tell_progress(LoadProgress::Phase::connecting, 0);
    if (std::exchange(ready_before, ready_) != ready_) deadline_ms = loop_.now_ms() + kConnectMs;
    if (loop_.now_ms() > deadline_ms) fail_once(fmt::format("{} of {} clients are ready, and no more for 60 s", ready_, clients_.size()));
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
  const auto start = [this, index](Result<std::unique_ptr<net::Stream>> stream) {
    if (!stream) return fail_once(stream.error().reason);
    if (!clients_[index]) {
      const auto number = static_cast<unsigned>(index);
      clients_[index] = std::make_unique<LoadClient>(*this, number, role_of_idle(number));
    }
    clients_[index]->start(std::move(*stream));
  };
  const auto done = [this, start](Result<std::unique_ptr<net::Stream>> stream) {
    if (!stream || options_.websocket_path.empty()) return start(std::move(stream));
    net::WebSocketRequest request{.host = fmt::format("{}:{}", options_.host, options_.port), .path = options_.websocket_path, .subprotocol = "mqtt", .timeout_ms = kConnectMs};
    net::connect_websocket(loop_, websocket_, std::move(*stream), std::move(request), start);
  };
  if (!options_.tls) return net::connect_tcp(loop_, options_.host, options_.port, options, done);
  net::connect_tls(loop_, tls_, options_.tls, options_.server_name, options_.host, options_.port, options, done);
}

void Load::on_ready() {
  ++ready_;
  --connecting_;
  if (next_ < clients_.size()) connect_next();
}

void Load::fail_once(std::string reason, mqtt::Reason refusal) {
  if (!failure_.empty()) return;
  failure_ = std::move(reason);
  refusal_ = refusal;
}

Load::Mark Load::mark() const {
  return {runtime::monotonic_ns(), delivered_, published_, acknowledged_,
          cpu_us_of(static_cast<unsigned>(::getpid())).value_or(0), cpu_us_of(options_.server_pid), process_rss_bytes(options_.server_pid)};
}

bool Load::may_send(uint64_t sent) const {
  return sending_ && failure_.empty() && (options_.messages == 0 || sent < options_.messages);
}

}  // namespace arena::client
