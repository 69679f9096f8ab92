// The id of a server-sent event: how far each topic filter of a request has come in the streams that keep its topics. With it
// a client that lost its connection goes on where it was.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "broker/types.h"

namespace arena::gateway::http {

// Of one filter: the last offset seen of each log.
class Reached {
 public:
  Reached() = default;
  explicit Reached(broker::Places places) : places_(std::move(places)) {}
  void note(broker::LogName log, uint64_t offset);
  // False: it has come no further than the log's end.
  bool forget_beyond(broker::LogName log, uint64_t end);
  const broker::Places& places() const { return places_; }

 private:
  broker::Places places_;
};

// "1:0.1.3.42,0.1.4.7;;0.2.0.1": positions with ',' between, filters with ';'; never empty. Opaque to clients.
std::string event_id(const std::vector<Reached>& filters);
// nullopt: not the id of an event of so many filters.
std::optional<std::vector<Reached>> parse_event_id(std::string_view text, std::size_t filters);

}  // namespace arena::gateway::http
