// arena_stress [--clients N] [--ids N] [--operations N] [--seed S]: see README.md.
#include <signal.h>
#include <sys/resource.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/log.h"
#include "server/server.h"
#include "stress/aftermath.h"
#include "stress/storm.h"

namespace {

using arena::stress::Checks;
using arena::stress::SocketClient;
using arena::stress::Storm;
using arena::stress::StormOptions;

constexpr std::size_t kDrivers = 2;
constexpr std::size_t kSpareConnections = 8;
constexpr int64_t kReloadEveryMs = 20;
constexpr int64_t kStormMaxMs = 40'000;

struct Arguments {
  std::size_t clients = 1000;
  unsigned ids = 50;
  uint64_t operations = 50'000;
  uint64_t seed = 1;
};

// Every other policy forbids a part of the topics.
arena::server::LiveSettings live_settings(uint32_t epoch, std::size_t clients) {
  arena::access::Policy::Options options;
  options.epoch = epoch;
  options.default_allow = true;
  std::vector<arena::access::Rule> rules;
  if (epoch % 2 == 0) {
    arena::access::Rule rule;
    rule.allow = false;
    rule.publish = rule.subscribe = true;
    rule.filter = "s/7/#";
    rules.push_back(rule);
  }
  arena::server::LiveSettings live;
  live.policy = arena::access::Policy::make(std::move(rules), options).value();
  live.auth = std::make_shared<const arena::access::AuthSettings>();
  auto mqtt = std::make_shared<arena::gateway::mqtt::Options>();
  mqtt->connections_max = clients + kSpareConnections;
  mqtt->half_open_max = clients + kSpareConnections;
  mqtt->connect_timeout_ms = 2000;
  mqtt->topic_alias_max = epoch % 2 == 0 ? 8 : 32;
  live.mqtt = std::move(mqtt);
  return live;
}

arena::server::Settings settings_for(std::size_t clients) {
  arena::server::Settings settings;
  settings.threads = 2;
  settings.mqtt_endpoints = {arena::server::Endpoint{"127.0.0.1", 0}};
  settings.sys_interval_ms = 100;
  settings.broker.cursor_flush_ms = 50;
  settings.live = live_settings(1, clients);
  return settings;
}

// The storms of one scenario, a thread each.
class Storms {
 public:
  Storms(const Arguments& arguments, uint16_t port) {
    for (std::size_t driver = 0; driver < kDrivers; ++driver) {
      StormOptions options;
      options.clients = arguments.clients / kDrivers;
      options.ids = arguments.ids;
      options.operations = arguments.operations / kDrivers;
      options.seed = arguments.seed * 100 + driver;
      options.port = port;
      options.within_ms = kStormMaxMs;
      storms_.push_back(std::make_unique<Storm>(options));
    }
    for (const auto& storm : storms_) {
      threads_.emplace_back([this, raging = storm.get()] {
        raging->run(stop_);
        ++ended_;
      });
    }
  }
  ~Storms() { stop(); }

  bool raging() const { return ended_ < kDrivers; }
  void stop() {
    stop_ = true;
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
  }
  uint64_t operations() const {
    uint64_t n = 0;
    for (const auto& storm : storms_) n += storm->operations_done();
    return n;
  }
  void calm() {
    for (const auto& storm : storms_) storm->calm();
  }
  void check_faults(Checks& checks) const {
    std::size_t faults = 0;
    for (const auto& storm : storms_) {
      for (const std::string& fault : storm->faults()) {
        ++faults;
        std::printf("  %s\n", fault.c_str());
      }
    }
    checks.expect(faults == 0, "the server keeps to the protocol");
  }
  void print_tally() const {
    std::map<std::string, uint64_t> total;
    for (const auto& storm : storms_) {
      for (const auto& [what, times] : storm->tally()) total[what] += times;
    }
    for (const auto& [what, times] : total) std::printf("  %-40s %llu\n", what.c_str(), static_cast<unsigned long long>(times));
  }

 private:
  std::atomic<bool> stop_{false};
  std::atomic<std::size_t> ended_{0};
  std::vector<std::unique_ptr<Storm>> storms_;
  std::vector<std::thread> threads_;
};

int64_t now_ms() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000 + now.tv_nsec / 1'000'000;
}

// Returns after how many milliseconds drain came back.
int64_t timed_drain(arena::server::Server& server, int64_t within_ms) {
  const int64_t before_ms = now_ms();
  server.drain(within_ms);
  return now_ms() - before_ms;
}

// Says what each step took.
class Watch {
 public:
  void lap(const char* what) {
    const int64_t now = now_ms();
    std::printf("%-28s %6lld ms\n", what, static_cast<long long>(now - last_ms_));
    last_ms_ = now;
  }

 private:
  int64_t last_ms_ = now_ms();
};

