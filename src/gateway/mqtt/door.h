// One core's MQTT door: takes accepted streams, keeps their connections, and hands a connection whose session lives on
// another core over to that core's door.
#pragma once

#include <boost/unordered/unordered_flat_set.hpp>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "access/authenticator.h"
#include "base/intrusive_list.h"
#include "broker/shard.h"
#include "gateway/mqtt/frame_cache.h"
#include "gateway/mqtt/options.h"
#include "net/stream.h"

namespace arena::gateway::mqtt {

class Connection;
struct PendingConnect;

// A connection without a CONNECT yet.
struct SilentTag;
struct Silent : ListNode<SilentTag> {
  explicit Silent(Connection& one) : connection(one) {}
  Connection& connection;
};

// Publishes that came behind each other in one read and can go on as one: see message/burst.h. Views into what was read,
// so it never outlives a call to Connection::consume().
struct PublishRun {
  std::string_view topic;
  std::vector<std::string_view> payloads;
  std::size_t bytes = 0;  // of their packets
};

// How connections are found in a table that holds nothing but them.
struct ConnectionById {
  using is_transparent = void;
  std::size_t operator()(uint64_t id) const { return static_cast<std::size_t>(id); }
  std::size_t operator()(const std::unique_ptr<Connection>& connection) const;
  bool operator()(const std::unique_ptr<Connection>& a, const std::unique_ptr<Connection>& b) const { return a == b; }
  bool operator()(uint64_t id, const std::unique_ptr<Connection>& connection) const;
  bool operator()(const std::unique_ptr<Connection>& connection, uint64_t id) const { return (*this)(id, connection); }
};

class Door {
 public:
  // All references outlive the door.
  Door(runtime::Loop& loop, broker::Shard& shard, access::Authenticator& authenticator, net::StreamFactory& factory,
       const std::shared_ptr<const Options>& options, Admission& admission, Counters& counters);
  ~Door();

  // Every core's door, by core. Called once, before any loop runs.
  void connect(std::vector<Door*> doors) { doors_ = std::move(doors); }
  // Takes a stream that was accepted on this core, unless a limit forbids it: then it is closed.
  void accept(std::unique_ptr<net::Stream> stream);
  // The same for one that has come in by another door and has its seat.
  void accept(std::unique_ptr<net::Stream> stream, Seat seat);
  void set_options(const Options& options) { options_ = OptionsRef(new SharedOptions(options)); }
  // Lets nobody in any more, and closes the connections that are not in yet.
  void shut();
  std::size_t connections() const { return connections_.size(); }

  // ---- for connections ----
  runtime::Loop& loop() { return loop_; }
  broker::Shard& shard() { return shard_; }
  access::Authenticator& authenticator() { return authenticator_; }
  const OptionsRef& options() const { return options_; }
  Counters& counters() { return counters_; }
  FrameCache& frames() { return frames_; }
  // Of the connection that is consuming; empty whenever the broker is called.
  PublishRun& run() { return run_; }
  Connection* find(uint64_t id);
  // A cookie for what a session is asked and answers later.
  uint64_t next_request() { return next_request_++; }
  // Destroys it at the end of this turn.
  void bury(Connection& connection);
  // Moves the stream, what is known of its CONNECT, and the bytes behind it.
  void hand_over(unsigned core, std::unique_ptr<net::DetachedStream> stream, std::unique_ptr<PendingConnect> pending,
                 std::string rest);

 private:
  void adopt(std::unique_ptr<net::DetachedStream> detached, std::unique_ptr<PendingConnect> pending, std::string rest);
  Connection& add(std::unique_ptr<net::Stream> stream, Seat seat);
  Result<Seat, Refused> admit(std::string_view ip);
  bool make_half_open(Seat& seat);

  runtime::Loop& loop_;
  broker::Shard& shard_;
  access::Authenticator& authenticator_;
  net::StreamFactory& factory_;
  OptionsRef options_;
  Admission& admission_;
  Counters& counters_;
  std::vector<Door*> doors_;
  FrameCache frames_;
  PublishRun run_;
  bool shut_ = false;
  uint64_t next_id_ = 1;
  uint64_t next_request_ = 1;
  IntrusiveList<Silent, SilentTag> silent_;  // oldest first
  boost::unordered_flat_set<std::unique_ptr<Connection>, ConnectionById, ConnectionById> connections_;
  std::vector<std::unique_ptr<Connection>> dead_;
};

}  // namespace arena::gateway::mqtt
