// Last values for who asks without a subscription: of one topic, or of many page by page.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "base/unique_function.h"
#include "broker/types.h"
#include "message/principal.h"

namespace arena::broker {

class Shard;

struct RetainedRequest {
  std::string filter;                 // valid; without wildcards: that topic
  std::string after;                  // behind this topic; empty: from the first
  std::size_t messages_max = 100;
  std::size_t bytes_max = 1 << 20;    // ends with the message that passes it
  std::optional<Principal> reader;    // who may not see all of them; none: an operator
};

struct RetainedPage {
  std::vector<MessageRef> items;      // in the order of the bytes of their topics
  bool more = false;                  // there were further ones when this was read
};

// What a subscriber to the filter would be sent as last values: none that has expired, or whose publisher may not publish it any more.
// On any core; answered there. Every match is looked at for each page.
void read_retained(Shard& shard, RetainedRequest request, UniqueFunction<void(RetainedPage)> done);

}  // namespace arena::broker
