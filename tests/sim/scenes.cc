#include "sim/scenes.h"

#include <algorithm>
#include <array>
#include <utility>

#include "runtime/random.h"

namespace arena::sim {
namespace {

using arena::mqtt::Version;

constexpr uint64_t kKeptSalt = 0x4b657074;      // "Kept"
constexpr uint64_t kScenesSalt = 0x5363656e6573;  // "Scenes"

class Scenes {
 public:
  Scenes(Plan& plan, uint64_t salt) : plan_(plan), random_(runtime::mix64(plan.seed + salt)) {}

  // Each device has a last value of its own, which it changes and deletes; all want to know those of all.
  void keep() {
    if (below(2) != 0) return;
    std::vector<Step> before = std::exchange(plan_.steps, {});
    for (std::size_t i = 0; i < before.size(); ++i) {
      plan_.steps.push_back(std::move(before[i]));
      if (i < kGreetings || below(9) != 0) continue;
      const uint64_t dice = below(10);
      const std::size_t client = below(clients());
      if (dice < 3) {
        add(client, Act::subscribe, dice == 0 ? "k/#" : "k/+", pause());
        last().guarantee = guarantee();
      } else if (dice < 5) {
        flurry(client);
      } else {
        keep(client, dice < 8);
        last().wait_ms = pause();
      }
    }
  }

  void add_last() {
    if (below(6) == 0) give_back();
    if (below(12) == 0) ask_again();
    if (below(12) == 0) leave_with_a_full_window();
    if (!plan_.faulty_network && below(4) == 0) return change_rules_meanwhile();
    // How long things last is judged in good networks only.
    if (!plan_.faulty_network) {
      if (below(6) == 0) return crash_after_a_goodbye();
      const uint64_t dice = below(2);
      if (dice == 0) come_back_late();
      if (dice == 1) change_rules();
      return;
    }
    if (below(6) == 0) delete_while_asked();
    if (below(10) == 0) flurries();
  }

 private:
  static constexpr std::size_t kGreetings = 12;

  uint64_t below(uint64_t n) { return random_.below(n); }
  std::size_t clients() const { return plan_.first_dials.size(); }
  Guarantee guarantee() { return static_cast<Guarantee>(below(3)); }
  int64_t pause() {
    const uint64_t waits = below(2);
    return static_cast<int64_t>(waits * below(200));
  }
  Step& last() { return plan_.steps.back(); }
  static std::string topic_of(std::size_t client) { return "k/c" + std::to_string(client); }

  void add(std::size_t client, Act act, std::string name, int64_t wait_ms) {
    Step step;
    step.client = client;
    step.dial = plan_.first_dials[client];
    step.dial.clean = step.dial.expiry_s == 0;
    step.patient = true;
    step.act = act;
    step.name = std::move(name);
    step.guarantee = Guarantee::at_least_once;
    step.wait_ms = wait_ms;
    plan_.steps.push_back(std::move(step));
  }

  void keep(std::size_t client, bool set) {
    add(client, Act::publish, topic_of(client), 0);
    last().guarantee = guarantee();
    last().retain = true;
    last().deletes = !set;
  }

  // At most once, in one go, and one of them is kept.
  void flurry(std::size_t client) {
    const uint64_t all = 3 + below(4);
    const uint64_t kept = 0;
    for (uint64_t i = 0; i < all; ++i) {
      add(client, Act::publish, topic_of(client), 0);
      last().guarantee = Guarantee::at_most_once;
      last().retain = i == kept;
      last().deletes = i == kept && speaks(client) && below(3) == 0;
    }
    last().wait_ms = 60;
  }

  // Different ones; speaking: the first of them, MQTT 5.
  std::array<std::size_t, 3> three(bool speaking) {
    std::size_t first = below(clients());
    while (speaking && !speaks(first)) first = (first + 1) % clients();
    const std::size_t second = (first + 1 + below(clients() - 1)) % clients();
    std::size_t third = below(clients());
    while (third == first || third == second) third = (third + 1) % clients();
    return {first, second, third};
  }

  bool speaks(std::size_t client) const { return plan_.first_dials[client].version == Version::v5; }
  bool somebody_speaks() const {
    return std::any_of(plan_.first_dials.begin(), plan_.first_dials.end(), [](const Dial& dial) { return dial.version == Version::v5; });
  }

