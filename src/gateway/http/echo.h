// WebSockets that say what they are told: for suites that test the protocol. One core's.
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "codec/websocket/deflate.h"
#include "codec/websocket/message_reader.h"
#include "gateway/http/upgrade.h"
#include "runtime/loop.h"

namespace arena::gateway::http {

class Echo;

class Echoes {
 public:
  // The limits outlive it, and its connections.
  Echoes(runtime::Loop& loop, const websocket::MessageLimits& limits);
  ~Echoes();
  Echoes(const Echoes&) = delete;
  Echoes& operator=(const Echoes&) = delete;

  // Answers a request for one. Compression is agreed to: who asks is known.
  void answer(const ExchangeRef& exchange);
  std::size_t connections() const { return connections_.size(); }
  // Says goodbye to all.
  void shut();

  // ---- for connections ----
  const websocket::MessageLimits& limits() const { return limits_; }
  // Destroys it at the end of this turn.
  void bury(Echo& echo);

 private:
  void add(Upgraded upgraded, const WebSocketAgreement& agreed);

  runtime::Loop& loop_;
  const websocket::MessageLimits& limits_;
  uint64_t next_id_ = 1;
  boost::unordered_flat_map<uint64_t, std::unique_ptr<Echo>> connections_;
  std::vector<std::unique_ptr<Echo>> dead_;
};

}  // namespace arena::gateway::http
