// A subscriber and publisher as the broker knows it, with or without a connection: its subscriptions, what waits
// for it, what is on its way to it, and where it stands in the log. CURSORS.md.
//
// Lives on its home core: the owner of the partition its key hashes to. All calls there.
#pragma once

#include <algorithm>
#include <boost/unordered/unordered_flat_map.hpp>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "access/policy.h"
#include "base/lazy.h"
#include "base/ring.h"
#include "broker/counters.h"
#include "broker/group.h"
#include "broker/mail.h"
#include "broker/replay.h"
#include "broker/session/feed.h"
#include "broker/session/last_values.h"
#include "broker/session/subscriptions.h"
#include "broker/session/transient_queue.h"
#include "broker/session/window.h"
#include "broker/types.h"

namespace arena::broker {

// What the subscriptions of one session that match a message come to.
struct Merged {
  Guarantee guarantee = Guarantee::at_most_once;
  bool retained = false;
  bool durable = false;           // through a durable subscription: the cursor decides
  bool positions = false;
  SlowPolicy slow = SlowPolicy::drop_oldest;
  uint32_t replay = 0;            // through that one alone
  std::vector<uint32_t> ids;
};

class Session final : public Reader {
 public:
  Session(Shard& shard, SessionId id, const OpenRequest& request);
  ~Session() override;

  // ---- for the gateway ----
  // After opened(), once the gateway has told its peer: sends what is outstanding, then what waits.
  void start();
  // `message` has topic, payload, extras, expires_ms, guarantee, retain set; the rest is stamped here. tag: the
  // exactly-once handshake, 0 for other guarantees. cookie 0: no receipt wanted. The receipt may come from inside.
  // known_by: what tells a repetition of it; null: nothing does.
  void publish(std::unique_ptr<Message> message, uint16_t tag, uint64_t cookie, const PublishKey* known_by = nullptr);
  // The same for several at most once. The burst's head is stamped here.
  void publish(std::unique_ptr<Burst> burst);
  // Ends the inbound exactly-once handshake; answered by SessionSink::released.
  void release(uint16_t tag, uint64_t cookie);
  // Filters are treated one after the other; one answer for all.
  void subscribe(std::vector<SubscribeOrder> orders, uint64_t cookie);
  struct FilterName {
    std::string group;
    std::string filter;
  };
  void unsubscribe(std::vector<FilterName> names, uint64_t cookie);
  // The delivery under `tag`; null: there is none. Valid until the next call.
  const Outstanding* outstanding(uint16_t tag) { return window_.find(tag); }
  // The delivery `tag` is done with. False: there is none.
  bool settle(uint16_t tag);
  // The receiver has the exactly-once delivery `tag`; the sink's release() follows. False: there is none.
  bool received(uint16_t tag);
  // The sink is ready again.
  void resume();
  // The connection is gone; the session may end in here: do not touch it afterwards. expiry_s: a new one.
  void detach(DetachKind kind, std::optional<uint32_t> expiry_s);

  SessionId id() const { return id_; }
  std::string_view client_id() const { return key().substr(std::size_t{space_bytes_} + name_bytes_ + 2); }
  PrincipalView principal() const {
    PrincipalView view(key().substr(0, space_bytes_), key().substr(std::size_t{space_bytes_} + 1, name_bytes_));
    view.internal = internal_;
    return view;
  }
  access::Subject subject() const { return {principal(), client_id()}; }
  uint32_t expiry_s() const { return expiry_s_; }
  std::size_t queued_bytes() const { return waiting_bytes_; }
  std::size_t unsettled() const { return window_.size(); }
  std::size_t subscription_count() const { return subscriptions_.size() + (rare_ ? rare_->replays.size() : 0); }
  // By their names, replays last.
  void each_subscription(const std::function<void(const Subscription& subscription, std::string_view name)>& visit) const;
  Contact contact() const { return sink_ == nullptr ? Contact{} : sink_->contact(); }

