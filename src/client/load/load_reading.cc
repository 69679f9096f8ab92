// Reading what was published before: by sessions that come back, or from a stream.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "client/load/load.h"
#include "runtime/clock.h"

namespace arena::client {

namespace {
constexpr int64_t kSilenceMs = 10'000;
constexpr int64_t kLastWordMs = 60'000;
}  // namespace

Status Load::read_back(LoadReport& report) {
  if (options_.readers != 0) report.read.emplace();
  // Of a stream one reader after the other; sessions come back together.
  const bool stream = options_.scenario == Scenario::replay;
  const unsigned rounds = stream ? options_.readers : std::min(options_.readers, 1U);
  for (unsigned round = 0; round < rounds; ++round) {
    if (round > 0) turn_until(loop_.now_ms() + options_.pause_ms);
    if (Status status = read_once(stream ? 1 : std::min(options_.readers, options_.subscribers), report); !status) return status;
  }
  for (const LoadSubscriber* subscriber : subscribers_) subscriber->add_to(report);
  if (stream || options_.keep) return Unit{};
  return remove_sessions();
}

LoadRole Load::role_of_reader(unsigned i) const {
  if (options_.scenario == Scenario::replay) {
    return {.filter = fmt::format("$replay/earliest/{}/{:08x}/+", options_.topics, run_), .qos = options_.qos, .same_as = {}};
  }
  return {.filter = {}, .qos = Guarantee::at_least_once, .persistent = true, .same_as = i};
}

Status Load::read_once(unsigned count, LoadReport& report) {
  const Mark begin = mark();
  for (unsigned i = 0; i < count; ++i) {
    const auto number = static_cast<unsigned>(clients_.size());
    auto client = std::make_unique<LoadSubscriber>(*this, number, role_of_reader(i), 0, options_.publishers);
    subscribers_.push_back(client.get());
    clients_.push_back(std::move(client));
  }
  if (Status status = connect_clients(); !status) return status;
  const Mark end = turn_until_read(begin.delivered + all_sent() * count);
  if (Status status = await_last_words(); !status) return status;
  ReadReport& read = *report.read;
  const double cpu_before = read.server_cpu_us.value_or(0) * static_cast<double>(read.delivered);
  const uint64_t delivered = end.delivered - begin.delivered;
  read.delivered += delivered;
  read.seconds += static_cast<double>(end.at_ns - begin.at_ns) * 1e-9;
  read.per_second = static_cast<double>(read.delivered) / read.seconds;
  if (begin.server_cpu_us && end.server_cpu_us) {
    read.server_cpu_us = (cpu_before + *end.server_cpu_us - *begin.server_cpu_us) / std::max(static_cast<double>(read.delivered), 1.0);
  }
  return Unit{};
}

uint64_t Load::all_sent() const {
  uint64_t sent = 0;
  for (const LoadPublisher* publisher : publishers_) sent += publisher->sent();
  return sent;
}

void Load::turn_until(int64_t at_ms) {
  while (failure_.empty() && loop_.now_ms() < at_ms) loop_.turn(at_ms - loop_.now_ms());
}

// Ends, too, when nothing comes any more: what is missing is counted as lost.
Load::Mark Load::turn_until_read(uint64_t wanted) {
  phase_began_ns_ = runtime::monotonic_ns();
  uint64_t before = delivered_;
  int64_t deadline_ms = loop_.now_ms() + kSilenceMs;
  while (failure_.empty() && delivered_ < wanted && loop_.now_ms() < deadline_ms) {
    loop_.turn(50);
    if (std::exchange(before, delivered_) != delivered_) deadline_ms = loop_.now_ms() + kSilenceMs;
    tell_progress(LoadProgress::Phase::reading, 0);
  }
  return mark();
}

// What comes too much is behind the last that was waited for.
Status Load::await_last_words() {
  for (LoadSubscriber* subscriber : subscribers_) subscriber->ask_for_last_word();
  const int64_t deadline_ms = loop_.now_ms() + kLastWordMs;
  const auto all_said = [this] {
    return std::all_of(subscribers_.begin(), subscribers_.end(), [](const LoadSubscriber* s) { return s->has_last_word(); });
  };
  while (failure_.empty() && !all_said() && loop_.now_ms() < deadline_ms) loop_.turn(50);
  if (failure_.empty() && !all_said()) fail_once("the server does not answer a reader's ping");
  return failure_.empty() ? Status(Unit{}) : fail_with(failure_);
}

// A clean start ends each session; a reader's connection is taken over by it.
Status Load::remove_sessions() {
  leaving_ = true;
  for (unsigned i = 0; i < options_.subscribers; ++i) {
    const auto number = static_cast<unsigned>(clients_.size());
    clients_.push_back(std::make_unique<LoadClient>(*this, number, LoadRole{.filter = {}, .leaves = true, .same_as = i}));
  }
  return connect_clients();
}

}  // namespace arena::client
