// Many messages in one request: a JSON array, or one JSON object a line (NDJSON).
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "gateway/http/publish.h"

namespace arena::gateway::http {

// An item of a batch, or what is wrong with it.
struct Item {
  Draft draft;
  std::optional<Fault> fault;
};

// The items of the body, in their order. A fault: it is no batch at all.
std::optional<Fault> read_batch(std::string_view body, bool one_a_line, std::size_t items_max, const MessageLimits& limits, std::vector<Item>& items);

std::optional<Fault> too_many(std::size_t items_max);
// Answered when each item is: 200 with a result for each, in their order.
void publish_items(Door& door, Publishers& publishers, const ExchangeRef& exchange, std::vector<Item> items);
// Reads them from the body first.
void publish_batch(Door& door, Publishers& publishers, const ExchangeRef& exchange);

}  // namespace arena::gateway::http