  // ---- for the broker ----
  std::string_view key() const { return key_; }
  uint64_t identity() const { return identity_; }
  uint64_t incarnation() const { return incarnation_; }
  bool connected() const { return sink_ != nullptr; }
  bool persistent() const { return expiry_s_ != 0; }
  // Its client was away for longer than it lasts.
  bool is_over() const;
  // A connection takes the session. Commits the record when it needs one, then calls opened(). erases: the stored one that
  // this takes the place of is being erased, which is awaited, too.
  void attach(const OpenRequest& request, SessionSink& sink, bool present, bool erases);
  // Takes the connection away; closed(reason) is called on the sink.
  void evict(EndReason reason, DetachKind kind);
  // Everything ends: interest, will, stored state. The object is destroyed later this turn.
  void end();
  void fire_will();
  void on_due();
  void on_receipt(const Origin& origin, PartitionId partition, const Receipt& receipt);
  // A routed message and what my subscriptions say about it.
  void take(const Routed& routed, const Merged& merged);
  void take(RoutedBurst& routed, const Merged& merged);
  // From a shared group.
  void take_from_group(Item item);
  // From a replay of this session, which looks for room before it reads or takes.
  void take_replayed(Item item);
  // Ahead of a receiver that takes nothing just now little is read: there may be hundreds of replays to one connection.
  bool has_room_for_replay() const {
    constexpr std::size_t kAheadBytes = 64 << 10;
    return open_for_sending() && waiting_bytes_ < (sink_->ready() ? queued_bytes_max() / 4 : std::min(queued_bytes_max() / 4, kAheadBytes));
  }
  // Is `subscription` allowed to read the topic now? The one check of every delivery.
  bool may_read(Subscription& subscription, std::string_view topic);
  // The policy has changed: what has not left yet and may not be read any more stays here.
  void drop_denied();
  // Owners' answers: these logs concern me, and end here.
  void join_log(const Places& ends);
  void on_read(ReadAnswer answer) override;
  void on_end(LogName log, uint64_t end) override;
  void on_tick() override;
  void on_stream_added(const Stream& stream, std::vector<LogName>& joined) override;
  void on_stream_removed(const Stream& stream) override;
  bool dirty() const { return dirty_settled_ > 0 || dirty_; }
  // The put of my record; clears dirty.
  engine::Operation record_operation();
  bool has_record() const { return has_record_; }

  // Recovery.
  // due: what the store said about wills and expiry; wall clock ms, 0: nothing.
  void restore(SessionRecord record);
  void restore_due(int64_t due_wall_ms, int64_t expires_wall_ms, std::string due_key);
  void forget_due(const std::string& due_key) { rare().stale_due_keys.insert(due_key); }
  // After restore and restore_due: a session that was connected when all stopped begins to expire now.
  void settle_restored(bool was_connected);
  void restore_inbound(uint16_t tag, PartitionId partition);
  // What was stored of the handshake is deleted.
  void on_handshake_erased(uint16_t tag);
  void announce(UniqueFunction<void()> done);

  // Scratch for the router: where among a message's candidates this session is, if it is one.
  uint32_t route_slot() const { return route_slot_; }
  void set_route_slot(std::size_t slot) { route_slot_ = static_cast<uint32_t>(slot); }

 private:
  struct Waiter {
    uint32_t attachment = 0;
    uint64_t cookie = 0;
  };
  struct Inbound {
    bool done = false;
    bool stored = false;
    bool releasing = false;  // what is stored of it is being deleted
    PartitionId partition = 0;
    std::optional<Waiter> waiter;
    std::vector<Waiter> more_waiters;  // of repetitions

    void wait(Waiter one) {
      if (waiter) {
        more_waiters.push_back(one);
      } else {
        waiter = one;
      }
    }
    template <typename Tell>
    void each_waiter(Tell tell) const {
      if (waiter) tell(*waiter);
      for (const Waiter& one : more_waiters) tell(one);
    }
  };
  // A subscribe under way: answered, and last values sent, when every filter is done.
  struct PendingAnswer {
    uint32_t attachment = 0;
    std::size_t open = 0;
    std::vector<SubscribeOutcome> outcomes;
    std::vector<std::pair<std::string, std::vector<MessageRef>>> retained;  // by subscription name
    std::map<std::string, MessageRef, std::less<>> newer;  // topic -> last value that came live meanwhile
  };
  // What a subscription goes back to when the last of its changes under way is refused.
  struct Standing {
    std::optional<SubscribeRequest> request;  // the one committed last; none: it is new
    std::size_t open = 0;                     // changes that are neither committed nor refused
  };
  // A subscription that is made, or asked for again.
  struct Change {
    std::string name;
    SubscribeRequest request;
    std::shared_ptr<Standing> standing;
  };

