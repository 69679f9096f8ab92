// A whole broker on simulated cores: shards, doors and the memory engine over the simulated network.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "broker/shard.h"
#include "broker/stream/registry.h"
#include "engine/memory/memory_store.h"
#include "gateway/mqtt/door.h"
#include "net/sim_network.h"
#include "runtime/sim_loop.h"
#include "sim/once.h"
#include "sim/streams.h"

namespace arena::sim {

class Broker {
 public:
  Broker(runtime::SimWorld& world, net::SimNetwork& network);
  ~Broker();

  // What is in memory is gone, with every connection; what was committed comes back.
  void crash();
  // May guard/# be read, and gate/# be written? On all cores at once, for subscriptions that stand, too.
  void set_guarded(bool guarded);
  const broker::Options& options() const { return options_; }
  std::size_t largest_queue_bytes() const;
  engine::MemoryDisk& disk() { return disk_; }
  uint64_t sum(broker::Counter broker::Counters::*counter) const;
  uint64_t dropped(broker::Drop reason) const;
  std::size_t connections() const;
  // Does the log hold a message to `topic` whose payload begins with `payload`?
  bool is_stored(const std::string& topic, const std::string& payload) const;
  // What the store says each session and group is done with, of what the log still holds: client or group -> payloads.
  using Settled = std::map<std::string, std::set<std::string>>;
  Settled settled() const;
  // As an operator asks for them; what was not answered before a crash never is.
  void with_streams(UniqueFunction<void(broker::StreamRegistry&)> act) { cores_[0]->shard.with_streams(std::move(act)); }
  const broker::StreamTable& streams() const { return cores_[0]->shard.streams(); }
  // Tells what the logs of all streams, also of those that were removed, hold now.
  void show_streams(StreamJudge& judge);
  // Tells what every log holds that it was not told before.
  void show_stored(OnceJudge& judge) const;
  uint64_t stray_receipts() const;  // since the last crash
  unsigned cores() const { return world_.cores(); }

 private:
  struct Core {
    Core(Broker& broker, unsigned core);
    broker::Counters broker_counters;
    gateway::mqtt::Counters mqtt_counters;
    engine::MemoryStore store;
    broker::Shard shard;
    access::Authenticator authenticator;
    net::SimStreamFactory streams;
    gateway::mqtt::Door door;
  };
  void boot();
  void halt();
  using Logs = std::map<engine::LogName, std::vector<engine::Record>>;
  static std::vector<engine::Record> records_of(engine::LogName name, const engine::MemoryLog& log, uint64_t from);
  static void add_settled(const std::vector<broker::CursorRecord>& cursors, const Logs& logs, std::set<std::string>& settled);

  runtime::SimWorld& world_;
  net::SimNetwork& network_;
  broker::Options options_;
  std::shared_ptr<const access::Policy> policy_;
  std::shared_ptr<const broker::Placement> placement_;
  engine::MemoryDisk disk_;
  gateway::mqtt::Admission admission_;
  std::shared_ptr<access::PasswordQueue> passwords_;
  std::vector<std::unique_ptr<Core>> cores_;
  broker::Counters ended_;  // of cores that crashed
};

}  // namespace arena::sim
