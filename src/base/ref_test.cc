#include "base/ref.h"

#include <gtest/gtest.h>

namespace arena {
namespace {

struct Thing : RefCounted<Thing> {
  explicit Thing(int& count) : alive(count) { ++alive; }
  ~Thing() { --alive; }
  int& alive;
};

struct Pooled : RefCounted<Pooled> {
  static void destroy(const Pooled* p) { ++*p->destroyed; }
  int* destroyed = nullptr;
};

TEST(Ref, LastOneDestroys) {
  int alive = 0;
  Ref<Thing> a(new Thing(alive));
  {
    const Ref<Thing> b = a;
    Ref<Thing> c = std::move(a);
    EXPECT_FALSE(a);  // NOLINT(bugprone-use-after-move): moved-from is empty
    EXPECT_EQ(b, c);
    EXPECT_EQ(alive, 1);
    a = c;
  }
  EXPECT_EQ(alive, 1);
  a = nullptr;
  EXPECT_EQ(alive, 0);
}

TEST(Ref, SelfAssignmentIsHarmless) {
  int alive = 0;
  Ref<Thing> a(new Thing(alive));
  const Ref<Thing>& same = a;
  a = same;
  EXPECT_EQ(alive, 1);
}

TEST(Ref, ATypeMayFreeItselfItsOwnWay) {
  int destroyed = 0;
  Pooled object;
  object.destroyed = &destroyed;
  { const Ref<Pooled> ref(&object); }
  EXPECT_EQ(destroyed, 1);
}

}  // namespace
}  // namespace arena
