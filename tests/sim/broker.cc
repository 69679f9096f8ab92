#include "sim/broker.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "sim/properties.h"

namespace arena::sim {
namespace {

access::Rule denied(bool publish, const char* filter) {
  access::Rule rule;
  rule.allow = false;
  rule.publish = publish;
  rule.subscribe = !publish;
  rule.filter = filter;
  rule.source = std::string("sim: ") + filter;
  return rule;
}

access::Rule allowed_to_publish(const char* filter) {
  access::Rule rule = denied(true, filter);
  rule.allow = true;
  return rule;
}

std::shared_ptr<const access::Policy> rules(bool guarded, uint32_t epoch) {
  std::vector<access::Rule> all{denied(false, "secret/#"), denied(true, "mute/#")};
  all.push_back(allowed_to_publish("$lone/#"));
  if (guarded) all.push_back(denied(false, "guard/#"));
  if (guarded) all.push_back(denied(true, "gate/#"));
  access::Policy::Options options;
  options.epoch = epoch;
  options.default_allow = true;
  return access::Policy::make(std::move(all), options).value();
}

bool is_settled(const broker::CursorRecord& cursor, uint64_t offset) {
  return offset < cursor.floor || std::find(cursor.settled.begin(), cursor.settled.end(), offset) != cursor.settled.end();
}

std::shared_ptr<const gateway::mqtt::Options> mqtt_options() {
  auto options = std::make_shared<gateway::mqtt::Options>();
  options->connect_timeout_ms = 5'000;
  return options;
}

broker::Options broker_options() {
  broker::Options options;
  options.partitions = 4;
  options.queued_bytes_per_session_max = 4'000;  // small, so that seams are lost and found again
  options.log_read_bytes = 1'000;
  options.inflight_per_session_max = 8;
  options.cursor_flush_settled = 20;
  options.session_expiry_max_s = broker::kNever;
  return options;
}

void must(bool good, const char* what) {
  if (good) return;
  std::fprintf(stderr, "sim: %s\n", what);
  std::abort();
}

}  // namespace

Broker::Core::Core(Broker& broker, unsigned core)
    : store(broker.world_.loop(core), broker.disk_),
      shard(broker.world_.loop(core), store, broker.placement_, broker.options_, broker.policy_, broker_counters),
      authenticator(broker.world_.loop(core), std::make_shared<const access::AuthSettings>(access::AuthSettings{{}, true}),
                    broker.passwords_),
      streams(broker.world_.loop(core)),
      door(broker.world_.loop(core), shard, authenticator, streams, mqtt_options(), broker.admission_, mqtt_counters) {}

Broker::Broker(runtime::SimWorld& world, net::SimNetwork& network)
    : world_(world),
      network_(network),
      options_(broker_options()),
      policy_(rules(false, 1)),
      placement_(std::make_shared<const broker::Placement>(options_.partitions, world.cores())),
      disk_(options_.partitions) {
  boot();
}

Broker::~Broker() { halt(); }

void Broker::boot() {
  passwords_ = std::make_shared<access::PasswordQueue>(64);
  std::vector<broker::Shard*> shards;
  std::vector<gateway::mqtt::Door*> doors;
  for (unsigned core = 0; core < world_.cores(); ++core) {
    cores_.push_back(std::make_unique<Core>(*this, core));
    shards.push_back(&cores_.back()->shard);
    doors.push_back(&cores_.back()->door);
  }
  for (auto& core : cores_) {
    core->shard.connect(shards);
    core->door.connect(doors);
  }
  for (auto& core : cores_) must(core->shard.load().ok(), "what was stored cannot be read");
  std::size_t announced = 0;
  for (auto& core : cores_) core->shard.announce([&announced] { ++announced; });
  must(world_.run_until([&] { return announced == cores_.size(); }, 10'000), "recovery does not end");
  for (auto& core : cores_) core->shard.start();
  net::StreamOptions streams;
  streams.output_high_bytes = 4'000;
  streams.output_low_bytes = 1'000;
  for (unsigned core = 0; core < world_.cores(); ++core) {
    network_.listen(
        core, [door = &cores_[core]->door](std::unique_ptr<net::Stream> stream) { door->accept(std::move(stream)); }, streams);
  }
}

void Broker::halt() {
  for (unsigned core = 0; core < world_.cores(); ++core) {
    network_.stop_listening(core);
    world_.loop(core).drop_tasks();
  }
  for (auto& core : cores_) {
    for (std::size_t i = 0; i < broker::kDrops; ++i) ended_.drops[i].add(core->broker_counters.drops[i].get());
    for (auto counter : {&broker::Counters::seams_lost, &broker::Counters::takeovers, &broker::Counters::wills_sent,
                         &broker::Counters::redelivered, &broker::Counters::stored, &broker::Counters::log_reads,
                         &broker::Counters::sessions_expired, &broker::Counters::replay_gaps}) {
      (ended_.*counter).add((core->broker_counters.*counter).get());
    }
  }
  cores_.clear();
}

void Broker::crash() {
  halt();
  boot();
}

void Broker::set_guarded(bool guarded) {
  policy_ = rules(guarded, policy_->epoch() + 1);
  for (auto& core : cores_) core->shard.set_policy(policy_);
}

std::size_t Broker::largest_queue_bytes() const {
  std::size_t most = 0;
  for (const auto& core : cores_) most = std::max(most, core->shard.largest_queue_bytes());
  return most;
}

uint64_t Broker::sum(broker::Counter broker::Counters::*counter) const {
  uint64_t total = (ended_.*counter).get();
  for (const auto& core : cores_) total += (core->broker_counters.*counter).get();
  return total;
}

uint64_t Broker::dropped(broker::Drop reason) const {
  uint64_t total = ended_.drops[static_cast<std::size_t>(reason)].get();
  for (const auto& core : cores_) total += core->broker_counters.drops[static_cast<std::size_t>(reason)].get();
  return total;
}

bool Broker::is_stored(const std::string& topic, const std::string& payload) const {
  const auto id = placement_->partition_of(topic);
  const auto holds = [&](const auto& log) {
    engine::ReadRequest request;
    request.partition = id;
    request.topic = topic;
    request.bytes_max = request.scan_bytes_max = SIZE_MAX;
    const engine::ReadResult result = log.second.read(request);
    return std::any_of(result.records.begin(), result.records.end(),
                       [&](const engine::Record& record) { return name_of(*record.message).starts_with(payload); });
  };
  const auto& logs = disk_.partition(id)->logs;
  return std::any_of(logs.begin(), logs.end(), holds);
}

Broker::Settled Broker::settled() const {
  Settled out;
  Logs logs;
  for (engine::PartitionId id = 0; id < options_.partitions; ++id) {
    for (const auto& [log, stored] : disk_.partition(id)->logs) logs[{id, log}] = records_of({id, log}, stored, 0);
  }
  for (engine::PartitionId id = 0; id < options_.partitions; ++id) {
    for (const auto& [space, entries] : disk_.partition(id)->spaces) {
      for (const auto& [key, value] : entries) {
        if (space == engine::Space::sessions) {
          const auto record = broker::decode_session(value);
          must(record.ok(), "a session's record cannot be read");
          add_settled(record->cursors, logs, out[record->client_id]);
        } else if (space == engine::Space::groups) {
          const auto record = broker::decode_group(value);
          must(record.ok(), "a group's record cannot be read");
          add_settled(record->cursors, logs, out["$share/" + record->group + "/" + record->filter]);
        }
      }
    }
  }
  return out;
}

void Broker::add_settled(const std::vector<broker::CursorRecord>& cursors, const Logs& logs, std::set<std::string>& settled) {
  std::map<engine::LogName, const broker::CursorRecord*> cursor_of;
  for (const broker::CursorRecord& cursor : cursors) cursor_of[cursor.log] = &cursor;
  std::set<std::string> open;  // stored more than once, and not done with everywhere: a stream may have the other, not yet read
  for (const auto& [name, log] : logs) {
    const auto at = cursor_of.find(name);
    for (const engine::Record& stored : log) {
      const bool is_done = at != cursor_of.end() && is_settled(*at->second, stored.offset);
      (is_done ? settled : open).emplace(name_of(*stored.message));
    }
  }
  for (const std::string& payload : open) settled.erase(payload);
}

void Broker::show_streams(StreamJudge& judge) {
  judge.know(streams());
  for (engine::PartitionId id = 0; id < options_.partitions; ++id) {
    for (const auto& [log, stored] : disk_.partition(id)->logs) {
      if (log == engine::LogId::inbox) continue;
      const engine::LogBounds bounds = stored.bounds();
      broker::Shard& owner = cores_[placement_->core_of(id)]->shard;
      const uint64_t first = streams().find(log) == nullptr ? bounds.start : owner.log_at({id, log}).first();
      const uint64_t from = judge.note({id, log}, bounds.start, first, bounds.end);
      if (from >= bounds.end) continue;
      judge.note_stored({id, log}, records_of({id, log}, stored, from));
    }
  }
  judge.check_retention();
}

void Broker::show_stored(OnceJudge& judge) const {
  for (engine::PartitionId id = 0; id < options_.partitions; ++id) {
    for (const auto& [log, stored] : disk_.partition(id)->logs) {
      const engine::LogBounds bounds = stored.bounds();
      const uint64_t from = std::max(judge.told({id, log}), bounds.start);
      if (from >= bounds.end) continue;
      judge.note_stored({id, log}, records_of({id, log}, stored, from), bounds.end);
    }
  }
}

std::vector<engine::Record> Broker::records_of(engine::LogName name, const engine::MemoryLog& log, uint64_t from) {
  engine::ReadRequest request;
  request.partition = name.partition;
  request.log = name.log;
  request.from = from;
  request.bytes_max = request.scan_bytes_max = SIZE_MAX;
  return log.read(request).records;
}

uint64_t Broker::stray_receipts() const {
  uint64_t total = 0;
  for (const auto& core : cores_) total += core->mqtt_counters.stray_receipts.get();
  return total;
}

std::size_t Broker::connections() const {
  std::size_t total = 0;
  for (const auto& core : cores_) total += core->door.connections();
  return total;
}

}  // namespace arena::sim