  // lifecycle
  void on_attached(uint32_t attachment, bool present, engine::CommitStatus status);
  void release_sink(DetachKind kind, std::optional<uint32_t> expiry_s);
  void schedule_after_detach();
  void set_due(int64_t deadline_ms);
  void write(UniqueFunction<void(engine::CommitStatus)> done);
  void mark_dirty() { dirty_ = true; }
  void write_later();
  // The same as write(), but while the store is full `done` waits, until what it is about is stored or the session ends.
  void write_for_good(UniqueFunction<void(engine::CommitStatus)> done);
  void written_for_good();
  void note_due_key(std::string due_key);
  void stamp(Message& message, std::size_t count = 1) const;
  bool may_publish(std::string_view topic) const;
  bool publisher_may(const Message& message) const;
  void tell_groups();
  void tell_group(uint64_t group_id);
  std::size_t group_window() const;  // deliveries of a group that may be unsettled with me

  // delivery
  bool open_for_sending() const { return sink_ != nullptr && started_; }
  bool has_room() const { return window_.size() - parked_ < inflight_max_; }
  bool must_record_tag(const Item& item) const;
  std::size_t queued_bytes_max() const;
  void enqueue(Item&& item);
  bool transient_may_leave() const;
  void enqueue_transient(Item&& item);
  void wait_transient(Item&& item);
  void push_transient(Item&& item);
  void pump();
  void pump_transient();
  bool may_send() const;
  bool waiting_may_leave() const;
  Item pop_waiting();
  void send_waiting();
  // Only what `keeps` says stays in waiting_; what it does not, it may take.
  template <typename Keeps>
  void keep_waiting(Keeps keeps) {
    Ring<Item> kept;
    std::size_t at = 0;
    uint32_t ahead = 0;
    for (Item& item : waiting_) {
      const bool is_ahead = at++ < waiting_ahead_;
      if (!keeps(item)) continue;
      ahead += is_ahead ? 1 : 0;
      kept.push_back(std::move(item));
    }
    waiting_ = std::move(kept);
    waiting_ahead_ = ahead;
  }
  void send_last_values();
  std::optional<Item> last_value_item(const std::string& name, const MessageRef& message);
  void send(Item&& item);
  void transmit(Outstanding& entry);
  void send_transient(const Item& item);
  void record_then_send();
  void write_recording();
  void on_recorded(uint32_t attachment, engine::CommitStatus status);
  void release_when_written(uint16_t tag);
  void settle_in_group(const Outstanding& entry);
  void on_settled_in_group(uint32_t attachment, uint16_t tag);
  void schedule_releases();
  void write_releases();
  void on_releases_recorded(uint32_t attachment, const std::vector<uint16_t>& tags, engine::CommitStatus status);
  void read_if_room();
  bool drop_if_expired(const Item& item);
  void settled(const Item& item);
  void resend_window();
  void resend_parked();
  Outstanding take_out(uint16_t tag);
  void give_back(const GroupDelivery& origin);
  void refuse(const GroupDelivery& origin);
  bool note_newer(const MessageRef& message);
  void drop_waiting();
  // What waits in memory is counted here and for all sessions.
  void count_in(const Item& item);
  void count_out(const Item& item);
  void return_group_window();
  std::optional<Merged> merge_own(const Message& message, LogName log, uint64_t offset);
  void release_unread(LogName log, uint64_t next);
  uint16_t take_restored_tag(LogName log, uint64_t offset);
  void release_tag(uint16_t tag);
  void take_record(LogName log, engine::Record& record);
  void take_loss(const ReadAnswer& answer);

  // subscriptions
  Filters durable_filters();
  Subscription& add_subscription(const SubscribeRequest& request);
  void subscribe_plain(const SubscribeRequest& request, std::size_t slot, uint64_t cookie);
  void subscribe_group(const SubscribeRequest& request, std::size_t slot, uint64_t cookie);
  void subscribe_replay(SubscribeOrder order, std::size_t slot, uint64_t cookie);
  bool end_replay(const std::string& name);
  void end_replays();
  bool replays(uint32_t number) const;
  Change begin_change(const SubscribeRequest& request);
  bool is_changing(const std::string& name) const { return rare_ && rare_->changing.contains(name); }
  void end_change(const Change& change, bool committed);
  void go_back(const std::string& name, const Standing& standing);
  void on_interest_known(Change change, std::size_t slot, uint64_t cookie, std::vector<MessageRef> retained);
  bool wants_durable(const SubscribeRequest& request) const;
  void settle_durable(Subscription& subscription);
  void on_group_joined(Change change, uint64_t group_id, bool stored, std::size_t slot, uint64_t cookie);
  Group::Member as_member(const Subscription& subscription) const;
  void enter_group(const std::string& name, std::size_t slot, uint64_t cookie);
  void finish_subscribe(const std::string& name, std::size_t slot, uint64_t cookie, std::vector<MessageRef> retained);
  void answer_subscribe(std::size_t slot, uint64_t cookie, SubscribeStatus status);
  void add_last_values(const std::string& name, std::vector<MessageRef> messages);
  void join_group(const Subscription& subscription, UniqueFunction<void(uint64_t, bool)> done);
  void forget(const Subscription& removed);
  void remove_subscription(const std::string& name);
  void drop_unwanted();
  bool returned(const Item& item);
  std::size_t drop_unsent_if(const std::function<bool(const Item&)>& not_mine);
  std::size_t drop_waiting_if(const std::function<bool(const Item&)>& not_mine);
  void return_group_waiting(uint64_t group_id);
  bool has_durable() const;
  // While nobody is connected, publishing need not look at what the log keeps for me.
  void set_aside(bool aside);
  void become_reader();

