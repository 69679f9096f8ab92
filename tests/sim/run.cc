#include "sim/run.h"

#include <array>
#include <cstdio>
#include <utility>

#include "sim/broker.h"

namespace arena::sim {
namespace {

using arena::mqtt::Version;

class Run {
 public:
  Run(uint64_t seed, Tally& tally, bool verbose)
      : verbose_(verbose), tally_(tally), world_(seed, options_of(seed)), network_(world_), broker_(world_, network_) {
    oracle_.verbose = verbose;
    for (int i = 0; i < kClients; ++i) {
      clients_.push_back(std::make_unique<Client>("c" + std::to_string(i), world_, network_, oracle_, tally_));
      clients_.back()->verbose = verbose;
      dials_.push_back(random_dial(i));
    }
  }

  RunResult go() {
    if (below(5) != 0) network_.set_faults(net::SimFaults::harsh());
    for (int i = 0; i < kOperations; ++i) {
      operate(i);
      if (i % 40 == 39) fault();
      world_.run_for(static_cast<int64_t>(below(500)));
    }
    heal();
    oracle_.check_end();
    check_retained();
    say_goodbye();
    count();
    return {world_.trace_hash(), oracle_.failures()};
  }

 private:
  static runtime::SimOptions options_of(uint64_t seed) {
    runtime::SimOptions options;
    options.cores = 1 + static_cast<unsigned>(seed % 3);
    return options;
  }
  uint64_t below(uint64_t n) { return world_.random().below(n); }
  Client& any() { return *clients_[below(clients_.size())]; }
  void say(const std::string& what) {
    world_.trace(what);
    if (verbose_) std::fprintf(stderr, "%8lld %s\n", static_cast<long long>(world_.now_ms()), what.c_str());
  }

  Dial random_dial(int i) {
    Dial dial;
    dial.version = below(4) == 0 ? Version::v3_1_1 : Version::v5;
    // Half of the devices keep their session for good, some briefly, some not at all.
    dial.expiry_s = i % 2 == 0 ? 3600 : (below(3) == 0 ? 5 : 0);
    dial.clean = dial.expiry_s == 0 || below(10) == 0;
    if (dial.version == Version::v3_1_1) dial.expiry_s = dial.clean ? 0 : 3600;
    dial.will = below(3) == 0;
    dial.will_delay_s = below(2) == 0 ? 0 : static_cast<uint32_t>(below(8));
    dial.receive_max = static_cast<uint16_t>(1 + below(6));
    return dial;
  }

  void connect(std::size_t i) {
    Dial dial = random_dial(static_cast<int>(i));
    dial.version = dials_[i].version;
    if (dial.version == Version::v3_1_1) dial.expiry_s = dial.clean ? 0 : 3600;
    dials_[i] = dial;
    say(clients_[i]->name() + (dial.clean ? " connects clean" : " connects") + " expiry " + std::to_string(dial.expiry_s));
    clients_[i]->dial(dial);
  }

  std::string topic() {
    static constexpr std::array kTopics{"a/b", "a/c", "x/1/y", "x/2/y", "x/2/z", "deep/1/2/3/4"};
    return kTopics[below(kTopics.size())];
  }
  std::string filter() {
    static constexpr std::array kFilters{"a/b", "a/+", "x/#", "+/+", "x/+/y", "x/2/z", "deep/#", "+/1/#", "#", "secret/s", "r/+"};
    return kFilters[below(kFilters.size())];
  }
  Guarantee guarantee() { return static_cast<Guarantee>(below(3)); }

