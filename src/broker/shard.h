// One core's broker: the sessions, groups and partitions that live here, and the post to the other cores'.
// Gateways of this core call it directly; other cores reach it by mail only.
#pragma once

#include <boost/unordered/unordered_flat_set.hpp>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "access/policy.h"
#include "base/hash.h"
#include "broker/counters.h"
#include "broker/group.h"
#include "broker/mail.h"
#include "broker/partition.h"
#include "broker/placement.h"
#include "broker/retained/retained_values.h"
#include "broker/routing/filter_index.h"
#include "broker/routing/remote_interest.h"
#include "broker/session/session.h"
#include "broker/stream/registry.h"
#include "broker/stream/stream.h"
#include "engine/store.h"
#include "runtime/loop.h"

namespace arena::broker {

// How sessions are found in a table that holds nothing but them.
struct SessionByKey {
  using is_transparent = void;
  using is_avalanching = void;
  std::size_t operator()(std::string_view key) const { return StringHash{}(key); }
  std::size_t operator()(const std::unique_ptr<Session>& session) const { return StringHash{}(session->key()); }
  bool operator()(const std::unique_ptr<Session>& a, const std::unique_ptr<Session>& b) const { return a == b; }
  bool operator()(std::string_view key, const std::unique_ptr<Session>& session) const { return key == session->key(); }
  bool operator()(const std::unique_ptr<Session>& session, std::string_view key) const { return key == session->key(); }
};

struct SessionById {
  using is_transparent = void;
  std::size_t operator()(SessionId id) const { return static_cast<std::size_t>(id); }
  std::size_t operator()(const Session* session) const { return static_cast<std::size_t>(session->id()); }
  bool operator()(const Session* a, const Session* b) const { return a == b; }
  bool operator()(SessionId id, const Session* session) const { return id == session->id(); }
  bool operator()(const Session* session, SessionId id) const { return id == session->id(); }
};

class Shard {
 public:
  // All references outlive the shard. The shard must be destroyed only after its loop has stopped running its
  // tasks.
  Shard(runtime::Loop& loop, engine::Store& store, std::shared_ptr<const Placement> placement, Options options,
        std::shared_ptr<const access::Policy> policy, Counters& counters);
  ~Shard();

  // Every core's shard, by core. Called once, before any loop runs.
  void connect(std::vector<Shard*> shards) { shards_ = std::move(shards); }
  // Recovery, step 1 on every core: loads sessions, groups and last values of this core's partitions.
  Status load();
  // Step 2, after step 1 on all: makes their interest known. done is called when every core knows; then listen.
  void announce(UniqueFunction<void()> done);
  // Step 3, after step 2 on all: sessions that were connected begin to expire, and the log may be trimmed.
  void start();

  // ---- for gateways ----
  unsigned core() const { return loop_.core(); }
  unsigned cores() const { return static_cast<unsigned>(shards_.size()); }
  unsigned home_core(std::string_view session_key) const { return placement_->core_of_name(session_key); }
  // On the session's home core. The sink hears opened() or open_refused(), perhaps from inside. The session stays
  // the sink's until closed() or detach(); null when refused.
  Session* open(const OpenRequest& request, SessionSink& sink);
  // As the broker itself ($SYS, wills): not subject to the policy.
  void publish_internal(std::unique_ptr<Message> message);
  // Takes the connection of a session away. False: no such session connected here.
  bool kick(std::string_view session_key);
  // The same for every session here whose principal is chosen; tells how many.
  std::size_t kick_all(const std::function<bool(const PrincipalView&)>& chosen);
  // Ends a session, connected or not. False: there is none of that key here.
  bool end_session(std::string_view session_key);
  void each_session(const std::function<void(const Session&)>& visit) const;
  // Holds for what waits, too: nothing leaves from now on that the new one does not allow.
  void set_policy(std::shared_ptr<const access::Policy> policy);
  const access::Policy& policy() const { return *policy_; }
  // Runs on the core that declares streams.
  void with_streams(UniqueFunction<void(StreamRegistry&)> act) {
    call_owner(0, [act = std::move(act)](Shard& owner) mutable { act(*owner.registry_); });
  }
  // More is posted to some core than it has handled: publishers should not be read for now.
  bool congested() const;
  // Waiting in memory for one session or group, at most. Walks all of them.
  std::size_t largest_queue_bytes() const;
  // Ends all connections with `reason` and writes what is dirty; done when that is stored.
  void drain(UniqueFunction<void()> done);
  void set_on_store_failed(UniqueFunction<void()> hook) { store_failed_hook_ = std::move(hook); }

