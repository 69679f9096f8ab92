// What cores tell each other. One outbox per destination, in order, posted once per turn.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/hash.h"
#include "base/ref.h"
#include "base/unique_function.h"
#include "broker/types.h"

namespace arena::broker {

class Shard;

// A publish's key (PublishKey) as its topic's owner needs it.
struct PublishMark : RefCounted<PublishMark> {
  Hash128 key;           // of space, principal, topic and the id or the producer's name
  uint64_t content = 0;  // hash
  bool is_producer = false;
  uint32_t epoch = 0;
  uint64_t sequence = 0;
};
using PublishMarkRef = Ref<const PublishMark>;

struct SessionKey : RefCounted<SessionKey> {
  explicit SessionKey(std::string_view its_text) : text(its_text) {}
  const std::string text;
};
using SessionKeyRef = Ref<const SessionKey>;

// Where a receipt goes back to. One for each publish that goes through its topic's owner, so it is kept small.
struct Origin {
  SessionId session = 0;         // 0: nobody waits
  uint32_t attachment = 0;       // which connection of that session
  uint16_t tag = 0;              // exactly-once handshake; 0: none
  bool counted = false;          // the session counts it as owner-bound
  uint64_t cookie = 0;           // the gateway's; 0: no receipt wanted
  uint64_t incarnation = 0;
  SessionKeyRef session_key;     // with a tag only: stored with the handshake
  PublishMarkRef mark;           // null: none

  // What the session needs of it to take the receipt.
  Origin for_receipt() const { return {session, attachment, tag, counted, cookie, incarnation, {}, {}}; }
};

// A message as it is routed: with its place in the log if it has one.
struct Routed {
  MessageRef message;
  bool stored = false;
  LogName log;
  uint64_t offset = 0;
};

// A burst as it is routed on one core.
struct RoutedBurst {
  explicit RoutedBurst(BurstRef its_burst) : burst(std::move(its_burst)) {}
  const BurstRef burst;
  // Its messages one by one; made when first asked for, for all who ask.
  const std::vector<Routed>& singles();

 private:
  std::vector<Routed> singles_;
};

struct PublishMail {
  MessageRef message;
  Origin origin;
};

struct ReceiptMail {
  Origin origin;
  PartitionId partition = 0;
  Receipt receipt;
};

// Everything that is not on the message path.
using CallMail = UniqueFunction<void(Shard&)>;

using Mail = std::variant<Routed, BurstRef, PublishMail, ReceiptMail, CallMail>;

// Asked of the cores that own topics a filter can match.
struct InterestRequest {
  std::string filter;
  unsigned from = 0;             // core
  bool announce = false;         // first entry for this filter on that core: route to it from now on
  uint64_t reader = 0;           // != 0: durable interest of this session or group
  bool retained = false;         // snapshot the last values that match
  Places floors;                 // where the reader stands already: nothing above may be trimmed
};

struct InterestAnswer {
  Places ends;  // of the logs of this core's partitions it can reach
  std::vector<MessageRef> retained;
};

}  // namespace arena::broker