  // On a connection of its own, with a session that lasts so long.
  void begin(std::size_t client, uint32_t expiry_s) {
    add(client, Act::connect, "", 100);
    last().dial.expiry_s = expiry_s;
    last().dial.clean = expiry_s == 0;
    last().dial.will = false;
  }

  // Last values change and go while somebody asks for them who has others on their way.
  void delete_while_asked() {
    if (!somebody_speaks()) return;
    plan_.mail_delay_max_us = 50'000;
    const auto [publisher, reader, other] = three(true);
    begin(publisher, 3600);
    begin(reader, 0);
    add(reader, Act::subscribe, "k/#", 300);
    last().choice = 1;
    for (int i = 0; i < 4; ++i) {
      keep(publisher, true);
      last().guarantee = Guarantee::at_least_once;
      add(publisher, Act::await, "", 5);
      last().amount_ms = 300;
      const std::string filter = below(3) == 0 ? topic_of(publisher) : "k/+";
      add(reader, Act::subscribe, filter, static_cast<int64_t>(below(40)));
      keep(publisher, below(3) == 0);
      last().guarantee = Guarantee::at_least_once;
      last().wait_ms = static_cast<int64_t>(below(200));
    }
    last().wait_ms = 500;
  }

  // A member leaves with what it holds, which comes to another who asked for it otherwise.
  void give_back() {
    if (!somebody_speaks()) return;
    const auto [leaves, stays, publisher] = three(true);
    if (!speaks(stays)) return;
    begin(publisher, 3600);
    for (const std::size_t member : {leaves, stays}) {
      begin(member, below(2) == 0 ? 0 : 3600);
      add(member, Act::subscribe, "deep/#", 200);
      last().group = "given";
      last().guarantee = static_cast<Guarantee>(member == leaves ? 1 : 1 + below(2));
    }
    add(leaves, Act::hold_acks, "", 0);
    for (int i = 0; i < 6; ++i) {
      add(publisher, Act::publish, "deep/1/2/3/4", 20);
      last().guarantee = static_cast<Guarantee>(1 + below(2));
    }
    last().wait_ms = 300;
    add(leaves, below(2) == 0 ? Act::vanish : Act::hang_up, "", 500);
  }

  // A member whose window others fill unsubscribes from its group, which has given it something; then there is room.
  void leave_with_a_full_window() {
    if (!somebody_speaks()) return;
    const auto [leaves, stays, publisher] = three(true);
    begin(publisher, 3600);
    begin(stays, 0);
    begin(leaves, 0);
    last().dial.receive_max = 2;
    add(leaves, Act::subscribe, "solo/+", 200);
    for (const std::size_t member : {leaves, stays}) {
      add(member, Act::subscribe, "deep/#", 200);
      last().group = "full";
    }
    add(leaves, Act::hold_acks, "", 0);
    for (const char* topic : {"solo/1", "solo/1", "deep/1/2/3/4", "deep/1/2/3/4", "deep/1/2/3/4"}) add(publisher, Act::publish, topic, 100);
    last().wait_ms = 300;
    add(leaves, Act::unsubscribe, "", 300);
    last().choice = 1;
    add(leaves, Act::release_acks, "", 500);
  }

  void flurries() {
    plan_.mail_delay_max_us = 50'000;
    const auto [publisher, reader, other] = three(false);
    begin(publisher, 3600);
    begin(reader, 3600);
    add(reader, Act::subscribe, "k/+", 300);
    for (int i = 0; i < 3; ++i) flurry(publisher);
    last().wait_ms = 500;
  }

