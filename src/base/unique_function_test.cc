// Goal: the captured object is moved, called and destroyed exactly once, whether it fits inside or not.
#include "base/unique_function.h"

#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <vector>

namespace arena {
namespace {

struct Alive {
  explicit Alive(int& count) : count_(&count) { ++*count_; }
  Alive(Alive&& other) noexcept : count_(other.count_) { ++*count_; }
  Alive(const Alive&) = delete;
  ~Alive() { --*count_; }
  int* count_;
};

TEST(UniqueFunction, SmallCaptureIsDestroyedOnce) {
  int alive = 0;
  {
    Task a = [guard = Alive(alive)] { (void)guard; };
    EXPECT_EQ(alive, 1);
    Task b = std::move(a);
    EXPECT_FALSE(a);  // NOLINT(bugprone-use-after-move): moved-from is empty
    EXPECT_EQ(alive, 1);
    b();
    EXPECT_EQ(alive, 1);
  }
  EXPECT_EQ(alive, 0);
}

TEST(UniqueFunction, LargeCaptureIsDestroyedOnce) {
  int alive = 0;
  int sum = 0;
  {
    std::array<int, 64> big{};
    big[63] = 5;
    UniqueFunction<void(int)> a = [guard = Alive(alive), big, &sum](int x) { sum += big[63] + x; };
    UniqueFunction<void(int)> b;
    b = std::move(a);
    b(2);
    EXPECT_EQ(alive, 1);
    b = nullptr;
    EXPECT_EQ(alive, 0);
  }
  EXPECT_EQ(sum, 7);
}

TEST(UniqueFunction, AssignmentDestroysTheOldOne) {
  int first = 0;
  int second = 0;
  Task task = [guard = Alive(first)] { (void)guard; };
  task = [guard = Alive(second)] { (void)guard; };
  EXPECT_EQ(first, 0);
  EXPECT_EQ(second, 1);
}

TEST(UniqueFunction, TakesMoveOnlyArgumentsAndGivesResults) {
  UniqueFunction<int(std::unique_ptr<int>)> f = [](std::unique_ptr<int> p) { return *p + 1; };
  EXPECT_EQ(f(std::make_unique<int>(41)), 42);
}

TEST(UniqueFunction, LivesInGrowingVectors) {
  int alive = 0;
  int calls = 0;
  {
    std::vector<Task> tasks;
    for (int i = 0; i < 100; ++i) tasks.emplace_back([guard = Alive(alive), &calls] { ++calls; });
    EXPECT_EQ(alive, 100);
    for (Task& task : tasks) task();
  }
  EXPECT_EQ(alive, 0);
  EXPECT_EQ(calls, 100);
}

}  // namespace
}  // namespace arena
