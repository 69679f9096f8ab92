// For tests: what follows topics by request, on core 0 of a simulated broker.
#pragma once

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "gateway/http/events.h"
#include "gateway/http/test_web.h"

namespace arena::gateway::http::test {

struct EventWorld {
  explicit EventWorld(unsigned cores = 1, Options options = {}) : web(std::move(options), std::make_shared<const access::AuthSettings>(), cores) {
    add_event_routes(web.door, events);
    EXPECT_TRUE(source.connect());
  }
  void publish(const std::string& topic, const std::string& payload) { source.publish(topic, payload, Guarantee::at_least_once); }

  WebWorld web;
  EventSeats seats;
  Events events{web.door, web.broker.shard(0), seats};
  broker::test::Peer source{web.broker, "source"};
};

}  // namespace arena::gateway::http::test
