// For tests: a whole broker on simulated cores over the memory engine, and subscribers that write down what they get.
#pragma once

#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "broker/shard.h"
#include "broker/stream/from.h"
#include "engine/memory/memory_store.h"
#include "runtime/sim_loop.h"

namespace arena::broker::test {

inline std::shared_ptr<const access::Policy> allow_all() {
  access::Policy::Options options;
  options.default_allow = true;
  return access::Policy::make({}, options).value();
}

class World {
 public:
  explicit World(unsigned cores = 1, uint64_t seed = 1, Options options = {}, runtime::SimOptions sim = {})
      : options_(options), disk_(options.partitions) {
    sim.cores = cores;
    sim_ = std::make_unique<runtime::SimWorld>(seed, sim);
    boot();
  }
  ~World() { halt(); }

  // Everything in memory is gone; what was committed comes back.
  void crash() {
    halt();
    boot();
  }

  runtime::SimWorld& sim() { return *sim_; }
  engine::MemoryDisk& disk() { return disk_; }
  Shard& home(const std::string& client, const std::string& user = "") {
    Principal principal;
    principal.name = user;
    return *shards_[shards_[0]->home_core(session_key(principal, client))];
  }
  Shard& shard(unsigned core) { return *shards_[core]; }
  unsigned cores() const { return static_cast<unsigned>(shards_.size()); }
  // Asks for streams as an operator does; tells how it ended.
  Result<Stream> create_stream(const std::string& name, std::vector<std::string> filters, Retention retention = {}, uint64_t budget = 0) {
    std::optional<Result<Stream>> result;
    StreamConfig config{name, std::move(filters), retention, budget};
    shards_[0]->with_streams([&result, config](StreamRegistry& registry) {
      registry.create(config, [&result](Result<Stream> got) { result = std::move(got); });
    });
    EXPECT_TRUE(settle([&] { return result.has_value(); })) << "no answer to creating the stream " << name;
    return std::move(*result);
  }
  std::vector<StreamInfo> streams() {
    std::optional<std::vector<StreamInfo>> infos;
    shards_[0]->with_streams([&infos](StreamRegistry& registry) {
      registry.list([&infos](std::vector<StreamInfo> got) { infos = std::move(got); });
    });
    EXPECT_TRUE(settle([&] { return infos.has_value(); }));
    return std::move(*infos);
  }
  Status change_streams(void (StreamRegistry::*change)(std::string, StreamRegistry::Done<Unit>), const std::string& name) {
    std::optional<Status> status;
    shards_[0]->with_streams([&status, change, name](StreamRegistry& registry) {
      (registry.*change)(name, [&status](Status got) { status = std::move(got); });
    });
    EXPECT_TRUE(settle([&] { return status.has_value(); }));
    return std::move(*status);
  }
  // Everything is allowed but what these rules deny; on this core alone when one is named.
  void deny(std::vector<access::Rule> rules, std::optional<unsigned> on = std::nullopt) {
    access::Policy::Options options;
    options.epoch = ++epoch_;
    options.default_allow = true;
    const auto policy = access::Policy::make(std::move(rules), options).value();
    for (unsigned core = 0; core < cores(); ++core) {
      if (!on || *on == core) shards_[core]->set_policy(policy);
    }
  }
  bool settle(UniqueFunction<bool()> done) { return sim_->run_until(std::move(done), 20'000); }
  void run_ms(int64_t ms) { sim_->run_for(ms); }
  uint64_t dropped(Drop reason) {
    uint64_t n = 0;
    for (const auto& counters : counters_) n += counters->drops[static_cast<std::size_t>(reason)].get();
    return n;
  }
  uint64_t sum(Counter Counters::*counter) {
    uint64_t n = 0;
    for (const auto& counters : counters_) n += (counters.get()->*counter).get();
    return n;
  }

 private:
  void boot() {
    auto placement = std::make_shared<const Placement>(options_.partitions, sim_->cores());
    std::vector<Shard*> all;
    for (unsigned core = 0; core < sim_->cores(); ++core) {
      stores_.push_back(std::make_unique<engine::MemoryStore>(sim_->loop(core), disk_));
      counters_.push_back(std::make_unique<Counters>());
      shards_.push_back(std::make_unique<Shard>(sim_->loop(core), *stores_[core], placement, options_, allow_all(), *counters_[core]));
      all.push_back(shards_.back().get());
    }
    for (auto& shard : shards_) shard->connect(all);
    for (auto& shard : shards_) ASSERT_TRUE(shard->load().ok());
    std::size_t announced = 0;
    for (auto& shard : shards_) shard->announce([&announced] { ++announced; });
    ASSERT_TRUE(sim_->run_until([&] { return announced == shards_.size(); }, 10'000));
    for (auto& shard : shards_) shard->start();
  }
  void halt() {
    for (unsigned core = 0; core < sim_->cores(); ++core) sim_->loop(core).drop_tasks();
    shards_.clear();
    stores_.clear();
    counters_.clear();
  }

  Options options_;
  uint32_t epoch_ = 1;
  engine::MemoryDisk disk_;
  std::unique_ptr<runtime::SimWorld> sim_;
  std::vector<std::unique_ptr<engine::MemoryStore>> stores_;
  std::vector<std::unique_ptr<Counters>> counters_;
  std::vector<std::unique_ptr<Shard>> shards_;
};

struct Got {
  std::string topic;
  std::string payload;
  Guarantee guarantee;
  uint16_t tag;
  bool redelivered;
  bool retained;
  std::vector<uint32_t> ids;
  std::optional<std::pair<LogName, uint64_t>> position;
  std::string gap;  // what the message says of a gap
};

// A client without a protocol. Acknowledges at once unless told otherwise.
class Peer final : public SessionSink {
 public:
  Peer(World& world, std::string client) : world_(world), client_(std::move(client)) {}
  ~Peer() override { drop(); }

  bool connect(bool clean = true, uint32_t expiry_s = 0, std::optional<Will> will = std::nullopt) {
    ask_to_open(clean, expiry_s, std::move(will));
    if (!world_.settle([&] { return open_ || refused_; })) return false;
    if (open_ && session_ != nullptr) session_->start();
    return open_;
  }
  bool is_open() const { return open_; }
  void ask_to_open(bool clean, uint32_t expiry_s, std::optional<Will> will = std::nullopt) {
    OpenRequest request;
    request.client_id = client_;
    request.principal.name = user;
    request.clean_start = clean;
    request.expiry_s = expiry_s;
    request.will = std::move(will);
    request.inflight_max = window;
    open_ = false;
    refused_.reset();
    session_ = world_.home(client_, user).open(request, *this);
  }
  void drop(DetachKind kind = DetachKind::abrupt) {
    if (session_ == nullptr) return;
    std::exchange(session_, nullptr)->detach(kind, std::nullopt);
  }
  // The process has crashed under it.
  void forget() { session_ = nullptr; }

  std::vector<SubscribeOutcome> subscribe(const std::string& filter, Guarantee granted, const std::string& group = "",
                                          uint32_t id = 0, RetainedOnSubscribe retained = RetainedOnSubscribe::always) {
    SubscribeRequest request;
    request.filter = filter;
    request.group = group;
    request.granted = granted;
    request.id = id;
    request.retained = retained;
    request.positions = positions;
    const uint64_t cookie = ++cookie_;
    session_->subscribe({request}, cookie);
    EXPECT_TRUE(world_.settle([&] { return subscribed_.contains(cookie); })) << "no answer to subscribe " << filter;
    return subscribed_[cookie];
  }
  uint64_t send_replay(const std::string& filter, const std::string& from, Guarantee granted = Guarantee::at_least_once) {
    SubscribeOrder order;
    order.filter = filter;
    order.granted = granted;
    order.positions = true;
    order.from = parse_from(from, world_.sim().loop(0).wall_ms()).value();
    order.replay_name = "replay " + filter;
    const uint64_t cookie = ++cookie_;
    session_->subscribe({std::move(order)}, cookie);
    return cookie;
  }
  bool answered(uint64_t cookie) {
    return world_.settle([&] { return subscribed_.contains(cookie); });
  }
  SubscribeStatus replay(const std::string& filter, const std::string& from, Guarantee granted = Guarantee::at_least_once) {
    const uint64_t cookie = send_replay(filter, from, granted);
    EXPECT_TRUE(answered(cookie)) << "no answer to replay " << filter;
    return subscribed_[cookie].at(0).status;
  }
  bool unsubscribe(const std::string& filter, const std::string& group = "") {
    const uint64_t cookie = ++cookie_;
    session_->unsubscribe({{group, filter}}, cookie);
    EXPECT_TRUE(world_.settle([&] { return unsubscribed_.contains(cookie); }));
    return unsubscribed_[cookie];
  }
  uint64_t send(const std::string& topic, const std::string& payload, Guarantee guarantee, bool retain = false, uint16_t tag = 0) {
    auto message = std::make_unique<Message>();
    message->topic = topic;
    message->payload = payload;
    message->guarantee = guarantee;
    message->retain = retain;
    const uint64_t cookie = ++cookie_;
    session_->publish(std::move(message), tag, cookie);
    return cookie;
  }
  uint64_t send_by(const PublishKey& key, const std::string& topic, const std::string& payload, Guarantee guarantee, uint16_t tag = 0,
                   bool retain = false) {
    auto message = std::make_unique<Message>();
    message->topic = topic;
    message->payload = payload;
    message->guarantee = guarantee;
    message->retain = retain;
    const uint64_t cookie = ++cookie_;
    session_->publish(std::move(message), tag, cookie, &key);
    return cookie;
  }
  Receipt publish_by(const PublishKey& key, const std::string& topic, const std::string& payload, Guarantee guarantee, uint16_t tag = 0,
                     bool retain = false) {
    const uint64_t cookie = send_by(key, topic, payload, guarantee, tag, retain);
    EXPECT_TRUE(world_.settle([&] { return receipts.contains(cookie); })) << "no receipt for " << topic;
    return receipts[cookie];
  }
  Receipt publish(const std::string& topic, const std::string& payload, Guarantee guarantee, bool retain = false, uint16_t tag = 0) {
    const uint64_t cookie = send(topic, payload, guarantee, retain, tag);
    EXPECT_TRUE(world_.settle([&] { return receipts.contains(cookie); })) << "no receipt for " << topic;
    return receipts[cookie];
  }
  bool release_inbound(uint16_t tag) {
    const uint64_t cookie = ++cookie_;
    session_->release(tag, cookie);
    EXPECT_TRUE(world_.settle([&] { return released_.contains(cookie); }));
    return released_[cookie];
  }
  bool was_released(uint64_t cookie) const { return released_.contains(cookie); }
  std::vector<std::string> payloads() const {
    std::vector<std::string> out;
    for (const Got& got : received) out.push_back(got.payload);
    return out;
  }
  bool wait_for(std::size_t n) { return world_.settle([&] { return received.size() >= n; }); }

  // Ready for so many more.
  void take(std::size_t n) {
    takes_max = received.size() + n;
    session_->resume();
  }

  void opened(Session&, bool is_present) override {
    open_ = true;
    present = is_present;
  }
  void open_refused(Outcome reason) override {
    refused_ = reason;
    session_ = nullptr;
  }
  DeliverResult deliver(const Delivery& delivery) override {
    received.push_back({delivery.message->topic, delivery.message->payload, delivery.guarantee, delivery.tag,
                        delivery.redelivered, delivery.retained,
                        {delivery.subscription_ids.begin(), delivery.subscription_ids.end()},
                        delivery.position == nullptr ? std::nullopt : std::optional(*delivery.position), gap_of(*delivery.message)});
    if (delivery.tag == 0 || !auto_settle) return DeliverResult::sent;
    later([this, tag = delivery.tag, guarantee = delivery.guarantee] {
      if (guarantee == Guarantee::at_least_once) {
        session_->settle(tag);
      } else {
        session_->received(tag);
      }
    });
    return DeliverResult::sent;
  }
  bool deliver_burst(const BurstRef& burst) override {
    for (std::size_t i = 0; i < burst->size(); ++i) {
      received.push_back({burst->head().topic, std::string(burst->payload(i)), Guarantee::at_most_once, 0, false, false, {}, {}, {}});
    }
    return true;
  }
  bool ready() const override { return is_ready && received.size() < takes_max; }
  void release(uint16_t tag, bool) override {
    releases.push_back(tag);
    if (auto_settle) later([this, tag] { session_->settle(tag); });
  }
  void published(uint64_t cookie, const Receipt& receipt) override { receipts[cookie] = receipt; }
  void released(uint64_t cookie, bool known) override { released_[cookie] = known; }
  void subscribed(uint64_t cookie, std::span<const SubscribeOutcome> outcomes) override {
    subscribed_[cookie] = {outcomes.begin(), outcomes.end()};
  }
  void unsubscribed(uint64_t cookie, std::span<const bool> existed) override { unsubscribed_[cookie] = existed[0]; }
  void closed(EndReason reason) override {
    close_reason = reason;
    session_ = nullptr;
  }

  Session* session() { return session_; }
  std::vector<Got> received;
  std::vector<uint16_t> releases;
  std::map<uint64_t, Receipt> receipts;
  std::optional<EndReason> close_reason;
  bool present = false;
  bool auto_settle = true;
  bool is_ready = true;
  std::size_t takes_max = SIZE_MAX;  // not ready for more than these
  std::size_t window = 10;
  bool positions = false;  // asks for them when it subscribes
  std::string user;  // empty: anonymous

 private:
  static std::string gap_of(const Message& message) {
    if (!message.extras) return {};
    for (const Header& header : message.extras->headers) {
      if (header.first == "arena-gap") return header.second;
    }
    return {};
  }
  // As a real client would: in a later turn, if the connection still stands.
  void later(UniqueFunction<void()> act) {
    Shard& home = world_.home(client_, user);
    home.loop().post(home.core(), [this, alive = std::weak_ptr<int>(alive_), session = session_, act = std::move(act)]() mutable {
      if (!alive.expired() && session_ != nullptr && session_ == session) act();
    });
  }

  World& world_;
  std::string client_;
  Session* session_ = nullptr;
  bool open_ = false;
  std::optional<Outcome> refused_;
  uint64_t cookie_ = 0;
  std::map<uint64_t, std::vector<SubscribeOutcome>> subscribed_;
  std::map<uint64_t, bool> unsubscribed_;
  std::map<uint64_t, bool> released_;
  std::shared_ptr<int> alive_ = std::make_shared<int>(0);
};

}  // namespace arena::broker::test
