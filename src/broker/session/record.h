// A session as it is stored in its partition: CURSORS.md 1. Decoded only at recovery.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "broker/types.h"

namespace arena::broker {

struct SubscriptionRecord {
  SubscribeRequest request;
  std::vector<std::pair<LogName, uint64_t>> born;  // per log: records below are not mine through it
};

struct CursorRecord {
  LogName log;
  uint64_t floor = 0;
  std::vector<uint64_t> settled;  // above the floor
};

// An exactly-once delivery that has a tag: the tag survives, so that the receiver can recognise it.
struct WindowRecord {
  uint16_t tag = 0;
  bool received = false;         // only its release is left to do
  LogName log;
  uint64_t offset = 0;
  bool stored = false;           // the place is that of my own record in the log
};

struct SessionRecord {
  Principal principal;
  std::string client_id;
  uint64_t incarnation = 0;
  uint32_t epoch = 0;            // rises with each connection
  uint32_t expiry_s = 0;
  bool connected = false;        // a connection stood when this was written
  std::vector<SubscriptionRecord> subscriptions;
  std::vector<CursorRecord> cursors;
  std::vector<WindowRecord> window;
  std::optional<Will> will;
};

std::string encode(const SessionRecord& record);
Result<SessionRecord> decode_session(std::string_view bytes);

// A shared group: where it stands in the log.
struct GroupRecord {
  std::string space;
  std::string group;
  std::string filter;
  std::vector<std::pair<LogName, uint64_t>> born;
  std::vector<CursorRecord> cursors;
};

std::string encode(const GroupRecord& record);
Result<GroupRecord> decode_group(std::string_view bytes);

}  // namespace arena::broker
