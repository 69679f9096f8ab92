#include "sim/plan.h"

#include <array>
#include <utility>
#include <vector>

#include "runtime/random.h"
#include "sim/scenes.h"

namespace arena::sim {
namespace {

using arena::mqtt::Version;

constexpr std::size_t kClients = 6;
constexpr int kOperations = 200;
constexpr int kGreetings = 12;       // the first operations only connect and subscribe
constexpr int kOperationsPerFault = 40;
constexpr int kOperationsPerBurst = 16;  // on average
constexpr int kOperationsPerSleep = 60;
constexpr int kOperationsPerAbsence = 120;

constexpr uint64_t kStreamsSalt = 0x53747265616d73;  // "Streams"
constexpr uint64_t kOnceSalt = 0x4f6e6365;           // "Once"
constexpr uint64_t kLastSalt = 0x4c617374;           // "Last"
constexpr uint64_t kLivesSalt = 0x4c69766573;        // "Lives"

// What may be declared; none overlaps another.
constexpr std::array kStreams{std::pair{"a", "a/+"}, std::pair{"x", "x/+/y"}, std::pair{"z", "x/2/z"}, std::pair{"deep", "deep/#"},
                              std::pair{"r", "r/#"}};

class Planner {
 public:
  explicit Planner(uint64_t seed) : random_(seed), streams_random_(runtime::mix64(seed + kStreamsSalt)), once_random_(runtime::mix64(seed + kOnceSalt)), last_random_(runtime::mix64(seed + kLastSalt)), lives_random_(runtime::mix64(seed + kLivesSalt)) {
    plan_.seed = seed;
    has_streams_ = streams_below(2) == 0;
  }

  Plan make() {
    plan_.cores = 1 + static_cast<unsigned>(plan_.seed % 3);
    plan_.faulty_network = below(5) != 0;
    // Mail that takes longer than a client's questions: what one core knows, another may not know for a while.
    if (below(3) == 0) plan_.mail_delay_max_us = 50'000;
    for (std::size_t i = 0; i < kClients; ++i) {
      plan_.first_dials.push_back(dial(i, below(4) == 0 ? Version::v3_1_1 : Version::v5));
    }
    for (std::size_t i = 0; has_streams_ && i < kStreams.size(); ++i) {
      if (streams_below(5) < 2) plan_.steps.push_back(create_stream(i));
    }
    uint64_t crash_in = 0;  // operations
    for (int i = 0; i < kOperations; ++i) {
      Step step = operation(i < kGreetings);
      step.wait_ms = static_cast<int64_t>(below(500));
      plan_.steps.push_back(step);
      if (has_streams_) work_on_streams();
      if (i >= kGreetings && below(kOperationsPerBurst) == 0) burst();
      if (i >= kGreetings && below(kOperationsPerSleep) == 0) plan_.steps.push_back(sleep());
      if (i >= kGreetings && below(kOperationsPerAbsence) == 0) absence(crash_in);
      if (crash_in > 0 && --crash_in == 0) plan_.steps.push_back(crash());
      if (i % kOperationsPerFault != kOperationsPerFault - 1) continue;
      plan_.steps.push_back(fault());
      // A slow disk is often the last word of a machine.
      if (plan_.steps.back().act == Act::slow_store && below(2) == 0) crash_in = 2 + below(10);
    }
    lengthen_lives();
    if (once_below(4) != 0) publish_once();
    add_kept(plan_);
    if (last_below(3) == 0) last_scenes();
    if (last_below(8) == 0) set_clock_back();
    add_scenes(plan_);
    return std::move(plan_);
  }

 private:
  uint64_t below(uint64_t n) { return random_.below(n); }
  template <std::size_t N>
  std::string one_of(const std::array<const char*, N>& names) { return names[below(N)]; }
  Guarantee guarantee() { return static_cast<Guarantee>(below(3)); }

