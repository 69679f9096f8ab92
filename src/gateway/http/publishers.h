// The sessions that requests publish by: on each core one for each principal that does, so that their messages are judged,
// stamped and kept in order as any publisher's are. Opened with the first publish, gone when it has been quiet for a while.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "broker/shard.h"
#include "broker/types.h"
#include "runtime/loop.h"

namespace arena::gateway::http {

struct Published {
  broker::Receipt receipt;
  MessageId id;           // of what was published; not of what it repeats
  bool answered = true;   // false: the session ended first, and nobody knows
};

// A client id for a session that lives on the shard's core, where its key has to lead.
std::string client_id_here(runtime::Loop& loop, const broker::Shard& shard, const Principal& principal);

class Publishers {
 public:
  using Done = UniqueFunction<void(const Published&)>;
  static constexpr int64_t kQuietMs = 10'000;

  // Both outlive it.
  Publishers(runtime::Loop& loop, broker::Shard& shard);
  ~Publishers();

  // As Session::publish has it. `done` is called once, after the commit where there is one; perhaps from inside.
  void publish(const Principal& principal, std::unique_ptr<Message> message, const broker::PublishKey* known_by, Done done);
  broker::Shard& shard() { return shard_; }
  std::size_t sessions() const { return publishers_.size(); }

 private:
  class Publisher;
  void bury(Publisher& publisher);

  runtime::Loop& loop_;
  broker::Shard& shard_;
  std::map<std::string, std::unique_ptr<Publisher>> publishers_;  // by space, a zero, and name
  std::vector<std::unique_ptr<Publisher>> dead_;
};

}  // namespace arena::gateway::http