  // ---- for the broker's own ----
  runtime::Loop& loop() { return loop_; }
  engine::Store& store() { return store_; }
  const Options& options() const { return options_; }
  Level options_level() const { return options_.level; }
  Counters& counters() { return counters_; }
  const Placement& placement() const { return *placement_; }
  const std::map<PartitionId, std::unique_ptr<Partition>>& partitions() const { return partitions_; }
  // The first of `count` ids that follow each other.
  MessageId next_message_id(std::size_t count = 1);

  // Publishes by way of the owner where the promises ask for it.
  void publish(MessageRef message, Origin origin, bool through_owner);
  // Delivers here and posts to every core with interest. False: the server knows that nobody matched.
  bool route(const Routed& routed);
  void route(const BurstRef& burst);
  void answer(const Origin& origin, PartitionId partition, const Receipt& receipt);
  // Is there a durable subscription for the topic? Asked of the topic's owner.
  bool wanted_durably(std::string_view topic) const { return durable_.any(topic); }
  // The budgets of all cores together; what other cores add in the same moment may pass them by a little.
  bool retained_has_room(const RetainedGrowth& growth) const;
  // By how much the last values would grow if `message` became one.
  RetainedGrowth retained_growth(const Message& message) const;
  // It is being stored; and it has been, or was refused.
  void retained_coming(const RetainedGrowth& growth);
  void retained_came(const RetainedGrowth& growth);
  bool log_has_room(const Log& log) const;
  const StreamTable& streams() const { return *streams_; }
  // False: of a stream that was removed.
  bool has_log(LogId log) const { return log == LogId::inbox || streams_->find(log) != nullptr; }
  // The same, or of one that is just being added.
  bool will_have_log(LogId log) const { return log == LogId::inbox || coming_->find(log) != nullptr; }
  // Those, and what is just being added: whoever begins to read now must begin with these.
  const StreamTable& coming_streams() const { return *coming_; }
  // Runs `act` on every core; done here when each has called what it was given.
  void on_all_cores(const std::function<void(Shard&, UniqueFunction<void()>)>& act, UniqueFunction<void()> done);
  // done when the other cores have heard all that this one has told them.
  void barrier(UniqueFunction<void()> done);
  // For StreamRegistry, which says when.
  void expect_streams(StreamTableRef table);
  void set_streams(StreamTableRef table);
  void join_readers(const Stream& stream, UniqueFunction<void()> done);
  void drop_stream(const Stream& stream);
  void note_written_to_streams(uint64_t bytes);
  bool over_budget(LogId stream) const { return streams_over_budget_.contains(stream); }
  void set_over_budget(std::set<LogId> streams) { streams_over_budget_ = std::move(streams); }
  // Is it stored because a stream captures its topic?
  bool captured(std::string_view topic) const { return !streams_->empty() && streams_->of(topic) != nullptr; }
  void set_retained(const MessageRef& message);
  // It has expired, and that is stored. No more than that when another has taken its place.
  void drop_retained(const MessageRef& expired);
  bool is_retained(const MessageRef& message) const { return retained_.holds(message); }
  // Last values of topics owned here.
  const TopicTree& retained() const { return retained_.tree(); }
  // The cores that own topics which the filter matches.
  std::vector<unsigned> owners_of(std::string_view filter) const;
  void tell_end(LogName log, uint64_t end);
  void on_store_failed();