  Dial dial(std::size_t client, Version version) {
    Dial dial;
    dial.version = version;
    // Half of the devices keep their session for good, some briefly, some not at all.
    dial.expiry_s = client == 0 ? UINT32_MAX : client % 2 == 0 ? 3600 : (below(3) == 0 ? 5 : 0);
    dial.clean = dial.expiry_s == 0 || below(10) == 0;
    dial.will = below(3) == 0;
    // Now and then longer than the session lasts.
    dial.will_delay_s = below(2) == 0 ? 0 : static_cast<uint32_t>(below(5) == 0 ? 20 : below(8));
    if (version == Version::v3_1_1) {
      dial.expiry_s = dial.clean ? 0 : 3600;
      dial.will_delay_s = 0;
    }
    dial.receive_max = static_cast<uint16_t>(1 + below(6));
    return dial;
  }

  Step operation(bool greeting) {
    Step step;
    step.client = below(kClients);
    step.dial = dial(step.client, plan_.first_dials[step.client].version);
    step.patient = below(4) != 0;
    const uint64_t dice = greeting ? 99 : below(100);
    if (dice < 52) {
      publish(step, dice);
    } else if (dice < 68 || dice >= 92) {
      static constexpr std::array kFilters{"a/b", "a/+", "x/#", "+/+", "x/+/y", "x/2/z", "deep/#", "+/1/#",
                                           "#",   "r/+", "secret/s", "guard/t", "e/+"};
      step.act = Act::subscribe;
      step.name = one_of(kFilters);
      step.guarantee = dice >= 92 ? Guarantee::exactly_once : guarantee();
      if (dice < 68 && below(4) == 0) group(step);
    } else if (dice < 74) {
      step.act = Act::unsubscribe;
      step.choice = random_.next();
    } else if (dice < 80) {
      step.act = below(2) == 0 ? Act::hold_acks : Act::release_acks;
      step.choice = random_.next();
    } else {
      step.act = dice < 84 ? Act::hang_up : dice < 89 ? Act::vanish : Act::connect;
    }
    return step;
  }

  // Of few filters, so that a group has several members; now and then of any.
  void group(Step& step) {
    static constexpr std::array kShared{"a/+", "x/#", "#"};
    step.group = "g";
    if (below(3) != 0) step.name = one_of(kShared);
  }

  void publish(Step& step, uint64_t dice) {
    static constexpr std::array kTopics{"a/b", "a/c", "x/1/y", "x/2/y", "x/2/z", "deep/1/2/3/4"};
    static constexpr std::array kRuledTopics{"secret/s", "guard/t", "guard/t", "mute/m", "$lone/x", "gate/p", "e/v"};
    step.act = Act::publish;
    step.guarantee = guarantee();
    if (dice < 43) {
      step.name = one_of(kTopics);
      step.expiry_s = below(12) == 0 ? 2 : 0;
      step.padding = below(4) == 0 ? 700 : 0;
    } else if (dice < 48) {
      step.name = "r/c" + std::to_string(step.client);
      step.retain = true;
    } else {
      step.name = one_of(kRuledTopics);
      step.retain = below(2) == 0 || step.name == "e/v";
      step.expiry_s = step.name == "e/v" ? 2 : 0;
    }
  }

  // Several publishes at once that come to different things; then, mostly, the connection breaks and is made again.
  void burst() {
    static constexpr std::array kTopics{"a/b", "a/b", "x/1/y", "x/2/z", "mute/m", "$lone/x", "gate/p"};
    const std::size_t client = below(kClients);
    const Dial again = dial(client, plan_.first_dials[client].version);
    Step step;
    step.client = client;
    step.dial = again;
    step.patient = true;
    step.act = Act::publish;
    for (uint64_t left = 3 + below(4); left > 0; --left) {
      step.name = one_of(kTopics);
      const uint64_t dice = below(6);
      step.guarantee = dice == 0 ? Guarantee::at_most_once : dice == 1 ? Guarantee::at_least_once : Guarantee::exactly_once;
      step.wait_ms = 0;
      plan_.steps.push_back(step);
      if (dice == 0) plan_.steps.push_back(step);  // read together, two of them are one burst to the broker
    }
    plan_.steps.back().wait_ms = static_cast<int64_t>(below(30));
    const uint64_t dice = below(4);
    if (dice == 0) return;
    if (dice == 1) {
      step.act = Act::vanish;
      plan_.steps.push_back(step);
    }
    step.act = Act::connect;  // over the one that stands, if it was not cut
    step.dial.clean = step.dial.expiry_s == 0;
    step.wait_ms = static_cast<int64_t>(below(100));
    plan_.steps.push_back(step);
  }