  void operate(int step) {
    const std::size_t i = below(clients_.size());
    Client& client = *clients_[i];
    const uint64_t dice = step < 12 ? 99 : below(100);
    if (!client.connected()) {
      if (!client.dialling() || below(4) == 0) connect(i);
    } else if (dice < 45) {
      const std::string to = topic();
      say(client.name() + " publishes to " + to);
      const Guarantee how = guarantee();
      const uint32_t expiry_s = below(12) == 0 ? 2 : 0;
      client.publish(to, how, false, expiry_s, below(4) == 0 ? 700 : 0);
    } else if (dice < 50) {
      client.publish("r/" + client.name(), guarantee(), true, 0, 0);
    } else if (dice < 52) {
      const Guarantee how = guarantee();
      client.publish("secret/s", how, below(2) == 0, 0, 0);
    } else if (dice < 68) {
      const std::string what = filter();
      say(client.name() + " subscribes to " + what);
      const std::string group = below(5) == 0 ? "g" : "";
      client.subscribe(what, group, guarantee());
    } else if (dice < 74) {
      client.unsubscribe();
    } else if (dice < 80) {
      client.hold_acks(below(2) == 0);
    } else if (dice < 84) {
      say(client.name() + " hangs up");
      client.hang_up();
    } else if (dice < 89) {
      say(client.name() + " vanishes");
      client.vanish();
    } else if (dice < 92) {
      connect(i);  // takes over from itself
    } else {
      client.subscribe(filter(), "", Guarantee::exactly_once);
    }
  }

  void fault() {
    switch (below(6)) {
      case 0:
      case 1:
        say("the broker crashes");
        tally_["fault: broker crash"]++;
        broker_.crash();
        break;
      case 2:
        say("a core stands still");
        tally_["fault: core pause"]++;
        pause_some_core();
        break;
      case 3:
        say("the store is full for a while");
        tally_["fault: store full"]++;
        broker_.disk().set_bytes_max(1);
        world_.at(2'000'000, [this] { broker_.disk().set_bytes_max(0); });
        break;
      case 4:
        say("connections are cut");
        tally_["fault: cut"]++;
        for (int n = 0; n < 3; ++n) any().cut();
        break;
      default:
        say("the wall clock jumps");
        tally_["fault: clock jump"]++;
        // Forwards only as far as no expiry is reached early; backwards makes everything live longer.
        world_.jump_wall(-static_cast<int64_t>(below(1000)));
    }
  }

  void pause_some_core() {
    const auto core = static_cast<unsigned>(below(world_.cores()));
    world_.pause_core(core, static_cast<int64_t>(below(3000)));
  }

