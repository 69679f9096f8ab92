// Which paths HTTP has, and what is behind them, on each core.
#pragma once

#include <atomic>
#include <vector>

#include "access/tickets.h"
#include "broker/shard.h"
#include "gateway/http/events.h"
#include "gateway/http/publishers.h"
#include "gateway/http/requests.h"
#include "net/stream.h"
#include "server/api/api.h"
#include "server/sys_topics.h"

namespace arena::server {

// All of it outlives the routes.
struct WebWorld {
  runtime::Loop& loop;
  broker::Shard& shard;
  Api& api;
  gateway::http::Publishers& publishers;
  gateway::http::Events& events;
  gateway::http::Requests& requests;
  const access::Tickets& tickets;
  std::vector<CoreView> cores;
  const net::OutputBudget& output;
  const std::atomic<bool>& failed;  // the store has
};

void add_web_routes(gateway::http::Door& door, const WebWorld& world);

}  // namespace arena::server
