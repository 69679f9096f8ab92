// The counters of all cores as Prometheus reads them: text exposition format 0.0.4.
#pragma once

#include <string>
#include <vector>

#include "net/stream.h"
#include "server/sys_topics.h"

namespace arena::server {

struct MetricsOf {
  const std::vector<CoreView>& cores;
  const net::OutputBudget& output;
  std::size_t streams = 0;
  int64_t uptime_ms = 0;
};

inline constexpr const char* kMetricsType = "text/plain; version=0.0.4; charset=utf-8";
std::string metrics_text(const MetricsOf& of);

}  // namespace arena::server