  // The network is good again, everybody comes back and takes what is theirs.
  void heal() {
    say("all is healed");
    network_.set_faults({});
    broker_.disk().set_bytes_max(0);
    for (auto& client : clients_) client->hold_acks(false);
    const auto settled = [this] {
      bool all = true;
      for (std::size_t i = 0; i < clients_.size(); ++i) {
        if (!clients_[i]->connected()) all = false;
        if (clients_[i]->dial_timed_out()) clients_[i]->vanish();
        if (!clients_[i]->connected() && !clients_[i]->dialling()) reconnect(i);
      }
      for (auto& client : clients_) all = all && client->idle();
      return all;
    };
    int quiet_rounds = 0;  // a core may stand still for three seconds and then go on
    for (int round = 0; round < 60 && quiet_rounds < 4; ++round) {
      const uint64_t before = oracle_.deliveries();
      if (!world_.run_until(settled, 2'000) && round == 59) complain_unsettled();
      // Pings, so that the keep-alive does not end the quiet ones.
      for (auto& client : clients_) client->ping();
      world_.run_for(1'500);
      quiet_rounds = before == oracle_.deliveries() && settled() ? quiet_rounds + 1 : 0;
    }
  }

  void complain_unsettled() {
    for (const auto& client : clients_) {
      if (!client->connected()) oracle_.fail(client->name() + " cannot connect after all has healed");
      if (!client->idle()) oracle_.fail(client->name() + " waits for an answer after all has healed: " + client->waiting());
    }
  }

  void reconnect(std::size_t i) {
    Dial dial = dials_[i];
    dial.clean = dial.expiry_s == 0;
    dial.will = false;
    dials_[i] = dial;
    clients_[i]->dial(dial);
  }

  void check_retained() {
    Client probe("probe", world_, network_, oracle_, tally_);
    Dial dial;
    dial.clean = true;
    dial.receive_max = 100;
    probe.dial(dial);
    if (!world_.run_until([&] { return probe.connected(); }, 5'000)) return oracle_.fail("a new client cannot connect");
    probe.subscribe("r/+", "", Guarantee::at_least_once);
    world_.run_for(2'000);
    for (const auto& client : clients_) {
      for (const auto& [topic, index] : client->last_retained) {
        if (topic.starts_with("secret/")) continue;
        const auto seen = probe.retained_seen.find(topic);
        if (seen == probe.retained_seen.end()) {
          oracle_.fail("the last value of " + topic + " is gone");
        } else if (seen->second < index && oracle_.message(index).guarantee == oracle_.message(seen->second).guarantee) {
          oracle_.fail("the last value of " + topic + " is m" + std::to_string(seen->second) + ", older than m" + std::to_string(index));
        }
      }
    }
    probe.hang_up();
    world_.run_for(200);
  }

  // Clean sessions, clean goodbyes: nothing may be left of anybody.
  void say_goodbye() {
    for (std::size_t i = 0; i < clients_.size(); ++i) {
      Dial dial;
      dial.version = dials_[i].version;
      dial.clean = true;
      dial.will = true;
      clients_[i]->dial(dial);
    }
    world_.run_until([this] { return all_connected(); }, 5'000);
    Client watcher("watcher", world_, network_, oracle_, tally_);
    Dial dial;
    dial.clean = true;
    watcher.dial(dial);
    world_.run_until([&] { return watcher.connected(); }, 5'000);
    watcher.subscribe("will/#", "", Guarantee::at_least_once);
    world_.run_for(500);
    for (auto& client : clients_) {
      client->expect_no_will();
      client->hang_up();
    }
    world_.run_for(1'000);
    watcher.hang_up();
    world_.run_for(5'000);
    if (broker_.sum(&broker::Counters::sessions) != 0) oracle_.fail("sessions are left over");
    if (broker_.sum(&broker::Counters::subscriptions) != 0) oracle_.fail("subscriptions are left over");
    if (broker_.sum(&broker::Counters::groups) != 0) oracle_.fail("groups are left over");
    if (broker_.connections() != 0) oracle_.fail("connections are left over");
  }
  bool all_connected() {
    for (auto& client : clients_) {
      if (!client->connected()) return false;
    }
    return true;
  }

  void count() {
    for (const auto& [kind, n] : network_.report()) tally_["network: " + kind] += n;
    for (std::size_t i = 0; i < broker::kDrops; ++i) {
      tally_[std::string("dropped: ") + broker::kDropNames[i]] += broker_.dropped(static_cast<broker::Drop>(i));
    }
    tally_["broker: fell back to the log"] += broker_.sum(&broker::Counters::seams_lost);
    tally_["broker: wills sent"] += broker_.sum(&broker::Counters::wills_sent);
    tally_["broker: records stored"] += broker_.sum(&broker::Counters::stored);
    tally_["broker: log reads"] += broker_.sum(&broker::Counters::log_reads);
    tally_["broker: sessions expired"] += broker_.sum(&broker::Counters::sessions_expired);
    tally_["broker: takeovers"] += broker_.sum(&broker::Counters::takeovers);
    tally_["messages delivered"] += oracle_.deliveries();
  }

  const bool verbose_;
  Tally& tally_;
  runtime::SimWorld world_;
  net::SimNetwork network_;
  Oracle oracle_;
  Broker broker_;
  std::vector<std::unique_ptr<Client>> clients_;
  std::vector<Dial> dials_;
};

}  // namespace

RunResult run_seed(uint64_t seed, Tally& tally, bool verbose) { return Run(seed, tally, verbose).go(); }

}  // namespace arena::sim