// To the end of the storm, with reloads; then everything must be as if nothing had been.
void storm_to_its_end(const Arguments& arguments, Checks& checks) {
  arena::server::Server server(settings_for(arguments.clients));
  if (!checks.expect(server.start().ok(), "the server starts")) return;
  const uint16_t port = server.endpoints().front().port;
  Watch watch;
  Storms storms(arguments, port);
  uint32_t epoch = 1;
  while (storms.raging()) {
    server.reload(live_settings(++epoch, arguments.clients));
    arena::runtime::pause_thread_ms(kReloadEveryMs);
  }
  storms.stop();
  watch.lap("the storm");
  server.reload(live_settings(epoch | 1, arguments.clients));
  checks.expect(storms.operations() >= arguments.operations,
                "the storm ends in time: " + std::to_string(storms.operations()) + " operations");
  storms.print_tally();
  storms.check_faults(checks);
  checks.expect(epoch > 5, "the policy was swapped in the storm");
  check_fresh_clients(checks, port);
  watch.lap("fresh clients");
  storms.calm();
  check_sessions_drain(checks, port, arguments.ids);
  watch.lap("draining the sessions");
  check_counters(checks, port);
  watch.lap("counters");
  std::vector<std::unique_ptr<SocketClient>> crowd;
  check_all_places_free(checks, port, crowd, arguments.clients);
  watch.lap("a crowd");
  const int64_t took_ms = timed_drain(server, 10'000);
  watch.lap("drain");
  checks.expect(took_ms < 9'000, "drain returns before its time is over: " + std::to_string(took_ms) + " ms");
  std::size_t told = 0;
  for (const auto& client : crowd) {
    client->serve();
    told += client->goodbye() == arena::mqtt::Reason::server_shutting_down ? 1 : 0;
  }
  checks.expect(told == crowd.size(), "every client was told goodbye: " + std::to_string(told) + " of " +
                                          std::to_string(crowd.size()));
  checks.expect(!server.failed(), "the store did not fail");
}

void drain_in_the_storm(const Arguments& arguments, Checks& checks) {
  arena::server::Server server(settings_for(arguments.clients));
  if (!checks.expect(server.start().ok(), "the server starts")) return;
  Storms storms(arguments, server.endpoints().front().port);
  arena::runtime::pause_thread_ms(1000);
  // Clients that do not read their goodbye, or have said nothing yet, may use up the time; nothing may exceed it.
  const int64_t took_ms = timed_drain(server, 3000);
  std::printf("%-28s %6lld ms\n", "drain in the storm", static_cast<long long>(took_ms));
  checks.expect(took_ms < 6000, "drain in the storm takes its time and no more: " + std::to_string(took_ms) + " ms");
  storms.stop();
  storms.check_faults(checks);
}

void end_in_the_storm(const Arguments& arguments, Checks& checks) {
  auto server = std::make_unique<arena::server::Server>(settings_for(arguments.clients));
  if (!checks.expect(server->start().ok(), "the server starts")) return;
  Storms storms(arguments, server->endpoints().front().port);
  arena::runtime::pause_thread_ms(500);
  server.reset();
  checks.expect(true, "a server ends in the storm");
  storms.stop();
  storms.check_faults(checks);
}

// Both ends of every connection are in this process.
bool allow_descriptors(std::size_t clients) {
  const rlim_t needed = clients * 2 + 200;
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  if (limit.rlim_cur >= needed) return true;
  limit.rlim_cur = std::min<rlim_t>(needed, limit.rlim_max);
  return limit.rlim_cur >= needed && setrlimit(RLIMIT_NOFILE, &limit) == 0;
}

bool parse(int argc, char** argv, Arguments& out) {
  for (int i = 1; i < argc; i += 2) {
    if (i + 1 == argc) return false;
    const uint64_t value = std::strtoull(argv[i + 1], nullptr, 10);
    if (std::strcmp(argv[i], "--clients") == 0) {
      out.clients = value;
    } else if (std::strcmp(argv[i], "--ids") == 0) {
      out.ids = static_cast<unsigned>(value);
    } else if (std::strcmp(argv[i], "--operations") == 0) {
      out.operations = value;
    } else if (std::strcmp(argv[i], "--seed") == 0) {
      out.seed = value;
    } else {
      return false;
    }
  }
  return out.clients >= kDrivers && out.ids >= 1;
}

}  // namespace

int main(int argc, char** argv) {
  Arguments arguments;
  if (!parse(argc, argv, arguments)) {
    std::fprintf(stderr, "usage: arena_stress [--clients N] [--ids N] [--operations N] [--seed S]\n");
    return 2;
  }
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  signal(SIGPIPE, SIG_IGN);
  arena::log::configure(arena::log::Level::warn, arena::log::Format::automatic);
  Checks checks;
  if (checks.expect(allow_descriptors(arguments.clients), "the system grants enough file descriptors")) {
    storm_to_its_end(arguments, checks);
    drain_in_the_storm(arguments, checks);
    end_in_the_storm(arguments, checks);
  }
  arena::log::flush();
  std::printf("%zu passed, %zu failed\n", checks.passed(), checks.failed());
  return checks.failed() == 0 ? 0 : 1;
}
