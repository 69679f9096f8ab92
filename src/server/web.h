// Which paths HTTP has, and what is behind them, on each core.
#pragma once

#include <atomic>
#include <vector>

#include "broker/shard.h"
#include "gateway/http/router.h"
#include "net/stream.h"
#include "server/api/api.h"
#include "server/sys_topics.h"

namespace arena::server {

// All of it outlives the routes.
struct WebWorld {
  runtime::Loop& loop;
  broker::Shard& shard;
  Api& api;
  std::vector<CoreView> cores;
  const net::OutputBudget& output;
  const std::atomic<bool>& failed;  // the store has
};

void add_web_routes(gateway::http::Router& router, const WebWorld& world);

}  // namespace arena::server
