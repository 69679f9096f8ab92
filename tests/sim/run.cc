#include "sim/run.h"

#include <cstdio>
#include <memory>
#include <utility>

#include "sim/broker.h"

namespace arena::sim {
namespace {

constexpr std::size_t kMessageBytes = 1'500;  // more than any message of a run is accounted with

class Run {
 public:
  Run(const Plan& plan, Tally& tally, bool verbose)
      : plan_(plan), verbose_(verbose), tally_(tally), world_(plan.seed, options_of(plan)), network_(world_), broker_(world_, network_) {
    oracle_.verbose = verbose;
    oracle_.network_is_good = !plan.faulty_network;
    oracle_.streams().look = [this] {
      broker_.show_streams(oracle_.streams());
      broker_.show_stored(oracle_.once());
    };
    oracle_.streams().wall_ms = [this] { return world_.wall_ms(); };
    oracle_.is_stored = [this](const std::string& topic, const std::string& payload) { return broker_.is_stored(topic, payload); };
    dials_ = plan.first_dials;
    asleep_until_ms_.resize(dials_.size());
    for (std::size_t i = 0; i < dials_.size(); ++i) {
      clients_.push_back(std::make_unique<Client>("c" + std::to_string(i), world_, network_, oracle_, tally_));
      clients_.back()->verbose = verbose;
    }
  }

  RunResult go() {
    if (plan_.faulty_network) network_.set_faults(net::SimFaults::harsh());
    for (const Step& step : plan_.steps) {
      take(step);
      world_.run_for(step.wait_ms);
      oracle_.streams().look();
      check_bounds();
    }
    heal();
    oracle_.check_end();
    check_retained();
    say_goodbye();
    count();
    return {world_.trace_hash(), oracle_.failures(), std::move(story_)};
  }

 private:
  static runtime::SimOptions options_of(const Plan& plan) {
    runtime::SimOptions options;
    options.cores = plan.cores;
    options.mail_delay_max_us = plan.mail_delay_max_us;
    return options;
  }
  void say(const std::string& what) {
    world_.trace(what);
    char line[32];
    std::snprintf(line, sizeof line, "%8lld ", static_cast<long long>(world_.now_ms()));
    story_.push_back(line + what);
    if (verbose_) std::fprintf(stderr, "%s\n", story_.back().c_str());
  }

  void connect(std::size_t i, const Dial& dial) {
    dials_[i] = dial;
    std::string how = dial.clean ? " connects clean" : " connects";
    how += ", expiry " + std::to_string(dial.expiry_s) + " s, at most " + std::to_string(dial.receive_max) + " in flight";
    if (dial.will) how += ", will after " + std::to_string(dial.will_delay_s) + " s";
    say(clients_[i]->name() + how);
    clients_[i]->dial(dial);
  }

  void take(const Step& step) {
    if (step.act >= Act::crash) return fault(step);
    Client& client = *clients_[step.client];
    if (world_.now_ms() < asleep_until_ms_[step.client]) return;
    if (step.act == Act::sleep) {
      asleep_until_ms_[step.client] = world_.now_ms() + step.amount_ms;
      say(client.name() + (step.choice % 2 == 1 ? " vanishes for " : " sleeps for ") + std::to_string(step.amount_ms) + " ms");
      if (step.choice % 2 == 1) client.vanish();
    } else if (step.act == Act::connect) {  // or takes over from itself
      connect(step.client, step.dial);
    } else if (!client.connected()) {
      if (!client.dialling() || !step.patient) connect(step.client, step.dial);
    } else {
      act(client, step);
    }
  }