  // Some of what expires lives so long that a good part of it passes in the log, some longer than any run; what does not
  // expire sometimes does so then, too. Drawn apart.
  void lengthen_lives() {
    for (Step& step : plan_.steps) {
      if (step.act != Act::publish) continue;
      const uint64_t dice = lives_random_.below(24);
      if (step.expiry_s != 0 && dice < 16) step.expiry_s = dice < 8 ? 40 : 2 * kForeverS;
      // Those that are looked at in the end do not end before.
      if (step.expiry_s == 0 && dice < 2) step.expiry_s = dice == 0 && !step.name.starts_with("r/") ? 40 : 2 * kForeverS;
    }
  }

  // ---- publishing once: drawn apart, too ----

  uint64_t once_below(uint64_t n) { return once_random_.below(n); }

  // Some of what is published is published under ids and by producers, and now and then again.
  void publish_once() {
    std::vector<Step> steps;
    // A last value without an id that is sent again takes the place of a later one, unless that is sent again, too: all have one,
    // or none.
    const bool retained = once_below(2) == 0;
    for (Step& step : plan_.steps) {
      const bool may = step.act == Act::publish && step.guarantee != Guarantee::at_most_once && step.expiry_s == 0;
      const uint64_t dice = may ? once_below(5) : 4;
      if (dice < 3) step.once = dice == 0 ? Once::id : Once::producer;
      if (step.retain) step.once = may && retained ? Once::id : Once::no;
      steps.push_back(std::move(step));
      if (once_below(12) != 0) continue;
      Step again;
      again.act = Act::repeat;
      again.client = once_below(kClients);
      again.dial = dial_of(again.client);
      again.patient = true;
      again.choice = once_random_.next();
      again.wait_ms = static_cast<int64_t>(once_below(2) * once_below(100));
      steps.push_back(std::move(again));
    }
    plan_.steps = std::move(steps);
  }

  // ---- close encounters, drawn apart, too: at the end of a run, so that no crash mends what goes wrong ----

  uint64_t last_below(uint64_t n) { return last_random_.below(n); }

  void last_scenes() {
    plan_.mail_delay_max_us = 50'000;
    const uint64_t dice = last_below(4);
    for (int i = 0; i < 3; ++i) {
      if (dice == 3) join_again();
      if (dice == 0) leave_group();
      if (dice == 1) subscribe_late();
      if (dice == 2 && !has_streams_) replay_what_comes(static_cast<std::size_t>(i));
    }
  }

  // The two who meet, and a third who publishes.
  std::array<std::size_t, 3> three() {
    const std::size_t first = last_below(kClients);
    const std::size_t second = (first + 1 + last_below(kClients - 1)) % kClients;
    std::size_t third = last_below(kClients);
    while (third == first || third == second) third = (third + 1) % kClients;
    return {first, second, third};
  }

  Step by(std::size_t client, Act act, const char* name, int64_t wait_ms) {
    Step step;
    step.client = client;
    step.dial = dial_of(client);
    step.act = act;
    step.name = name;
    step.guarantee = Guarantee::at_least_once;
    step.wait_ms = wait_ms;
    return step;
  }

