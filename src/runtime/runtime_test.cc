// Goal: what crosses threads: posts in order and none lost, sleepers woken, blocking lanes, the start and the end.
// Meant to run under the thread sanitizer too.
#include "runtime/runtime.h"

#include <gtest/gtest.h>
#include <pthread.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "runtime/clock.h"
#include "runtime/crew.h"
#include "runtime/watchdog.h"

namespace arena::runtime {
namespace {

// A condition that other threads raise; waiting has a deadline.
class Event {
 public:
  void set() {
    const std::lock_guard lock(mutex_);
    set_ = true;
    changed_.notify_all();
  }
  bool wait(int timeout_ms = 10000) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::milliseconds(timeout_ms), [this] { return set_; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool set_ = false;
};

RuntimeOptions threads_of_their_own() {
  RuntimeOptions options;
  options.gather = false;
  return options;
}

TEST(Runtime, PostsKeepTheirOrderPerPairAndNoneIsLost) {
  constexpr unsigned kCores = 4;
  constexpr uint32_t kPosts = 20000;
  Runtime runtime(kCores, 1, threads_of_their_own());
  // seen[to][from]: touched by core `to` only.
  std::vector<std::vector<uint32_t>> seen(kCores, std::vector<uint32_t>(kCores, 0));
  std::atomic<uint32_t> full{0};
  std::atomic<bool> ordered{true};
  Event done;
  std::function<void(unsigned, uint32_t)> send = [&](unsigned from, uint32_t first) {
    for (uint32_t n = first; n < first + 100; ++n) {
      for (unsigned to = 0; to < kCores; ++to) {
        runtime.loop(from).post(to, [&, from, to, n] {
          uint32_t& next = seen[to][from];
          if (next != n) ordered = false;
          if (++next == kPosts && full.fetch_add(1) + 1 == kCores * kCores) done.set();
        });
      }
    }
    if (first + 100 < kPosts) runtime.loop(from).defer([&, from, first] { send(from, first + 100); });
  };
  runtime.start([&](EpollLoop& loop) { loop.post(loop.core(), [&, core = loop.core()] { send(core, 0); }); });
  EXPECT_TRUE(done.wait(60000));
  EXPECT_TRUE(ordered);
}

TEST(Runtime, APingBetweenSleepingCoresNeverStalls) {
  // Each hop finds the other core asleep or about to sleep: a lost wake-up would hang here.
  Runtime runtime(2, 1, threads_of_their_own());
  Event done;
  std::function<void(int)> hop = [&](int left) {
    if (left == 0) return done.set();
    const unsigned here = static_cast<unsigned>(left % 2);
    runtime.loop(here).post(1 - here, [&hop, left] { hop(left - 1); });
  };
  runtime.start({});
  runtime.loop(0).post_from_outside([&hop] { hop(20000); });
  EXPECT_TRUE(done.wait(60000));
}

TEST(Runtime, PostsFromOutsideWakeASleepingLoop) {
  Runtime runtime(1, 1);
  runtime.start({});
  for (int i = 0; i < 200; ++i) {
    Event ran;
    runtime.loop(0).post_from_outside([&] { ran.set(); });
    ASSERT_TRUE(ran.wait());
  }
}

TEST(Runtime, CallbacksRunInTheOrderOfCoresOnTheirOwnThreads) {
  std::vector<std::string> order;  // never touched by two cores at once
  std::vector<std::thread::id> threads(3);
  {
    Runtime runtime(3, 1);
    runtime.start(
        [&](EpollLoop& loop) {
          order.push_back("init " + std::to_string(loop.core()));
          threads[loop.core()] = std::this_thread::get_id();
        },
        [&](EpollLoop& loop) {
          EXPECT_EQ(threads[loop.core()], std::this_thread::get_id());
          order.push_back("end " + std::to_string(loop.core()));
        });
    EXPECT_EQ(order, (std::vector<std::string>{"init 0", "init 1", "init 2"}));
  }
  EXPECT_EQ(order, (std::vector<std::string>{"init 0", "init 1", "init 2", "end 0", "end 1", "end 2"}));
}

TEST(Runtime, CoreThreadsBlockTheSignalsOfTheMainThread) {
  Runtime runtime(1, 1);
  Event looked;
  bool all_blocked = false;
  const auto look = [&] {
    sigset_t mask;
    pthread_sigmask(SIG_SETMASK, nullptr, &mask);
    all_blocked = sigismember(&mask, SIGTERM) == 1 && sigismember(&mask, SIGINT) == 1 && sigismember(&mask, SIGHUP) == 1;
  };
  runtime.start({});
  runtime.loop(0).post_from_outside([&] {
    look();
    const bool core_blocked = all_blocked;
    EXPECT_TRUE(runtime.loop(0).run_blocking(Lane::commit, look, [&, core_blocked] {
      all_blocked = all_blocked && core_blocked;
      looked.set();
    }));
  });
  ASSERT_TRUE(looked.wait());
  EXPECT_TRUE(all_blocked);
}

TEST(Runtime, BlockingWorkRunsElsewhereAndItsResultComesBack) {
  Runtime runtime(2, 1);
  Event done;
  std::thread::id worker, back, core;
  runtime.start({});
  runtime.loop(1).post_from_outside([&] {
    core = std::this_thread::get_id();
    EXPECT_TRUE(runtime.loop(1).run_blocking(
        Lane::general, [&] { worker = std::this_thread::get_id(); },
        [&] {
          back = std::this_thread::get_id();
          done.set();
        }));
  });
  ASSERT_TRUE(done.wait());
  EXPECT_EQ(back, core);
  EXPECT_NE(worker, core);
}

TEST(Runtime, CommitsRunInOrderAndAFullLaneRefuses) {
  RuntimeOptions options;
  options.blocking.commit_queue_max = 3;
  Runtime runtime(1, 1, options);
  Event first_runs, go, done;
  std::vector<int> order;  // the commit thread's, then the loop's
  std::vector<int> results;
  runtime.start({});
  runtime.loop(0).post_from_outside([&] {
    EpollLoop& loop = runtime.loop(0);
    EXPECT_TRUE(loop.run_blocking(
        Lane::commit,
        [&] {
          first_runs.set();
          go.wait();
          order.push_back(0);
        },
        [&] { results.push_back(0); }));
    EXPECT_TRUE(first_runs.wait());  // it has left the queue
    for (int i = 1; i <= 3; ++i) {
      EXPECT_TRUE(loop.run_blocking(
          Lane::commit, [&, i] { order.push_back(i); },
          [&, i] {
            results.push_back(i);
            if (i == 3) done.set();
          }));
    }
    EXPECT_FALSE(loop.run_blocking(Lane::commit, [&] { order.push_back(9); }, [&] { results.push_back(9); }));
    EXPECT_TRUE(loop.run_blocking(Lane::password, [] {}, [] {})) << "another lane's queue is its own";
    go.set();
  });
  ASSERT_TRUE(done.wait());
  EXPECT_EQ(order, (std::vector<int>{0, 1, 2, 3}));
  EXPECT_EQ(results, (std::vector<int>{0, 1, 2, 3}));
}

TEST(Runtime, StoppingFinishesCommitsAndDropsTheRest) {
  std::atomic<int> commits{0};
  auto alive = std::make_shared<int>(0);
  {
    Runtime runtime(2, 1);
    Event submitted;
    runtime.start({});
    runtime.loop(0).post_from_outside([&] {
      for (int i = 0; i < 50; ++i) {
        EXPECT_TRUE(runtime.loop(0).run_blocking(Lane::commit, [&] { ++commits; }, [alive] {}));
        runtime.loop(0).run_blocking(Lane::general, [alive] {}, [alive] {});
      }
      submitted.set();
    });
    ASSERT_TRUE(submitted.wait());
  }
  EXPECT_EQ(commits, 50);
  EXPECT_EQ(alive.use_count(), 1);
}

TEST(Runtime, PostingWhileEverythingStopsIsSafe) {
  for (int round = 0; round < 50; ++round) {
    auto alive = std::make_shared<int>(0);
    {
      Runtime runtime(3, 1, round % 2 == 0 ? threads_of_their_own() : RuntimeOptions{});
      std::function<void(unsigned)> storm = [&](unsigned core) {
        for (unsigned to = 0; to < 3; ++to) runtime.loop(core).post(to, [alive] {});
        runtime.loop(core).post(core, [&storm, core, alive] { storm(core); });
      };
      runtime.start([&](EpollLoop& loop) { storm(loop.core()); });
      runtime.stop();
      runtime.join();
    }
    EXPECT_EQ(alive.use_count(), 1);
  }
}

TEST(Runtime, BusyShareTellsIdleFromBusy) {
  Runtime runtime(2, 1, threads_of_their_own());
  std::atomic<bool> spin{true};
  runtime.start({});
  std::function<void()> burn = [&] {
    if (spin) runtime.loop(0).post(0, [&burn] { burn(); });
  };
  runtime.loop(0).post_from_outside([&burn] { burn(); });
  const int64_t end_ns = monotonic_ns() + 20'000'000'000;
  while (runtime.loop(0).busy_permille() < 900 && monotonic_ns() < end_ns) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  EXPECT_GE(runtime.loop(0).busy_permille(), 900u);
  EXPECT_LE(runtime.loop(1).busy_permille(), 100u);
  spin = false;
  runtime.stop();
  runtime.join();  // before `burn` goes
}

TEST(Crew, OneThreadTurnsAllLoopsWhileItHasTheTime) {
  Runtime runtime(3, 1);
  runtime.start({});
  std::vector<std::thread::id> threads(3);
  for (unsigned core = 0; core < 3; ++core) {
    Event ran;
    runtime.loop(core).post_from_outside([&] {
      threads[core] = std::this_thread::get_id();
      ran.set();
    });
    ASSERT_TRUE(ran.wait());
  }
  EXPECT_EQ(threads, std::vector(3, threads[0]));
  EXPECT_EQ(runtime.crew().working(), 1u);
}

TEST(Crew, TimersFireAndMailPassesBetweenLoopsOnOneThread) {
  Runtime runtime(2, 1);
  Event done;
  runtime.start({});
  struct Chain {
    Runtime& runtime;
    Event& done;
    int left = 100;
    Timer timer{&Chain::on_timer, this};
    static void on_timer(void* self) {
      Chain& chain = *static_cast<Chain*>(self);
      chain.runtime.loop(1).post(0, [&chain] {
        if (--chain.left == 0) return chain.done.set();
        chain.runtime.loop(0).post(1, [&chain] { chain.runtime.loop(1).arm(chain.timer, chain.left % 3); });
      });
    }
  } chain{runtime, done};
  runtime.loop(1).post_from_outside([&] { runtime.loop(1).arm(chain.timer, 1); });
  EXPECT_TRUE(done.wait());
}

// Loops change their threads again and again while they write to each other.
TEST(Crew, LoopsMoveBetweenThreadsWithoutLosingAnything) {
  constexpr unsigned kCores = 4;
  Runtime runtime(kCores, 1);
  std::vector<std::vector<uint32_t>> seen(kCores, std::vector<uint32_t>(kCores, 0));
  std::atomic<bool> ordered{true}, over{false};
  std::atomic<unsigned> ended{0};
  Event done;
  std::function<void(unsigned, uint32_t)> send = [&](unsigned from, uint32_t n) {
    for (unsigned to = 0; to < kCores; ++to) {
      runtime.loop(from).post(to, [&, from, to, n] {
        if (seen[to][from]++ != n) ordered = false;
      });
    }
    if (!over) {
      runtime.loop(from).post(from, [&, from, n] { send(from, n + 1); });
    } else if (++ended == kCores) {
      done.set();
    }
  };
  runtime.start([&](EpollLoop& loop) { loop.post(loop.core(), [&, core = loop.core()] { send(core, 0); }); });
  for (int round = 0; round < 20; ++round) {
    const bool spread = round % 2 == 0;
    runtime.crew().force(spread);
    const int64_t end_ns = monotonic_ns() + 20'000'000'000;
    while (runtime.crew().working() != (spread ? kCores : 1) && monotonic_ns() < end_ns) std::this_thread::yield();
    ASSERT_EQ(runtime.crew().working(), spread ? kCores : 1);
  }
  over = true;
  EXPECT_TRUE(done.wait());
  EXPECT_TRUE(ordered);
  runtime.stop();
  runtime.join();  // before `send` goes
}

TEST(Watchdog, NamesTheCoreAndThePhaseThatBlocks) {
  RuntimeOptions options;
  options.lag_threshold_ms = 0;
  Runtime runtime(2, 1, options);
  Event told;
  BlockedTurn blocked;
  runtime.start({});
  {
    Watchdog watchdog({&runtime.loop(0).progress(), &runtime.loop(1).progress()}, 20, [&](const BlockedTurn& b) {
      blocked = b;
      told.set();
    });
    // Blocks until the watchdog has noticed: no guess about time.
    runtime.loop(1).post_from_outside([&] { runtime.loop(1).defer([&] { told.wait(); }); });
    ASSERT_TRUE(told.wait());
  }
  Event next;  // runs in a later turn, so the blocked one has been counted by then
  runtime.loop(1).post_from_outside([&] { next.set(); });
  ASSERT_TRUE(next.wait());
  EXPECT_EQ(blocked.core, 1u);
  EXPECT_EQ(blocked.phase, Phase::deferred);
  EXPECT_GT(blocked.lasted_ms, 20);
  EXPECT_GT(runtime.loop(1).progress().take_longest_turn_us(), 20'000);
}

}  // namespace
}  // namespace arena::runtime
