// Server-sent events: what is published under some filters, to one client, as it comes. What streams keep is read from them,
// so that a slow client or one that comes back misses nothing of it; the rest comes like to any subscriber.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "broker/shard.h"
#include "gateway/http/exchange.h"
#include "runtime/loop.h"

namespace arena::gateway::http {

class Door;
class EventStream;

// One core's.
class Events {
 public:
  // Something is sent at least so often, so that whoever is between does not take the connection for dead.
  static constexpr int64_t kHeartbeatMs = 15'000;
  // So long a client may take nothing while something waits for it.
  static constexpr int64_t kStuckMs = 2 * kHeartbeatMs;

  // Both outlive it.
  Events(Door& door, broker::Shard& shard);
  ~Events();

  // GET /v1/events?topic=…&topic=…
  void open(const ExchangeRef& exchange);
  std::size_t streams() const { return streams_.size(); }

  // ---- for its streams ----
  Door& door() { return door_; }
  broker::Shard& shard() { return shard_; }
  EventStream* find(uint64_t id) const;
  void bury(uint64_t id);

 private:
  Door& door_;
  broker::Shard& shard_;
  uint64_t next_id_ = 1;
  std::unordered_map<uint64_t, std::unique_ptr<EventStream>> streams_;
  std::vector<std::unique_ptr<EventStream>> dead_;
};

void add_event_routes(Door& door, Events& events);

}  // namespace arena::gateway::http