  // On a connection of its own, with a session that lasts so long.
  void begin(std::size_t client, uint32_t expiry_s) {
    Step step = by(client, Act::connect, "", 100);
    step.dial.expiry_s = expiry_s;
    step.dial.clean = expiry_s == 0;
    plan_.steps.push_back(step);
  }

  // Between two values of a topic; somebody new is told the last.
  void set_clock_back() {
    const auto [publisher, reader, nobody] = three();
    const std::string topic = "r/c" + std::to_string(publisher);
    begin(publisher, 3600);
    for (const int64_t back_ms : {5000, 0}) {
      plan_.steps.push_back(by(publisher, Act::publish, topic.c_str(), 300));
      plan_.steps.back().retain = true;
      Step jump;
      jump.act = Act::jump_clock;
      jump.amount_ms = back_ms;
      if (back_ms != 0) plan_.steps.push_back(jump);
    }
    begin(reader, 0);
    plan_.steps.push_back(by(reader, Act::subscribe, topic.c_str(), 1000));
  }

  // A member says goodbye, and its session ends, while messages are on their way to it from the group's core.
  void leave_group() {
    const auto [stays, leaves, publisher] = three();
    begin(stays, 3600);
    begin(leaves, 0);
    begin(publisher, plan_.first_dials[publisher].expiry_s);
    for (const std::size_t member : {stays, leaves}) {
      plan_.steps.push_back(by(member, Act::subscribe, "a/+", 300));
      plan_.steps.back().group = "last";
    }
    const uint64_t leaving_at = 2 + last_below(6);
    for (uint64_t i = 0; i < 10; ++i) {
      if (i == leaving_at) plan_.steps.push_back(by(leaves, Act::hang_up, "", 0));
      plan_.steps.push_back(by(publisher, Act::publish, "a/b", static_cast<int64_t>(last_below(12))));
    }
    plan_.steps.back().wait_ms = 500;
  }

  // The only member subscribes again while it has not acknowledged what it holds.
  void join_again() {
    const std::size_t member = last_below(kClients);
    const std::size_t publisher = (member + 1 + last_below(kClients - 1)) % kClients;
    begin(member, 3600);
    begin(publisher, plan_.first_dials[publisher].expiry_s);
    Step join = by(member, Act::subscribe, "a/+", 300);
    join.group = "alone";
    plan_.steps.push_back(join);
    plan_.steps.push_back(by(member, Act::hold_acks, "", 0));
    for (int i = 0; i < 3; ++i) plan_.steps.push_back(by(publisher, Act::publish, "a/b", 100));
    plan_.steps.push_back(join);
    plan_.steps.push_back(by(member, Act::release_acks, "", 200));
    for (int i = 0; i < 4; ++i) plan_.steps.push_back(by(publisher, Act::publish, "a/c", 20));
  }

  // Somebody subscribes to what has just been acknowledged, while it may be on its way to another on the same core.
  void subscribe_late() {
    const auto [late, early, publisher] = three();
    begin(early, 3600);
    plan_.steps.push_back(by(early, Act::subscribe, "x/#", 300));
    begin(publisher, plan_.first_dials[publisher].expiry_s);
    begin(late, 0);
    for (const char* topic : {"x/1/y", "x/2/y", "x/2/z"}) {
      plan_.steps.push_back(by(publisher, Act::publish, topic, 0));
      Step await = by(publisher, Act::await, "", 2);
      await.amount_ms = 300;
      plan_.steps.push_back(await);
      plan_.steps.push_back(by(late, Act::subscribe, topic, 0));
      plan_.steps.back().choice = 1;
    }
    plan_.steps.back().wait_ms = 300;
  }