  // There are very many sessions, most of them idle: what few of them need is behind a pointer.

  struct Rare {
    Lazy<boost::unordered_flat_map<uint16_t, Inbound>> inbound;  // by tag
    Lazy<std::map<PartitionId, std::size_t>> owner_bound;  // unanswered at-most-once publishes with an owner
    Lazy<std::map<uint64_t, PendingAnswer>> answers;       // by cookie
    Lazy<std::map<std::string, std::shared_ptr<Standing>>> changing;  // by the name of their subscription
    Lazy<std::map<std::pair<LogName, uint64_t>, uint16_t>> restored_tags;
    Lazy<std::set<std::string>> stale_due_keys;            // still in the store until a write succeeds
    Lazy<std::map<std::string, std::unique_ptr<Replay>>> replays;  // by the name of their subscription
    std::string due_key;                                   // in the store
    LastValues last_values;                                // leave before what came later
    Filters durable_filters;                               // while it reads the log; null: not gathered yet
    std::vector<UniqueFunction<void(engine::CommitStatus)>> unwritten;  // wait for the store to have room
    std::vector<uint16_t> releasing;                       // tags in that stage or settling, in the order the receiver had them
  };
  Rare& rare() {
    if (!rare_) rare_ = std::make_unique<Rare>();
    return *rare_;
  }
  // Something in there has become empty, perhaps the last.
  void tidy();
  bool has_last_values() const { return rare_ && !rare_->last_values.empty(); }
  void forget_durable_filters();
  bool owner_bound(PartitionId partition) const { return rare_ && rare_->owner_bound.contains(partition); }

  Shard& shard_;
  SessionId id_;
  Text key_;
  uint64_t identity_;
  uint64_t incarnation_;
  uint16_t space_bytes_;         // of key_: the space, a zero, the user's name, a zero, the client id
  uint16_t name_bytes_;
  uint32_t epoch_ = 0;
  uint32_t expiry_s_ = 0;
  uint32_t attachment_ = 0;      // counts connections, so that late answers of an old one are ignored
  uint16_t inflight_max_ = 0;
  uint16_t parked_ = 0;          // entries of window_ in that stage
  bool started_ : 1 = false;
  bool ended_ : 1 = false;
  bool has_record_ : 1 = false;
  bool is_reader_ : 1 = false;
  bool recording_ : 1 = false;       // exactly-once tags are being committed
  bool recording_failed_ : 1 = false;
  bool releases_scheduled_ : 1 = false;
  bool releases_failed_ : 1 = false;
  bool pumping_ : 1 = false;
  bool groups_refused_ : 1 = false;  // groups take me for absent, as my queue was full
  bool dirty_ : 1 = false;
  const bool internal_ : 1;          // of the broker's own: no rule is asked
  uint32_t route_slot_ = 0;
  uint32_t waiting_ahead_ = 0;          // so many at the front of waiting_ came before its last values
  std::unique_ptr<Will> will_;
  SessionSink* sink_ = nullptr;
  int64_t due_ms_ = 0;                  // monotonic: the will, or the end; 0: nothing due
  int64_t expires_at_ms_ = 0;           // monotonic; 0: never

  Subscriptions subscriptions_;
  Feed feed_;
  [[no_unique_address]] Window window_;  // what follows may lie in its padding
  uint32_t dirty_settled_ = 0;
  Ring<Item> waiting_;                  // at least once and above, in order
  TransientQueue waiting_transient_;    // at most once
  std::size_t waiting_bytes_ = 0;

  std::unique_ptr<Rare> rare_;
};
static_assert(sizeof(Session) == 192);  // there are very many, and the next size of heap block is 224

// Run on the owner of `partition`: forgets the stored handshake, then runs `then` there (may be empty).
CallMail erase_handshake(PartitionId partition, uint64_t incarnation, uint16_t tag, CallMail then);

}  // namespace arena::broker
