// What is published under some filters, to one client, as it comes: by server-sent events, or by one answer after the other. What
// streams keep is read from them, so that a slow client or one that comes back misses nothing of it; the rest comes like to any
// subscriber.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "broker/shard.h"
#include "gateway/http/event_seats.h"
#include "gateway/http/exchange.h"
#include "gateway/http/shown_messages.h"
#include "message/message.h"
#include "runtime/loop.h"

namespace arena::gateway::http {

class Door;
class Follower;
struct EventOrder;

// One core's.
class Events {
 public:
  // Something is sent at least so often, so that whoever is between does not take the connection for dead.
  static constexpr int64_t kHeartbeatMs = 15'000;
  // So long a client may take nothing while something waits for it.
  static constexpr int64_t kStuckMs = 2 * kHeartbeatMs;

  // All outlive it.
  Events(Door& door, broker::Shard& shard, EventSeats& seats);
  ~Events();

  // GET /v1/events?topic=…&topic=…
  void open(const ExchangeRef& exchange);
  // GET /v1/topics/{topic}?after=…
  void poll(const ExchangeRef& exchange);
  std::size_t followers() const { return followers_.size(); }

  // ---- for its followers ----
  Door& door() { return door_; }
  broker::Shard& shard() { return shard_; }
  Follower* find(uint64_t id) const;
  void bury(uint64_t id);
  // A message as its JSON, made once for all who are told of it. Valid until the next call.
  const std::string& shown(const MessageRef& message, const std::string& position);

 private:
  // So long they are kept at most.
  static constexpr int64_t kShownMs = 1000;
  static void forget_shown(void* self);
  template <typename Kind, typename... More>
  void follow(const ExchangeRef& exchange, EventOrder order, const More&... more);

  Door& door_;
  broker::Shard& shard_;
  EventSeats& seats_;
  uint64_t next_id_ = 1;
  std::unordered_map<uint64_t, std::unique_ptr<Follower>> followers_;
  std::vector<std::unique_ptr<Follower>> dead_;
  ShownMessages shown_;
  runtime::Timer forget_shown_;
};

void add_event_routes(Door& door, Events& events);

}  // namespace arena::gateway::http