  // Somebody is away for longer than its session lasts, and its will comes before, with or after the end; or it ends
  // the session itself, by beginning another.
  void come_back_late() {
    if (!somebody_speaks()) return;
    const auto [leaves, stays, other] = three(true);
    begin(stays, 3600);
    add(stays, Act::subscribe, "will/#", 200);
    begin(leaves, below(3) == 0 ? UINT32_MAX : 2);
    last().dial.will = below(4) != 0;
    last().dial.will_delay_s = static_cast<uint32_t>(below(4));
    last().wait_ms = 300;
    add(leaves, Act::subscribe, "a/+", 300);
    if (below(2) == 0) last().group = "late";
    const bool soon = below(3) == 0;  // and begins another session
    add(leaves, below(soon ? 2 : 4) == 0 ? Act::hang_up : Act::vanish, "", soon ? 300 : 8'000);
    begin(leaves, soon ? 0 : 3600);
    last().wait_ms = 300;
  }

  // Somebody who has been quiet says goodbye; long after it was to be written, the broker crashes.
  void crash_after_a_goodbye() {
    const auto [leaves, stays, other] = three(false);
    begin(stays, 3600);
    add(stays, Act::subscribe, "will/#", 200);
    begin(leaves, 3600);
    last().dial.will = true;
    last().wait_ms = 2'500;
    add(leaves, Act::hang_up, "", 3'000);
    Step crash;
    crash.act = Act::crash;
    crash.wait_ms = 1'000;
    plan_.steps.push_back(crash);
  }

  // What waits for somebody whose window is full must not be read any more when it has room again.
  void change_rules() {
    if (!somebody_speaks()) return;
    const auto [reader, publisher, other] = three(true);
    begin(reader, 3600);
    last().dial.receive_max = 2;
    begin(publisher, 3600);
    add(reader, Act::subscribe, "a/+", 200);
    const bool shared = below(2) == 0;
    add(reader, Act::subscribe, shared ? "guard/+" : "guard/t", 200);
    last().guarantee = static_cast<Guarantee>(1 + below(2));
    if (shared) last().group = "ruled";
    Step rules;
    rules.act = Act::change_rules;
    rules.name = "allow";
    rules.wait_ms = 200;
    plan_.steps.push_back(rules);
    add(reader, Act::hold_acks, "", 0);
    for (int i = 0; i < 3; ++i) add(publisher, Act::publish, "a/b", 20);
    for (int i = 0; i < 3; ++i) {
      add(publisher, Act::publish, "guard/t", 20);
      last().guarantee = static_cast<Guarantee>(1 + below(2));
    }
    last().wait_ms = 300;
    rules.name = "forbid";
    rules.wait_ms = 300;
    plan_.steps.push_back(rules);
    add(reader, Act::release_acks, "", 500);
    rules.name = "allow";
    plan_.steps.push_back(rules);
  }

  void slow_store(int64_t ms) {
    Step slow;
    slow.act = Act::slow_store;
    slow.amount_ms = ms;
    plan_.steps.push_back(slow);
  }

  // Unsubscribes, and subscribes again before that is written; then it is away, and nobody else wants what comes.
  void ask_again() {
    const auto [reader, publisher, other] = three(false);
    for (std::size_t client = 0; client < clients(); ++client) begin(client, 0);
    begin(reader, 3600);
    add(reader, Act::subscribe, "solo/+", 300);
    slow_store(300);
    add(reader, Act::unsubscribe, "", 0);
    add(reader, Act::subscribe, "solo/+", 1'500);
    add(reader, Act::vanish, "", 700);
    for (int i = 0; i < 2; ++i) add(publisher, Act::publish, "solo/1", 700);
  }

  // The rules change while a delivery waits for its tag to be written.
  void change_rules_meanwhile() {
    if (!somebody_speaks()) return;
    const auto [reader, publisher, other] = three(true);
    begin(reader, 3600);
    begin(publisher, 3600);
    Step rules;
    rules.act = Act::change_rules;
    rules.name = "allow";
    rules.wait_ms = 200;
    plan_.steps.push_back(rules);
    add(reader, Act::subscribe, "guard/t", 200);
    last().guarantee = Guarantee::exactly_once;
    slow_store(800);
    add(publisher, Act::publish, "guard/t", 1'000);
    last().guarantee = Guarantee::exactly_once;
    rules.name = "forbid";
    rules.wait_ms = 1'500;
    plan_.steps.push_back(rules);
    rules.name = "allow";
    plan_.steps.push_back(rules);
  }

  Plan& plan_;
  runtime::Random random_;
};

}  // namespace

void add_kept(Plan& plan) { Scenes(plan, kKeptSalt).keep(); }

void add_scenes(Plan& plan) { Scenes(plan, kScenesSalt).add_last(); }

}  // namespace arena::sim