  void act(Client& client, const Step& step) {
    const std::string who = client.name();
    const std::string at = " at " + std::to_string(static_cast<int>(step.guarantee));
    switch (step.act) {
      case Act::publish:
        say(who + " publishes m" + std::to_string(oracle_.messages()) + " to " + step.name + at + (step.deletes ? ", which deletes" : step.retain ? ", retained" : "") +
            (step.expiry_s != 0 ? ", expires" : "") + (step.once == Once::no ? "" : step.once == Once::id ? ", under an id" : ", as a producer"));
        return client.publish({step.name, step.guarantee, step.retain, step.deletes, step.expiry_s, step.padding, step.once});
      case Act::await:
        say(who + " awaits its answers");
        world_.run_until([&] { return client.idle(); }, step.amount_ms);
        return;
      case Act::subscribe:
        say(who + " subscribes to " + step.name + at + (step.group.empty() ? "" : " in group " + step.group));
        return client.subscribe(step.name, step.group, step.guarantee, step.choice % 2 == 0);
      case Act::unsubscribe:
        say(who + " unsubscribes from " + client.unsubscribe(step.choice));
        return;
      case Act::hold_acks:
      case Act::release_acks:
        if (step.act == Act::release_acks) {
          say(who + " acknowledges again");
          return client.release_acks();
        }
        say(who + (step.choice % 2 == 1 ? " holds one acknowledgement back" : " holds its acknowledgements"));
        return client.hold_acks(step.choice % 2 == 1);
      case Act::replay:
        say(who + " replays " + step.name + " from " + step.from + at);
        return client.replay(step.name, step.from, step.guarantee, step.choice % 2 == 1);
      case Act::end_replay:
        say(who + " ends its replay " + client.end_replay(step.choice));
        return;
      case Act::repeat:
        say(who + " publishes again " + client.repeat(step.choice));
        return;
      case Act::hang_up:
        say(who + " hangs up");
        return client.hang_up(true);
      default:
        say(who + " vanishes");
        return client.vanish();
    }
  }

