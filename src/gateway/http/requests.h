// Requests to whoever answers on a topic: published with a response topic, answered with what is published there.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "broker/shard.h"
#include "gateway/http/event_seats.h"
#include "gateway/http/exchange.h"
#include "gateway/http/publishers.h"

namespace arena::gateway::http {

class Door;

// One core's. Each waits with a session of its own, which takes one of the places that followers have. The topic of its reply was made up
// for it, so no rule is asked whether it may read there; what it publishes is judged as anything that its principal does.
class Requests {
 public:
  // All outlive it.
  Requests(Door& door, broker::Shard& shard, Publishers& publishers, EventSeats& seats);
  ~Requests();

  // POST /v1/request/{topic}
  void ask(const ExchangeRef& exchange);
  std::size_t waiting() const { return requests_.size(); }

 private:
  class Request;
  void bury(uint64_t id);

  Door& door_;
  broker::Shard& shard_;
  Publishers& publishers_;
  EventSeats& seats_;
  uint64_t next_id_ = 1;
  std::unordered_map<uint64_t, std::unique_ptr<Request>> requests_;
  std::vector<std::unique_ptr<Request>> dead_;
};

void add_request_routes(Door& door, Requests& requests);

}  // namespace arena::gateway::http
