// Reads what a stream holds page by page, for who looks at it without a subscription.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_function.h"
#include "broker/gap.h"
#include "broker/stream/stream.h"
#include "broker/types.h"

namespace arena::broker {

class Shard;

struct PageRequest {
  std::string stream;                   // its name
  ReplayFrom from;
  std::string filter;                   // valid; empty: all topics
  std::size_t messages_max = 100;
  std::size_t bytes_max = 1 << 20;      // ends with the message that passes it
};

struct PageItem {
  LogName log;
  uint64_t offset = 0;
  MessageRef message;
};

struct Page {
  std::vector<PageItem> items;
  Places next;           // the next page begins after these; a partition of which nothing is known yet is not named
  bool more = false;     // there was more when this was read, even if `items` is empty
  Missing missing;       // of what was asked for: deleted before the first, or damaged before `next`; whatever their topic
};

// The messages of one partition come in their order, so those of one topic do; what lies in several partitions is merged
// by publish time. That holds from page to page. On any core; answered there. Expired messages are left out.
void read_page(Shard& shard, PageRequest request, UniqueFunction<void(Result<Page>)> done);

}  // namespace arena::broker
