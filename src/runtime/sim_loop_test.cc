// Goal: the simulated loops keep the promises of Loop, and a seed decides everything.
#include "runtime/sim_loop.h"

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace arena::runtime {
namespace {

struct Call {
  explicit Call(std::function<void()> b) : body(std::move(b)), timer(&Call::run, this) {}
  static void run(void* self) { static_cast<Call*>(self)->body(); }
  std::function<void()> body;
  Timer timer;
};

// A busy little world: cores that post to each other, arm timers, do blocking work. Returns its trace.
uint64_t run_world(uint64_t seed, bool disturb_heap = false) {
  std::vector<std::unique_ptr<int>> garbage;
  SimWorld world(seed, SimOptions{.cores = 3});
  std::vector<std::unique_ptr<Call>> calls;
  std::function<void(unsigned, int)> act = [&](unsigned core, int left) {
    if (disturb_heap) garbage.push_back(std::make_unique<int>(left));  // other addresses, same trace
    if (left == 0) return;
    SimLoop& loop = world.loop(core);
    const auto next = static_cast<unsigned>(loop.random() % 3);
    world.trace("act " + std::to_string(core) + " at " + std::to_string(loop.now_ms()));
    switch (loop.random() % 3) {
      case 0: return loop.post(next, [&, next, left] { act(next, left - 1); });
      case 1:
        calls.push_back(std::make_unique<Call>([&, core, left] { act(core, left - 1); }));
        return loop.arm(calls.back()->timer, static_cast<int64_t>(loop.random() % 50));
      default:
        EXPECT_TRUE(loop.run_blocking(Lane::general, [] {}, [&, core, left] { act(core, left - 1); }));
    }
  };
  for (unsigned core = 0; core < 3; ++core) world.loop(core).defer([&, core] { act(core, 200); });
  while (world.step()) {
  }
  return world.trace_hash();
}

TEST(SimWorld, TheSameSeedGivesTheSameTrace) {
  std::set<uint64_t> traces;
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    const uint64_t trace = run_world(seed);
    EXPECT_EQ(trace, run_world(seed, true)) << seed;
    traces.insert(trace);
  }
  EXPECT_EQ(traces.size(), 20u);
}

TEST(SimWorld, MailKeepsItsOrderPerPairAndInterleavesAcrossSenders) {
  bool interleaved = false;
  for (uint64_t seed = 1; seed <= 30; ++seed) {
    SimWorld world(seed, SimOptions{.cores = 3});
    std::vector<int> got[2];
    std::vector<int> all;
    for (int n = 0; n < 50; ++n) {
      for (unsigned from = 0; from < 2; ++from) {
        world.loop(from).post(2, [&, from, n] {
          got[from].push_back(n);
          all.push_back(static_cast<int>(from));
        });
      }
      world.run_for(static_cast<int64_t>(world.random().below(2)));
    }
    ASSERT_TRUE(world.run_until([&] { return all.size() == 100; }, 1000));
    for (const auto& one : got) {
      for (int n = 0; n < 50; ++n) ASSERT_EQ(one[static_cast<std::size_t>(n)], n);
    }
    for (std::size_t i = 1; i < all.size(); ++i) interleaved = interleaved || all[i] != all[i - 1];
  }
  EXPECT_TRUE(interleaved);
}

TEST(SimWorld, TimersFireAtTheirTimeInVirtualTime) {
  SimWorld world(1);
  SimLoop& loop = world.loop(0);
  const int64_t start_ms = loop.now_ms();
  std::vector<int64_t> fired;
  Call later([&] { fired.push_back(loop.now_ms() - start_ms); });
  Call far([&] { fired.push_back(loop.now_ms() - start_ms); });
  loop.arm(later.timer, 10);
  loop.arm(far.timer, 86'400'000);
  world.run_for(9);
  EXPECT_TRUE(fired.empty());
  EXPECT_EQ(world.now_ms(), start_ms + 9);
  world.run_for(86'400'000);
  ASSERT_EQ(fired.size(), 2u);
  EXPECT_GE(fired[0], 10);
  EXPECT_LE(fired[0], 11);
  EXPECT_GE(fired[1], 86'400'000);
}

TEST(SimWorld, DeferredTasksRunAfterTheMailOfTheSameTurn) {
  SimWorld world(1);
  SimLoop& loop = world.loop(0);
  std::string order;
  loop.post(0, [&] {
    loop.defer([&] {
      order += 'd';
      loop.defer([&] { order += 'e'; });
    });
    order += '1';
  });
  loop.post(0, [&] { order += '2'; });
  ASSERT_TRUE(world.step());
  EXPECT_EQ(order, "12de");
}

TEST(SimWorld, CommitsRunOneByOneInOrderAndAFullLaneRefuses) {
  SimOptions options;
  options.blocking.commit_queue_max = 3;
  SimWorld world(5, options);
  std::vector<int> work, done;
  int accepted = 0;
  for (int i = 0; i < 10; ++i) {
    accepted += world.loop(0).run_blocking(
        Lane::commit, [&, i] { work.push_back(i); }, [&, i] { done.push_back(i); });
  }
  EXPECT_EQ(accepted, 4);  // one runs, three wait
  EXPECT_TRUE(work.empty());
  ASSERT_TRUE(world.run_until([&] { return done.size() == 4; }, 1000));
  EXPECT_EQ(work, (std::vector<int>{0, 1, 2, 3}));
  EXPECT_EQ(done, work);
  EXPECT_TRUE(world.loop(0).run_blocking(Lane::commit, [] {}, [] {}));
}

TEST(SimWorld, AJumpOfTheWallClockLeavesMonotonicTimeAlone) {
  SimWorld world(1);
  const int64_t wall = world.loop(0).wall_ms();
  const int64_t now = world.loop(0).now_ms();
  world.jump_wall(-3'600'000);
  EXPECT_EQ(world.loop(0).wall_ms(), wall - 3'600'000);
  world.run_for(5);
  EXPECT_EQ(world.loop(1).wall_ms(), wall - 3'600'000 + 5);
  EXPECT_EQ(world.loop(1).now_ms(), now + 5);
}

TEST(SimWorld, APausedCoreDoesNothing) {
  SimWorld world(1);
  bool ran = false;
  world.pause_core(0, 100);
  world.loop(1).post(0, [&] { ran = true; });
  world.run_for(99);
  EXPECT_FALSE(ran);
  world.run_for(2);
  EXPECT_TRUE(ran);
}

TEST(SimWorld, WhatIsLeftWhenItDiesIsDestroyed) {
  auto alive = std::make_shared<int>(0);
  {
    SimWorld world(1);
    world.loop(0).post(1, [alive] {});
    world.loop(0).defer([alive] {});
    world.at(5, [alive] {});
    EXPECT_TRUE(world.loop(0).run_blocking(Lane::general, [alive] {}, [alive] {}));
    EXPECT_EQ(alive.use_count(), 6);
  }
  EXPECT_EQ(alive.use_count(), 1);
}

}  // namespace
}  // namespace arena::runtime