  void fault(const Step& step) {
    switch (step.act) {
      case Act::crash: {
        say("the broker crashes");
        tally_["fault: broker crash"]++;
        const auto settled = broker_.settled();
        oracle_.streams().look();
        broker_.crash();
        ++life_;
        oracle_.streams().crashed(broker_.streams(), world_.now_ms());
        return oracle_.crashed(world_.now_ms(), settled);
      }
      case Act::pause_core: {
        const auto core = static_cast<unsigned>(step.choice % world_.cores());
        say("core " + std::to_string(core) + " stands still for " + std::to_string(step.amount_ms) + " ms");
        tally_["fault: core pause"]++;
        oracle_.disturbed(world_.now_ms(), world_.now_ms() + step.amount_ms);
        return world_.pause_core(core, step.amount_ms);
      }
      case Act::fill_store:
        say("the store is full for 2 s");
        tally_["fault: store full"]++;
        broker_.disk().set_bytes_max(1);
        oracle_.store_full(world_.now_ms(), world_.now_ms() + 2'000);
        return world_.at(2'000'000, [this] { broker_.disk().set_bytes_max(0); });
      case Act::slow_store:
        say("a commit takes " + std::to_string(step.amount_ms) + " ms for 5 s");
        tally_["fault: store slow"]++;
        broker_.disk().set_commit_delay_ms(step.amount_ms);
        oracle_.disturbed(world_.now_ms(), world_.now_ms() + 5'000 + step.amount_ms);
        return world_.at(5'000'000, [this] { broker_.disk().set_commit_delay_ms(0); });
      case Act::cut:
        say("connections are cut");
        tally_["fault: cut"]++;
        for (unsigned n = 0; n < 3; ++n) clients_[(step.choice >> (8 * n)) % clients_.size()]->cut();
        return;
      case Act::jump_clock:
        say("the wall clock jumps back by " + std::to_string(step.amount_ms) + " ms");
        tally_["fault: clock jump"]++;
        // Forwards would let things expire early; backwards makes everything live longer.
        oracle_.clock_jumped_back(step.amount_ms);
        return world_.jump_wall(-step.amount_ms);
      case Act::create_stream: return create_stream(step.stream);
      case Act::purge_stream: return delete_stream(step.choice, false);
      case Act::remove_stream: return delete_stream(step.choice, true);
      case Act::edit_stream: return edit_stream(step.choice);
      default:
        guarded_ = step.name.empty() ? !guarded_ : step.name == "forbid";
        say(guarded_ ? "guard/# may not be read any more" : "guard/# may be read");
        tally_["fault: rules changed"]++;
        broker_.set_guarded(guarded_);
        oracle_.rules_changed(guarded_, world_.now_ms());
    }
  }

  // The judge hears of what is answered in this life of the broker.
  void create_stream(broker::StreamConfig config) {
    config.name += "." + std::to_string(++streams_created_);
    say("the stream " + config.name + " is created");
    oracle_.streams().creating(config, world_.now_ms());
    broker_.with_streams([this, config, life = life_](broker::StreamRegistry& registry) {
      registry.create(config, [this, name = config.name, life](const Result<broker::Stream>& made) {
        if (life != life_) return;
        tally_[made.ok() ? "stream created" : "stream refused"]++;
        oracle_.streams().created(name, made.ok(), world_.now_ms());
      });
    });
  }

  void delete_stream(uint64_t choice, bool whole) {
    const auto& all = broker_.streams().all();
    if (all.empty()) return;
    const std::string name = all[choice % all.size()].config.name;
    say("the stream " + name + (whole ? " is removed" : " is purged"));
    oracle_.streams().look();
    oracle_.streams().deleting(name, whole, world_.now_ms());
    broker_.with_streams([this, name, whole, life = life_](broker::StreamRegistry& registry) {
      auto done = [this, name, whole, life](const Result<Unit>& deleted) {
        if (life != life_) return;
        tally_[whole ? "stream removed" : "stream purged"] += deleted.ok() ? 1 : 0;
        oracle_.streams().deleted(name, whole, deleted.ok(), world_.now_ms());
      };
      whole ? registry.remove(name, std::move(done)) : registry.purge(name, std::move(done));
    });
  }

  // To a limit that is never met.
  void edit_stream(uint64_t choice) {
    const auto& all = broker_.streams().all();
    if (all.empty()) return;
    broker::StreamConfig config = all[choice % all.size()].config;
    config.budget_bytes = uint64_t{1} << 40;
    say("the stream " + config.name + " is edited");
    broker_.with_streams([this, config](broker::StreamRegistry& registry) {
      registry.edit(config, [this](const Result<broker::Stream>& edited) { tally_["stream edited"] += edited.ok() ? 1 : 0; });
    });
  }

  // A queue may pass its bound by the message that reaches it.
  void check_bounds() {
    const std::size_t most = broker_.largest_queue_bytes();
    if (most > broker_.options().queued_bytes_per_session_max + kMessageBytes) {
      oracle_.fail("a queue holds " + std::to_string(most) + " bytes");
    }
  }

  // The network is good again, everybody comes back and takes what is theirs.
  void heal() {
    say("all is healed");
    network_.set_faults({});
    broker_.disk().set_bytes_max(0);
    broker_.disk().set_commit_delay_ms(0);
    for (auto& client : clients_) client->release_acks();
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
    probe.subscribe("r/+", "", Guarantee::at_least_once, false);
    probe.subscribe("k/+", "", Guarantee::at_least_once, false);
    world_.run_for(2'000);
    for (const auto& [topic, publisher] : oracle_.last_values()) {
      if (!probe.last_values_seen.contains(topic)) oracle_.fail("the last value of " + topic + " is gone");
    }
    for (const auto& client : clients_) {
      for (const auto& [topic, index] : client->last_retained) {
        if (!topic.starts_with("r/")) continue;
        const auto seen = probe.last_values_seen.find(topic);
        if (seen == probe.last_values_seen.end()) {
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
    watcher.subscribe("will/#", "", Guarantee::at_least_once, false);
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
    if (broker_.stray_receipts() != 0) oracle_.fail("receipts came to publishes that awaited none");
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

  const Plan& plan_;
  const bool verbose_;
  bool guarded_ = false;
  unsigned life_ = 0;  // of the broker
  unsigned streams_created_ = 0;
  std::vector<std::string> story_;
  Tally& tally_;
  runtime::SimWorld world_;
  net::SimNetwork network_;
  Oracle oracle_;
  Broker broker_;
  std::vector<std::unique_ptr<Client>> clients_;
  std::vector<Dial> dials_;
  std::vector<int64_t> asleep_until_ms_;
};

}  // namespace

RunResult run_plan(const Plan& plan, Tally& tally, bool verbose) { return Run(plan, tally, verbose).go(); }

}  // namespace arena::sim
