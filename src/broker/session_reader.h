// Who is connected, which sessions there are and what they subscribe to, for who looks after the broker.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/unique_function.h"
#include "broker/types.h"

namespace arena::broker {

class Shard;

struct SessionInfo {
  std::string key;                 // names it, also after a restart
  std::string user;                // empty: anonymous
  std::string client_id;
  bool connected = false;
  Contact contact;                 // while it is
  uint32_t expiry_s = 0;
  std::size_t subscriptions = 0;
  std::size_t queued_bytes = 0;    // waiting in memory
  std::size_t unsettled = 0;       // deliveries
};

struct SessionRequest {
  std::string after;                      // behind the session of this key; empty: from the first
  std::size_t sessions_max = 100;
  std::string key;                        // this one alone; empty: all
  std::optional<bool> connected;
  std::optional<std::string> user;        // empty: the anonymous ones
  std::optional<std::string> client_id;
};

struct SubscriptionInfo {
  std::string session;                    // its key
  std::string user;
  std::string client_id;
  std::string name;                       // inside its session
  std::string group;                      // empty: not shared
  std::string filter;
  Guarantee granted = Guarantee::at_most_once;
  bool replay = false;
};

struct SubscriptionRequest {
  std::string after_session;              // behind the subscription `after_name` of this session
  std::string after_name;
  std::size_t subscriptions_max = 100;
  std::string session;                    // of this key alone; empty: of all
  std::string topic;                      // those that a message to it would come through; empty: all
};

// Pages in the order of the keys' bytes, then of the subscriptions' names; with one item more than asked for, if there are more.
// On any core; answered there. Every session is looked at for each page.
void read_sessions(Shard& shard, SessionRequest request, UniqueFunction<void(std::vector<SessionInfo>)> done);
void read_subscriptions(Shard& shard, SubscriptionRequest request, UniqueFunction<void(std::vector<SubscriptionInfo>)> done);

// Takes the connection of a session away; `entirely`: ends the session, too. done with false: there is none.
void disconnect_session(Shard& shard, std::string key, bool entirely, UniqueFunction<void(bool)> done);

}  // namespace arena::broker
