// Goal: against a naive model, every timer fires exactly once, in the first advance at or after its deadline, never
// earlier, in the order of deadlines; and next_deadline_ms never oversleeps.
#include "runtime/timer_wheel.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <random>
#include <vector>

namespace arena::runtime {
namespace {

struct Probe {
  Probe() : timer(&Probe::on_fire, this) {}
  static void on_fire(void* self) { ++static_cast<Probe*>(self)->fired; }
  int fired = 0;
  Timer timer;
};

TEST(TimerWheel, FiresAtTheDeadlineAndNotBefore) {
  for (const int64_t start : {int64_t{0}, int64_t{63}, int64_t{64}, int64_t{4095}, int64_t{1'000'000'007}}) {
    for (const int64_t delay : {1, 2, 63, 64, 65, 4095, 4096, 4097, 300'000, 90'000'000}) {
      TimerWheel wheel(start);
      Probe probe;
      wheel.arm(probe.timer, start + delay);
      wheel.advance(start + delay - 1);
      ASSERT_EQ(probe.fired, 0) << start << ' ' << delay;
      wheel.advance(start + delay);
      ASSERT_EQ(probe.fired, 1) << start << ' ' << delay;
      ASSERT_FALSE(probe.timer.armed());
      ASSERT_EQ(wheel.next_deadline_ms(), TimerWheel::kNever);
    }
  }
}

TEST(TimerWheel, AVeryLongDelayIsKeptAndDoesNotOverflow) {
  TimerWheel wheel(5);
  Probe probe;
  wheel.arm(probe.timer, TimerWheel::kNever);
  wheel.advance(int64_t{1} << 41);
  EXPECT_EQ(probe.fired, 0);
  EXPECT_TRUE(probe.timer.armed());
}

TEST(TimerWheel, ACrowdThatIsDueAtOnceFiresInPartsAndInOrder) {
  TimerWheel wheel(0);
  std::vector<int> order;
  struct Numbered {
    Numbered(int its_number, std::vector<int>& its_order) : number(its_number), order(its_order), timer(&Numbered::on_fire, this) {}
    static void on_fire(void* context) {
      auto* self = static_cast<Numbered*>(context);
      self->order.push_back(self->number);
    }
    int number;
    std::vector<int>& order;
    Timer timer;
  };
  std::vector<std::unique_ptr<Numbered>> crowd;
  for (int n = 0; n < 10; ++n) {
    crowd.push_back(std::make_unique<Numbered>(n, order));
    wheel.arm(crowd.back()->timer, 100 + n / 5);
  }
  EXPECT_EQ(wheel.advance(200, 4), 4u);
  EXPECT_LE(wheel.next_deadline_ms(), 200);
  crowd[4].reset();
  Numbered late(10, order);
  wheel.arm(late.timer, 150);  // overdue, and behind those that were due before
  EXPECT_EQ(wheel.advance(200, 4), 4u);
  EXPECT_EQ(wheel.advance(201, 4), 2u);
  EXPECT_EQ(order, (std::vector<int>{0, 1, 2, 3, 5, 6, 7, 8, 9, 10}));
  EXPECT_EQ(wheel.next_deadline_ms(), TimerWheel::kNever);
}

struct Rearming {
  explicit Rearming(TimerWheel& w) : wheel(w), timer(&Rearming::on_fire, this) {}
  static void on_fire(void* context) {
    auto* self = static_cast<Rearming*>(context);
    ++self->fired;
    self->wheel.arm(self->timer, 0);
  }
  TimerWheel& wheel;
  int fired = 0;
  Timer timer;
};

TEST(TimerWheel, ATimerArmedByACallbackWaitsForTheNextTurn) {
  TimerWheel wheel(10);
  Rearming self(wheel);
  wheel.arm(self.timer, 10);
  EXPECT_EQ(wheel.advance(10), 1u);
  EXPECT_EQ(wheel.next_deadline_ms(), 10);
  EXPECT_EQ(wheel.advance(10), 1u);
  EXPECT_EQ(self.fired, 2);
}

struct Killer {
  explicit Killer(std::unique_ptr<Probe>& v) : victim(v), timer(&Killer::on_fire, this) {}
  static void on_fire(void* self) { static_cast<Killer*>(self)->victim.reset(); }
  std::unique_ptr<Probe>& victim;
  Timer timer;
};

TEST(TimerWheel, ACallbackMayDestroyATimerThatIsDueToo) {
  TimerWheel wheel(0);
  auto victim = std::make_unique<Probe>();
  Killer killer(victim);
  wheel.arm(killer.timer, 5);
  wheel.arm(victim->timer, 5);
  EXPECT_EQ(wheel.advance(5), 1u);
  EXPECT_EQ(victim, nullptr);
}

// One armed timer of the model; `id` tells re-armings apart.
class ModelRun {
 public:
  explicit ModelRun(uint64_t seed) : random_(seed), now_(pick(0, 1'000'000)), wheel_(now_) {
    for (int i = 0; i < 200; ++i) timers_.push_back(std::make_unique<Entry>(*this));
  }

  void run(int steps) {
    for (int i = 0; i < steps; ++i) step();
  }

 private:
  struct Entry {
    explicit Entry(ModelRun& r) : run(r), timer(&Entry::on_fire, this) {}
    static void on_fire(void* context) {
      auto* self = static_cast<Entry*>(context);
      self->run.fired(*self);
    }
    ModelRun& run;
    Timer timer;
    bool expected = false;
    int64_t deadline = 0;
  };

  int64_t pick(int64_t low, int64_t high) { return std::uniform_int_distribution<int64_t>(low, high)(random_); }
  int64_t pick_delay() { return pick(0, int64_t{1} << pick(0, 30)) - 2; }

  void step() {
    Entry& entry = *timers_[static_cast<std::size_t>(pick(0, 199))];
    switch (pick(0, 9)) {
      case 0: return disarm(entry);
      case 1: return advance();
      default: return arm(entry);
    }
  }
  void arm(Entry& entry) {
    entry.expected = true;
    entry.deadline = now_ + pick_delay();
    wheel_.arm(entry.timer, entry.deadline);
  }
  void disarm(Entry& entry) {
    entry.expected = false;
    entry.timer.disarm();
  }
  void fired(Entry& entry) {
    ASSERT_TRUE(entry.expected);
    ASSERT_LE(entry.deadline, now_);
    ASSERT_GE(std::max(entry.deadline, before_), last_fired_);  // overdue ones come first, in any order
    last_fired_ = entry.deadline;
    entry.expected = false;
    ++fired_in_advance_;
    if (pick(0, 3) == 0) {  // armed from inside a callback: must not fire in this advance
      arm(entry);
      late_.push_back(&entry);
    }
  }
  int64_t first_expected() const {
    int64_t first = TimerWheel::kNever;
    for (const auto& entry : timers_) {
      if (entry->expected) first = std::min(first, entry->deadline);
    }
    return first;
  }
  void advance() {
    ASSERT_LE(wheel_.next_deadline_ms(), std::max(first_expected(), now_));
    before_ = now_;
    last_fired_ = INT64_MIN;
    now_ += pick(0, int64_t{1} << pick(0, 26));
    std::size_t due = 0;
    for (const auto& entry : timers_) due += entry->expected && entry->deadline <= now_ ? 1 : 0;
    fired_in_advance_ = 0;
    late_.clear();
    ASSERT_EQ(wheel_.advance(now_), due);
    ASSERT_EQ(fired_in_advance_, due);
    for (Entry* entry : late_) ASSERT_TRUE(entry->timer.armed());
    for (const auto& entry : timers_) ASSERT_EQ(entry->timer.armed(), entry->expected);
  }

  std::mt19937_64 random_;
  int64_t now_;
  int64_t before_ = 0;
  int64_t last_fired_ = 0;
  std::size_t fired_in_advance_ = 0;
  std::vector<Entry*> late_;
  TimerWheel wheel_;
  std::vector<std::unique_ptr<Entry>> timers_;
};

TEST(TimerWheel, AgreesWithANaiveModel) {
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    ModelRun run(seed);
    run.run(4000);
    if (testing::Test::HasFatalFailure()) {
      FAIL() << "seed " << seed;
    }
  }
}

}  // namespace
}  // namespace arena::runtime