  // Replays of a filter that is known everywhere begin while a stream is added that they reach.
  void replay_what_comes(std::size_t which) {
    const char* filter = "#";
    static constexpr std::array kTopics{"a/b", "x/1/y", "x/2/z"};
    static constexpr std::size_t kOther = 3;  // deep/#
    const auto [reader, other, publisher] = three();
    begin(other, 3600);
    begin(reader, 3600);
    begin(publisher, plan_.first_dials[publisher].expiry_s);
    for (const std::size_t client : {other, reader, publisher}) plan_.steps.push_back(by(client, Act::subscribe, filter, 300));
    // One that they reach already, or they would be refused until the new one is known.
    plan_.steps.push_back(create_stream(kOther));
    plan_.steps.back().wait_ms = 600;
    plan_.steps.push_back(create_stream(which));
    plan_.steps.back().stream.retention = {};
    plan_.steps.back().wait_ms = static_cast<int64_t>(last_below(150));
    // Many, as it is a matter of milliseconds: too early none is there, too late it is nothing but there.
    for (const char* from : {"earliest", "0", "3600s"}) {
      for (const std::size_t client : {reader, other, publisher}) {
        plan_.steps.push_back(by(client, Act::replay, filter, static_cast<int64_t>(last_below(40))));
        plan_.steps.back().from = from;
      }
    }
    plan_.steps.back().wait_ms = 400;
    for (int i = 0; i < 4; ++i) plan_.steps.push_back(by(publisher, Act::publish, kTopics[which], 20));
  }

  // ---- streams: drawn apart, so that the rest of a plan is the same without them ----

  uint64_t streams_below(uint64_t n) { return streams_random_.below(n); }

  Step create_stream(std::size_t which) {
    const auto& [name, filter] = kStreams[which];
    Step step;
    step.act = Act::create_stream;
    step.stream.name = name;
    step.stream.filters = {filter};
    const uint64_t dice = streams_below(4);
    if (dice == 0) step.stream.retention.messages = 3 + streams_below(10);
    if (dice == 1) step.stream.retention.age_ms = 5'000 + static_cast<int64_t>(streams_below(20'000));
    step.wait_ms = static_cast<int64_t>(streams_below(2) * streams_below(200));
    return step;
  }