  // Makes a subscription's interest known where it matters and collects the answers. The subscription is in the
  // index from now on. done gets the last values that match (if wanted); not called when it is withdrawn first.
  using InterestDone = UniqueFunction<void(std::vector<MessageRef> retained)>;
  void add_interest(Subscription& subscription, uint64_t reader, Places floors, bool want_retained, InterestDone done);
  // Delivers nothing through it any more, and other cores need not think of it; operations under way are forgotten.
  void silence(Subscription& subscription);
  // Nobody is there to take what is routed to it, and the log keeps that: publishing passes it by until it is called back.
  void set_aside(const Subscription& subscription, bool aside);
  // After silence(), and when its removal is committed: the log need not be kept for it, or its group has a member less.
  void forget_subscription(const Subscription& subscription, uint64_t reader, bool last_durable);
  // It stays, but records are no longer kept for it.
  void withdraw_durable(const Subscription& subscription, uint64_t reader, bool last_durable);

  void order_read(ReadOrder order);
  void report_floor(LogName log, uint64_t reader, uint64_t floor);
  void register_reader(uint64_t id, Reader& reader);
  void unregister_reader(uint64_t id);
  Reader* find_reader(uint64_t id) const;

  // Commits operations in the partition of `key`, which lives here.
  void submit(std::string_view key, std::vector<engine::Operation> operations,
              UniqueFunction<void(engine::CommitStatus)> done);
  // In order after everything this core has posted to that core; at once when it is this one.
  void call(unsigned core, CallMail call);
  void call_owner(PartitionId partition, CallMail call) { this->call(placement_->core_of(partition), std::move(call)); }
  Partition& partition(PartitionId id) { return *partitions_.at(id); }
  Log& log_at(LogName name) { return partition(name.partition).log(name.log); }

  Session* find_session(SessionId id);
  Session* find_session(std::string_view key);
  Group* find_group(uint64_t id);
  Group& group_for(std::string_view space, std::string_view group, std::string_view filter);
  void remove_group(Group& group);
  uint64_t next_reader_id() { return (uint64_t{core()} << 48) | next_serial_++; }
  Session& add_session(const OpenRequest& request);
  void remove_session(Session& session);
  // Commits what changes of the session under that key, behind the wills of its that are under way: with a crash between
  // neither would be left.
  void submit_session(std::string_view key, std::vector<engine::Operation> operations, UniqueFunction<void(engine::CommitStatus)> done);
  // Deletes what is stored of it. Until that is committed, who begins anew under its key waits for it.
  void erase_session(std::string_view key, std::vector<engine::Operation> operations);
  void publish_will(std::string_view key, MessageRef message, PublishMarkRef mark);
  // At most one deadline per session; deadline 0 cancels. Monotonic.
  void set_due(Session& session, int64_t old_ms, int64_t deadline_ms);
  // Something is dirty: the tick will see to it.
  void want_tick();

 private:
  struct InterestOperation {
    Subscription* subscription = nullptr;
    bool announces = false;
    std::size_t open = 0;
    std::vector<MessageRef> retained;
    InterestDone done;
  };
  struct Candidate {
    Session* session = nullptr;
    Merged merged;
  };

  void post(unsigned core, Mail&& mail);
  void flush_outbox();
  void handle_batch(unsigned from, std::vector<Mail>& batch);
  bool deliver_here(const Routed& routed, unsigned from);
  void deliver_here(const BurstRef& burst, unsigned from);
  void deliver_postponed();
  void offer_to_replay(uint64_t id, const Routed& routed);
  bool match_here(const Message& message, std::size_t count, unsigned from);
  void add_candidate(Subscription& subscription, const Message& message, std::size_t count);
  template <typename What>
  bool post_to_interested(std::string_view topic, const What& what);
  static std::string_view filter_of_subscription(FilterIndex::Value value);
  static std::pair<LogName, uint64_t> register_reader(Log& log, const InterestRequest& request);
  InterestAnswer serve_interest(const InterestRequest& request);
  void take_interest_answer(uint64_t operation, unsigned from, InterestAnswer answer);
  void serve_read(const ReadOrder& order);
  void finish_read(const ReadOrder& order, uint64_t from, engine::ReadResult result);
  uint64_t total(Counter Counters::*counter) const;  // over all cores
  void note_damage(const ReadOrder& order, const engine::ReadResult& result);
  static void on_tick(void* self);
  static void on_due(void* self);
  static void on_expiry(void* self);
  void arm_expiry();
  void count_retained();
  void arm_due();
  void bury();
  Status load_streams();
  void delete_unknown_streams(uint32_t last_log);
  Status load_partition(PartitionId id);
  Status load_sessions(PartitionId id);
  void announce_handshakes(UniqueFunction<void()> done);
  void announce_handshakes(PartitionId id);

