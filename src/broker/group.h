// A shared group: members share one subscription's messages, each message going to one of them. It stands in the log
// as a session does (CURSORS.md 12). Lives on the core that owns hash(group, filter).
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <vector>

#include "broker/mail.h"
#include "broker/session/feed.h"
#include "broker/session/subscription.h"
#include "broker/session/window.h"

namespace arena::broker {

// GroupIds have the top bit set, so that they differ from SessionIds; the core is below it.
inline constexpr uint64_t kGroupBit = uint64_t{1} << 63;
inline unsigned group_core(uint64_t id) { return static_cast<unsigned>((id & ~kGroupBit) >> 48); }

std::string group_key(std::string_view space, std::string_view group, std::string_view filter);

class Group final : public Reader {
 public:
  struct Member {
    SessionId session = 0;
    Principal principal;
    std::string client_id;
    uint32_t covered_epoch = 0;    // policy epoch under which it may read all that the filter matches
    Guarantee granted = Guarantee::at_most_once;
    bool keep_retained_flag = false;
    uint32_t subscription_id = 0;
    bool persistent = false;
    bool online = false;
    std::size_t window = 16;       // deliveries it may hold unsettled
    std::size_t held = 0;

    bool has_room() const { return online && held < window; }
  };

  Group(Shard& shard, uint64_t id, std::string space, std::string name, std::string filter);
  ~Group() override;

  uint64_t id() const { return id_; }
  const std::string& key() const { return key_; }
  std::size_t queued_bytes() const { return waiting_bytes_; }

  // Adds it; done when the group's interest is known everywhere and, if it is durable, stored. False: the store refused.
  // Who is new gets nothing, and nothing changes for others, before enter(): their own side may still be refused.
  void join(Member member, UniqueFunction<void(bool)> done);
  void enter(Member member);
  void leave(SessionId session);        // unsubscribed, or its session ended
  // `window`: as it is from now on; each connection has its own.
  void set_online(SessionId session, bool online, std::size_t window);
  // The member is done with the delivery.
  void settle(uint64_t number);
  // The same; `done` when that is stored, so that it does not come again after a crash. At once if the group stores nothing.
  void settle_for_good(uint64_t number, UniqueFunction<void()> done);
  // The member gives it back: it left before it was settled.
  void give_back(uint64_t number);
  // The member is not there to take it: it gets nothing more until it says that it is online.
  void refuse(SessionId session, uint64_t number);
  // Other members may read now what the group has.
  void on_policy_changed();

  void offer(const Routed& routed);
  void join_log(const Places& ends);
  void on_read(ReadAnswer answer) override;
  void on_end(LogName log, uint64_t end) override;
  void on_tick() override;
  void on_stream_added(const Stream& stream, std::vector<LogName>& joined) override { join_stream(subscription_, feed_, stream, joined); }
  void on_stream_removed(const Stream& stream) override {
    feed_.leave(stream.log);
    leave_stream(subscription_, stream);
  }
  void restore(const GroupRecord& record);
  // After recovery: a group whose members did not come back has ended.
  void end_if_empty() {
    if (members_.empty()) end();
  }

 private:
  struct Held {
    Item item;
    SessionId session = 0;
  };

  // Bounded: what members hold comes back to what waits when they leave.
  std::size_t kept_bytes() const { return waiting_bytes_ + held_bytes_; }
  Member* find(SessionId session);
  bool may_read(Member& member, const Message& message);
  bool anyone_may_read(const Message& message);
  Member* next_member(const Message& message);
  bool anyone_has_room() const;
  bool anyone_online() const;
  void enqueue(Item item);
  void pump();
  bool place_first();
  void unpark();
  Item take_first();
  void hand_out(Item item, Member& member);
  void read_if_room();
  void let_go(SessionId session);
  void stop_if_alone();
  void hold(Item item, Member& member);
  void post(Item item, SessionId session);
  void settled(const Item& item);
  void write_settled();
  void write(UniqueFunction<void(engine::CommitStatus)> done);
  void write_later();
  engine::Operation record_operation() const;
  void on_interest_known();
  void answer_joins();
  Filters filters();
  void end();

  Shard& shard_;
  uint64_t id_;
  std::string space_;
  std::string name_;
  std::string key_;
  Subscription subscription_;
  bool asked_ = false;             // for its interest to be known everywhere
  std::size_t answers_open_ = 0;   // such questions that are not answered yet
  bool reading_ = false;           // someone is online
  bool ended_ = false;
  bool dirty_ = false;
  std::vector<UniqueFunction<void(bool)>> waiting_joins_;
  std::vector<UniqueFunction<void()>> settling_;  // told when what is settled is stored
  std::vector<Member> members_;
  std::size_t turn_ = 0;
  Feed feed_;
  std::deque<Item> waiting_;
  std::deque<Item> parked_;        // before all that waits: only members who have no room, or are away, may read them
  std::size_t waiting_bytes_ = 0;
  std::size_t held_bytes_ = 0;
  std::map<uint64_t, Held> held_;  // by delivery number, so in the order they were first handed out
  uint64_t next_number_ = 1;
  Filters filters_;
};

// From any core.
void leave_group(Shard& shard, uint64_t group_id, SessionId session);

}  // namespace arena::broker
