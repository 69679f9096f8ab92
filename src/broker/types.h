// What gateways and the broker say to each other. The broker owns both directions: gateways call Shard and
// Session, the broker calls SessionSink. No word of any protocol.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/text.h"
#include "engine/store.h"
#include "message/burst.h"
#include "message/message.h"
#include "message/principal.h"
#include "message/slow_policy.h"

namespace arena::broker {

using engine::LogId;
using engine::LogName;
using engine::PartitionId;
using Places = std::vector<std::pair<LogName, uint64_t>>;  // an offset in each of some logs

class Session;

// What an acknowledged, stored message survives: the process at most, or its end too.
enum class Level : uint8_t { memory, disk };

// Limits and periods; server/ fills them from the configuration.
struct Options {
  PartitionId partitions = 16;
  Level level = Level::memory;                               // of the store
  std::size_t subscriptions_per_session_max = 1024;
  std::size_t inflight_per_session_max = 1024;               // deliveries awaiting settlement
  std::size_t queued_bytes_per_session_max = 8 << 20;        // waiting in memory for one session
  std::size_t queued_bytes_max = std::size_t{1} << 30;       // for all sessions; above it little for each
  SlowPolicy slow_policy = SlowPolicy::drop_oldest;          // of subscriptions that neither client nor rule gives one
  std::size_t retained_messages_max = 1'000'000;
  std::size_t retained_bytes_max = std::size_t{1} << 30;
  std::size_t inbox_bytes_max = std::size_t{1} << 30;        // all partitions together
  std::size_t published_bytes_max = 64 << 20;                // remembered of ids and producers, all partitions together
  int64_t published_horizon_ms = 3'600'000;                  // an id is remembered so long, if there is room
  std::size_t streams_max = 64;
  std::size_t stream_bytes_max = std::size_t{8} << 30;       // all streams together
  std::size_t cross_core_bytes_max = 16 << 20;               // posted to one core and not yet handled
  std::size_t log_read_bytes = 256 << 10;                    // a reader that is behind gets about so much at once
  uint32_t session_expiry_max_s = 7 * 24 * 3600;             // kNever: no ceiling
  int64_t cursor_flush_ms = 1000;                            // settled work is written at the latest after this
  std::size_t cursor_flush_settled = 1000;                   // ... or after so many settlements
};

inline constexpr uint32_t kNever = UINT32_MAX;  // a session expiry

// Names a session anywhere; its core is in the top bits. Never reused. 0: none (the broker itself).
using SessionId = uint64_t;
inline unsigned core_of(SessionId id) { return static_cast<unsigned>(id >> 48); }

enum class Outcome : uint8_t {
  ok,
  no_match,    // accepted; nobody is subscribed
  denied,      // the policy says no
  conflict,    // something else was published under this id
  unknown_producer,  // it is not known, or was forgotten, or another has its name with a higher epoch
  quota,       // a stated limit is reached, or the store is full; nothing was published
  failed,      // the store failed; nothing may be assumed
};

// By what a publisher's repetition of a publish is known: an id of its choosing, within a horizon; or a producer's rising
// sequence, which has none. Both are of one principal and one topic.
struct PublishKey {
  std::string id;
  std::string producer;       // its first publish to a topic, of each epoch, has sequence 1
  uint32_t epoch = 0;
  uint64_t sequence = 0;
};

// What a publisher gets back.
struct Receipt {
  Outcome outcome = Outcome::ok;
  Level level = Level::memory;
  bool duplicate = false;  // this exactly-once publish was taken before
  std::optional<Position> position;
  LogId log = LogId::inbox;  // of the position
};

enum class EndReason : uint8_t {
  taken_over,       // the same identity connected again
  kicked,           // by an operator
  shutting_down,
  queue_full,       // a bound of this session was reached, and what it is to get may not be dropped
  store_failed,
};

enum class RetainedOnSubscribe : uint8_t { always = 0, if_new = 1, never = 2 };

struct SubscribeRequest {
  Text filter;                         // valid; without the group prefix
  Text group;                          // empty: not shared
  uint32_t id = 0;                     // the subscriber's own label, echoed on deliveries; 0: none
  Guarantee granted = Guarantee::at_most_once;
  bool no_local = false;
  bool keep_retained_flag = false;     // forwarded copies keep the publisher's retain flag
  bool positions = false;              // deliveries say where their message is stored
  RetainedOnSubscribe retained = RetainedOnSubscribe::always;
  std::optional<SlowPolicy> slow;      // unset: as the policy or the options say; set from then on
};

// Where a replay of streams begins.
struct ReplayFrom {
  enum class Kind : uint8_t { earliest, latest, offset, time, after };
  Kind kind = Kind::earliest;
  uint64_t offset = 0;                 // in each partition
  int64_t time_ms = 0;                 // Unix: the first published then or later
  Places after;                        // what follows these; logs that are not named from their beginning
};

// A subscription as it is asked for. With `from` it is a replay: what the streams that the filter reaches hold from there
// on, then what is published. It lasts as long as its connection.
struct SubscribeOrder : SubscribeRequest {
  SubscribeOrder() = default;
  SubscribeOrder(SubscribeRequest request) : SubscribeRequest(std::move(request)) {}
  std::optional<ReplayFrom> from;
  std::string replay_name;             // what to call it when unsubscribing
};

enum class SubscribeStatus : uint8_t {
  granted,
  denied,
  quota,
  failed,
  no_stream,  // a replay of what no stream captures
};
struct SubscribeOutcome {
  SubscribeStatus status = SubscribeStatus::granted;
  Guarantee granted = Guarantee::at_most_once;
};

// One message on its way out. Views hold during the call.
struct Delivery {
  const MessageRef& message;
  Guarantee guarantee = Guarantee::at_most_once;
  uint16_t tag = 0;          // names the delivery until it is settled; 0 at at_most_once
  bool redelivered = false;
  bool retained = false;     // what the retain flag shall say
  std::span<const uint32_t> subscription_ids;
  // Where the message is stored, for those who asked; not every message is.
  const std::pair<LogName, uint64_t>* position = nullptr;
};

enum class DeliverResult : uint8_t {
  sent,
  unfit,  // this subscriber can never take it (too large for it): counted, and done with
};

// Where a session's connection comes from, for who looks after the broker.
struct Contact {
  std::string_view protocol;  // with its version; a literal
  std::string address;        // and port; empty: several, or none
};

// Implemented by a gateway's connection; lives on the session's core. Calls may come from inside calls to the
// session. After closed() the session forgets the sink.
class SessionSink {
 public:
  virtual ~SessionSink() = default;
  virtual void opened(Session& session, bool present) = 0;
  virtual void open_refused(Outcome reason) = 0;  // denied: the will; the sink is forgotten
  virtual DeliverResult deliver(const Delivery& delivery) = 0;
  // All messages of the burst, at most once. False: none was taken; they come one by one then.
  virtual bool deliver_burst(const BurstRef&) { return false; }
  // False: the way out is full; the session waits until its owner calls Session::resume().
  virtual bool ready() const = 0;
  // The receiver has the message (stage received): tell it to let go. Answered by Session::settle().
  virtual void release(uint16_t tag, bool redelivered) = 0;
  virtual void published(uint64_t cookie, const Receipt& receipt) = 0;
  // The inbound exactly-once handshake `tag` has ended; known: it was open.
  virtual void released(uint64_t cookie, bool known) = 0;
  virtual void subscribed(uint64_t cookie, std::span<const SubscribeOutcome> outcomes) = 0;
  virtual void unsubscribed(uint64_t cookie, std::span<const bool> existed) = 0;
  virtual void closed(EndReason reason) = 0;
  virtual Contact contact() const { return {}; }
};

struct Will {
  MessageRef message;
  uint32_t delay_s = 0;
  uint32_t lifetime_s = 0;  // counted from when it is published; 0: no expiry
};

struct OpenRequest {
  Principal principal;
  std::string client_id;
  bool clean_start = true;
  uint32_t expiry_s = 0;              // after the connection ends; kNever allowed
  std::optional<Will> will;
  std::size_t inflight_max = 65535;   // what the receiver can take unsettled; capped by Options
};

// How a connection ended, as far as the session is concerned.
enum class DetachKind : uint8_t {
  clean,        // the client said goodbye: no will
  clean_with_will,
  abrupt,
};

// (namespace, principal, client id) as one string: never by client id alone.
std::string session_key(const Principal& principal, std::string_view client_id);

}  // namespace arena::broker
