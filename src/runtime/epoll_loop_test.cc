// Goal: the turn's order, descriptors that go away while their events are being handed out, timers that never come
// early, and mail that arrives in order, in one thread.
#include "runtime/epoll_loop.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "runtime/clock.h"
#include "runtime/runtime.h"

namespace arena::runtime {
namespace {

bool run_until(EpollLoop& loop, const std::function<bool()>& done, int64_t timeout_ms = 5000) {
  const int64_t end_ns = monotonic_ns() + timeout_ms * 1'000'000;
  while (!done()) {
    if (monotonic_ns() > end_ns) return false;
    loop.turn(20);
  }
  return true;
}

struct Pair {
  Pair() { [[maybe_unused]] const int r = socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends); }
  ~Pair() {
    ::close(ends[0]);
    ::close(ends[1]);
  }
  void poke() { [[maybe_unused]] const ssize_t n = ::write(ends[1], "x", 1); }
  int ends[2];
};

struct Handler : IoHandler {
  explicit Handler(std::function<void(uint32_t)> b) : body(std::move(b)) {}
  void on_io(uint32_t events) override { body(events); }
  std::function<void(uint32_t)> body;
};

struct Call {
  explicit Call(std::function<void()> b) : body(std::move(b)), timer(&Call::run, this) {}
  static void run(void* self) { static_cast<Call*>(self)->body(); }
  std::function<void()> body;
  Timer timer;
};

struct Hook : TurnEnd {
  explicit Hook(std::function<void()> b) : body(std::move(b)) {}
  void on_turn_end() override { body(); }
  std::function<void()> body;
};

bool is_open(int fd) { return ::fcntl(fd, F_GETFD) >= 0; }

TEST(EpollLoop, ClosesACrowdOfDescriptorsInParts) {
  Runtime runtime(1, 1);
  EpollLoop& loop = runtime.loop(0);
  std::vector<int> crowd;
  for (int i = 0; i < 100; ++i) {
    crowd.push_back(::dup(STDERR_FILENO));
    loop.close_soon(crowd.back());
  }
  const auto left = [&] { return std::count_if(crowd.begin(), crowd.end(), is_open); };
  loop.turn(10'000);  // does not sleep
  EXPECT_GT(left(), 50);
  EXPECT_LT(left(), 100);
  EXPECT_TRUE(run_until(loop, [&] { return left() == 0; }));
}

TEST(EpollLoop, ATurnGoesFromIoToMailToTimersToDeferredToTurnEnd) {
  Runtime runtime(1, 1);
  EpollLoop& loop = runtime.loop(0);
  std::string order;
  Pair pair;
  Hook hook([&] { order += 'h'; });
  Call timer([&] {
    order += 't';
    loop.defer([&] {
      order += 'd';
      loop.defer([&] { order += 'e'; });
    });
  });
  Handler handler([&](uint32_t) {
    order += 'i';
    loop.at_turn_end(hook);
    loop.at_turn_end(hook);
    loop.remove(pair.ends[0], handler);
  });
  ASSERT_TRUE(loop.add(pair.ends[0], EPOLLIN, handler));
  pair.poke();
  loop.post_from_outside([&] { order += 'm'; });
  loop.post(0, [&] { order += 'o'; });
  loop.arm(timer.timer, 0);
  loop.turn(0);
  EXPECT_EQ(order, "imotdeh");
}

TEST(EpollLoop, AHandlerRemovedInTheSameBatchIsNotCalled) {
  Runtime runtime(1, 1);
  EpollLoop& loop = runtime.loop(0);
  Pair pairs[3];
  int calls = 0;
  std::unique_ptr<Handler> handlers[3];
  for (int i = 0; i < 3; ++i) {
    // Whoever comes first destroys all the others, whose events are already in the batch.
    handlers[i] = std::make_unique<Handler>([&, i](uint32_t) {
      ++calls;
      for (int other = 0; other < 3; ++other) {
        if (other == i) continue;
        loop.remove(pairs[other].ends[0], *handlers[other]);
        handlers[other].reset();
      }
      loop.remove(pairs[i].ends[0], *handlers[i]);
    });
    ASSERT_TRUE(loop.add(pairs[i].ends[0], EPOLLIN, *handlers[i]));
    pairs[i].poke();
  }
  loop.turn(0);
  loop.turn(0);
  EXPECT_EQ(calls, 1);
}

TEST(EpollLoop, ModifyChangesWhatIsWatched) {
  Runtime runtime(1, 1);
  EpollLoop& loop = runtime.loop(0);
  Pair pair;
  uint32_t seen = 0;
  Handler handler([&](uint32_t events) { seen |= events; });
  ASSERT_TRUE(loop.add(pair.ends[0], 0, handler));
  pair.poke();
  loop.turn(0);
  EXPECT_EQ(seen, 0u);
  loop.modify(pair.ends[0], EPOLLIN | EPOLLOUT, handler);
  loop.turn(0);
  EXPECT_EQ(seen, uint32_t{EPOLLIN | EPOLLOUT});
  loop.remove(pair.ends[0], handler);
}

TEST(EpollLoop, SleepsForTheLoopsItWatches) {
  Runtime runtime(2, 1);
  EpollLoop& sleeper = runtime.loop(0);  // of one worker, that turns both
  EpollLoop& watched = runtime.loop(1);
  Pair own;
  Pair others;
  std::string order;
  Handler own_handler([&](uint32_t) { order += 'o', sleeper.remove(own.ends[0], own_handler); });
  Handler handler([&](uint32_t) { order += 'w', watched.remove(others.ends[0], handler); });
  ASSERT_TRUE(sleeper.add(own.ends[0], EPOLLIN, own_handler));
  ASSERT_TRUE(watched.add(others.ends[0], EPOLLIN, handler));
  others.poke();
  sleeper.sleep_for_all(5000);
  EXPECT_FALSE(sleeper.wants_turn(monotonic_ns())) << "nothing has come for itself";
  ASSERT_TRUE(watched.wants_turn(monotonic_ns()));
  watched.turn_awake(monotonic_ns());
  EXPECT_EQ(order, "w");
  EXPECT_FALSE(watched.wants_turn(monotonic_ns()));
  own.poke();
  sleeper.sleep_for_all(5000);
  EXPECT_TRUE(sleeper.wants_turn(monotonic_ns()));
  EXPECT_FALSE(watched.wants_turn(monotonic_ns()));
  sleeper.turn_awake(monotonic_ns());
  EXPECT_EQ(order, "wo");
}

TEST(EpollLoop, TimersComeInOrderAndNeverEarly) {
  Runtime runtime(1, 1);
  EpollLoop& loop = runtime.loop(0);
  std::vector<int> fired;
  std::vector<std::unique_ptr<Call>> calls;
  loop.turn(0);
  const int64_t start_ms = loop.now_ms();
  for (const int delay : {30, 1, 12, 0, 7}) {
    calls.push_back(std::make_unique<Call>([&, delay] {
      EXPECT_GE(loop.now_ms() - start_ms, delay);
      fired.push_back(delay);
    }));
    loop.arm(calls.back()->timer, delay);
  }
  ASSERT_TRUE(run_until(loop, [&] { return fired.size() == 5; }));
  EXPECT_EQ(fired, (std::vector<int>{0, 1, 7, 12, 30}));
}

TEST(EpollLoop, ALoopWithATimerSleepsUntilThen) {
  Runtime runtime(1, 1);
  EpollLoop& loop = runtime.loop(0);
  bool fired = false;
  Call call([&] { fired = true; });
  loop.turn(0);
  loop.arm(call.timer, 100);
  int turns = 0;
  ASSERT_TRUE(run_until(loop, [&] {
    ++turns;
    return fired;
  }));
  EXPECT_LT(turns, 20) << "it spins";
}

TEST(EpollLoop, PostToItselfRunsInALaterTurn) {
  Runtime runtime(1, 1);
  EpollLoop& loop = runtime.loop(0);
  int depth = 0;
  std::function<void()> again = [&] {
    ++depth;
    loop.post(0, [&] { again(); });
  };
  loop.post(0, [&] { again(); });
  for (int turn = 1; turn <= 3; ++turn) {
    loop.turn(1000);  // does not sleep: there is mail
    EXPECT_EQ(depth, turn);
  }
}

TEST(EpollLoop, AHookAskedForAtTheTurnsEndRunsInTheNextTurn) {
  Runtime runtime(1, 1);
  EpollLoop& loop = runtime.loop(0);
  int runs = 0;
  Hook hook([&] {
    ++runs;
    loop.at_turn_end(hook);
  });
  loop.at_turn_end(hook);
  loop.turn(1000);
  EXPECT_EQ(runs, 1);
  loop.turn(1000);
  EXPECT_EQ(runs, 2);
}

TEST(EpollLoop, RandomNumbersFollowTheSeed) {
  Runtime a(2, 7), b(2, 7), c(2, 8);
  EXPECT_EQ(a.loop(0).random(), b.loop(0).random());
  EXPECT_NE(a.loop(0).random(), c.loop(0).random());
  EXPECT_NE(a.loop(0).random(), a.loop(1).random());
}

struct Owned : LoopOwned {
  explicit Owned(int& c) : count(c) { ++count; }
  ~Owned() override { --count; }
  int& count;
};

TEST(EpollLoop, WhatIsLeftWhenItDiesIsDestroyed) {
  auto alive = std::make_shared<int>(0);
  int owned = 0;
  {
    Runtime runtime(2, 1);
    EpollLoop& loop = runtime.loop(0);
    loop.adopt(*new Owned(owned));
    delete new Owned(owned);  // an owned object may end itself before it is adopted, too
    loop.defer([alive] {});
    loop.post(0, [alive] {});
    loop.post(1, [alive] {});
    loop.post_from_outside([alive] {});
    runtime.loop(1).post_from_outside([alive] {});
    EXPECT_EQ(alive.use_count(), 6);
    EXPECT_EQ(owned, 1);
  }
  EXPECT_EQ(alive.use_count(), 1);
  EXPECT_EQ(owned, 0);
}

}  // namespace
}  // namespace arena::runtime