  // A stream takes topics over of which somebody who is away has messages to come, and may let go of its first soon.
  void take_over() {
    static constexpr std::array kTopics{"a/b", "x/1/y", "x/2/z", "deep/1/2/3/4"};
    const std::size_t which = streams_below(kTopics.size());
    Step step;
    step.client = 2 * streams_below(kClients / 2);  // one that keeps its session
    step.dial = dial_of(step.client);
    step.act = Act::subscribe;
    step.name = kStreams[which].second;
    step.guarantee = Guarantee::at_least_once;
    step.wait_ms = 300;
    plan_.steps.push_back(step);
    step.act = Act::sleep;
    step.choice = 1;
    step.amount_ms = 4'000 + static_cast<int64_t>(streams_below(6'000));
    plan_.steps.push_back(step);
    Step publish;
    publish.act = Act::publish;
    publish.client = (step.client + 1 + streams_below(kClients - 1)) % kClients;
    publish.dial = dial_of(publish.client);
    publish.patient = true;
    publish.name = kTopics[which];
    publish.guarantee = Guarantee::at_least_once;
    for (int i = 0; i < 4; ++i) plan_.steps.push_back(publish);
    plan_.steps.push_back(create_stream(which));
    if (streams_below(2) == 0) plan_.steps.back().stream.retention = {0, 0, 3};
    for (uint64_t left = 3 + streams_below(5); left > 0; --left) {
      publish.wait_ms = static_cast<int64_t>(streams_below(2) * streams_below(100));
      plan_.steps.push_back(publish);
    }
  }

  // Replays begin just when a stream comes that they reach.
  void begin_together() {
    std::vector<Step> steps{create_stream(streams_below(kStreams.size()))};
    for (int i = 0; i < 3; ++i) {
      steps.push_back(replay());
      steps.back().name = "#";
    }
    std::swap(steps[0], steps[streams_below(steps.size())]);
    for (Step& step : steps) {
      step.wait_ms = static_cast<int64_t>(streams_below(2) * streams_below(30));
      plan_.steps.push_back(std::move(step));
    }
  }

  void work_on_streams() {
    if (streams_below(5) == 0) plan_.steps.push_back(replay());
    const uint64_t dice = streams_below(200);
    Step step;
    step.choice = streams_random_.next();
    step.wait_ms = static_cast<int64_t>(streams_below(2) * streams_below(200));
    if (dice < 8) {
      step.act = Act::end_replay;
      step.client = streams_below(kClients);
      step.dial = dial_of(step.client);
      step.patient = true;
    } else if (dice < 13) {
      step = create_stream(streams_below(kStreams.size()));
    } else if (dice < 16) {
      return take_over();
    } else if (dice < 19) {
      return begin_together();
    } else if (dice < 21) {
      step.act = Act::purge_stream;
    } else if (dice < 25) {
      step.act = Act::remove_stream;
    } else if (dice < 29) {
      step.act = Act::edit_stream;
    } else {
      return;
    }
    plan_.steps.push_back(step);
  }

  // A connection of the usual kind, without what is drawn.
  Dial dial_of(std::size_t client) const {
    Dial dial = plan_.first_dials[client];
    dial.clean = dial.expiry_s == 0;
    return dial;
  }

  Step replay() {
    static constexpr std::array kFilters{"a/+", "a/+", "x/#", "#", "x/2/z", "deep/#", "+/+", "a/b", "r/+"};
    Step step;
    step.act = Act::replay;
    step.client = streams_below(kClients);
    step.dial = dial_of(step.client);
    step.patient = true;
    step.name = kFilters[streams_below(kFilters.size())];
    step.guarantee = static_cast<Guarantee>(streams_below(3));
    step.choice = streams_below(6) == 0 ? 1 : 0;
    const uint64_t dice = streams_below(10);
    step.from = dice < 4   ? "earliest"
                : dice < 5 ? "latest"
                : dice < 7 ? std::to_string(streams_below(12))
                : dice < 8 ? std::to_string(1 + streams_below(15)) + "s"
                           : "seen";
    step.wait_ms = static_cast<int64_t>(streams_below(2) * streams_below(200));
    return step;
  }

  Step sleep() {
    Step step;
    step.act = Act::sleep;
    step.client = below(kClients);
    step.choice = random_.next();
    step.amount_ms = 5'000 + static_cast<int64_t>(below(15'000));
    return step;
  }

  // A session that lasts a few seconds is left for longer than that, sometimes with a will that would wait longer still, and
  // sometimes the broker crashes meanwhile.
  void absence(uint64_t& crash_in) {
    Step step;
    step.client = below(kClients);
    step.dial = dial(step.client, plan_.first_dials[step.client].version);
    step.dial.clean = false;
    step.dial.expiry_s = 3;
    step.act = Act::connect;
    step.wait_ms = 500;
    plan_.steps.push_back(step);
    step = sleep();
    step.client = plan_.steps.back().client;
    step.choice |= 1;
    step.amount_ms += 8'000;
    plan_.steps.push_back(step);
    if (crash_in == 0 && below(2) == 0) crash_in = 1 + below(6);
  }

  static Step crash() {
    Step step;
    step.act = Act::crash;
    return step;
  }

  Step fault() {
    static constexpr std::array kFaults{Act::crash, Act::crash,     Act::pause_core,  Act::fill_store,
                                        Act::slow_store, Act::cut,   Act::jump_clock, Act::change_rules};
    Step step;
    step.act = kFaults[below(kFaults.size())];
    step.choice = random_.next();
    step.amount_ms = static_cast<int64_t>(below(step.act == Act::jump_clock ? 8000 : 3000));
    return step;
  }

  runtime::Random random_;
  runtime::Random streams_random_;
  runtime::Random once_random_;
  runtime::Random last_random_;
  runtime::Random lives_random_;
  bool has_streams_ = false;
  Plan plan_;
};

}  // namespace

Plan make_plan(uint64_t seed) { return Planner(seed).make(); }

}  // namespace arena::sim
