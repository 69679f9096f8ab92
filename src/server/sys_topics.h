// The $SYS topics that people look for: counters of all cores, published as last values every few seconds.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "broker/shard.h"
#include "gateway/http/options.h"
#include "gateway/mqtt/options.h"
#include "net/stream.h"
#include "net/tls/core.h"
#include "net/websocket/core.h"
#include "runtime/loop.h"

namespace arena::server {

// One core's counters; they outlive the publisher and are read from its core (relaxed atomics).
struct CoreView {
  const broker::Counters* broker = nullptr;
  const gateway::mqtt::Counters* mqtt = nullptr;
  const net::TlsCounters* tls = nullptr;
  const gateway::http::Counters* http = nullptr;
  const net::WebSocketCounters* websocket = nullptr;
};

// Lives on one core. Values that have not changed are not published again.
class SysTopics {
 public:
  SysTopics(runtime::Loop& loop, broker::Shard& shard, std::vector<CoreView> cores, const net::OutputBudget& output,
            int64_t interval_ms);

 private:
  static void on_timer(void* self);
  void publish_all();
  void publish(const std::string& topic, std::string value);
  uint64_t sum(broker::Counter broker::Counters::*counter) const;
  uint64_t sum(broker::Counter gateway::mqtt::Counters::*counter) const;
  uint64_t sum(net::TlsCount net::TlsCounters::*counter) const;
  uint64_t sum(broker::Counter gateway::http::Counters::*counter) const;
  uint64_t sum(net::Count net::WebSocketCounters::*counter) const;
  uint64_t dropped() const;
  void publish_loads();

  runtime::Loop& loop_;
  broker::Shard& shard_;
  std::vector<CoreView> cores_;
  const net::OutputBudget& output_;
  int64_t interval_ms_;
  int64_t started_ms_;
  uint64_t clients_maximum_ = 0;
  // Moving averages per minute, over 1, 5 and 15 minutes, as uptime(1) makes them.
  struct Load {
    const char* name;
    uint64_t (*total)(const SysTopics&);
    uint64_t last = 0;
    double averages[3] = {0, 0, 0};
  };
  std::vector<Load> loads_;
  std::map<std::string, std::string> last_;
  runtime::Timer timer_;
};

}  // namespace arena::server