  runtime::Loop& loop_;
  engine::Store& store_;
  std::shared_ptr<const Placement> placement_;
  Options options_;
  std::shared_ptr<const access::Policy> policy_;
  Counters& counters_;
  std::vector<Shard*> shards_;
  StreamTableRef streams_ = std::make_shared<const StreamTable>();   // captured from now on
  std::unique_ptr<StreamRegistry> registry_;  // on the core that owns partition 0
  std::set<LogId> streams_over_budget_;
  RetainedGrowth coming_retained_;  // by what is being stored
  uint64_t written_to_streams_ = 0;  // bytes, since their retention was last asked to hurry
  StreamTableRef coming_ = streams_;  // of which readers must know; some may not be captured yet

  std::map<PartitionId, std::unique_ptr<Partition>> partitions_;
  std::map<uint64_t, Reader*> readers_;  // outlives the sessions, whose replays leave it
  boost::unordered_flat_set<std::unique_ptr<Session>, SessionByKey, SessionByKey> sessions_;
  boost::unordered_flat_set<Session*, SessionById, SessionById> sessions_by_id_;
  std::map<std::string, std::unique_ptr<Group>, std::less<>> groups_;
  std::map<uint64_t, Group*> groups_by_id_;
  std::vector<std::unique_ptr<Session>> dead_sessions_;
  struct SessionWork {
    std::vector<engine::Operation> operations;
    UniqueFunction<void(engine::CommitStatus)> done;
  };
  struct WillsUnderWay {
    unsigned open = 0;
    std::vector<SessionWork> behind;
  };
  void will_answered(uint64_t will);
  std::map<std::string, WillsUnderWay, std::less<>> wills_under_way_;  // by session key
  std::map<uint64_t, std::string> will_keys_;                          // will -> its session's key
  std::map<std::string, unsigned, std::less<>> erasing_;  // keys of sessions -> deletions of their records that are not committed
  std::vector<std::unique_ptr<Group>> dead_groups_;
  uint64_t next_serial_ = 1;

  FilterIndex index_{&filter_of_subscription};  // Subscription* of this core
  RemoteInterest remote_;
  FilterIndex durable_;              // readers, for topics owned here
  RetainedValues retained_;              // of topics owned here
  std::map<uint64_t, InterestOperation> operations_;
  uint64_t next_operation_ = 1;

  std::vector<std::vector<Mail>> outbox_;          // by core
  std::vector<std::size_t> outbox_bytes_;
  bool outbox_scheduled_ = false;
  std::vector<std::unique_ptr<std::atomic<uint64_t>>> handled_bytes_;  // by sender; written here, read by the sender
  std::vector<uint64_t> posted_bytes_;             // by destination

  std::vector<FilterIndex::Value> matches_;        // scratch of deliver_here
  std::vector<Candidate> candidates_;
  std::size_t candidates_used_ = 0;
  bool routing_ = false;
  std::vector<std::pair<Routed, unsigned>> postponed_;  // routed from inside a delivery
  std::vector<Group*> groups_hit_;
  std::vector<uint64_t> replays_hit_;
  bool running_ = false;
  std::vector<std::pair<SessionId, bool>> restored_;  // and whether they were connected

  uint64_t message_serial_;
  runtime::Timer tick_;
  runtime::Timer due_timer_;
  runtime::Timer expiry_timer_;  // of last values
  std::set<std::tuple<int64_t, SessionId>> due_;
  UniqueFunction<void()> store_failed_hook_;
};

}  // namespace arena::broker
