#include "base/intrusive_list.h"

#include <gtest/gtest.h>

#include <memory>
#include <vector>

namespace arena {
namespace {

struct TagA;
struct TagB;
struct Item : ListNode<TagA>, ListNode<TagB> {
  explicit Item(int v) : value(v) {}
  int value;
};
using ListA = IntrusiveList<Item, TagA>;
using ListB = IntrusiveList<Item, TagB>;

template <typename List>
std::vector<int> drain(List& list) {
  std::vector<int> out;
  while (!list.empty()) out.push_back(list.pop_front().value);
  return out;
}

TEST(IntrusiveList, KeepsOrderAndMovesToTheBackWhenPushedAgain) {
  Item one(1), two(2), three(3);
  ListA list;
  list.push_back(one);
  list.push_back(two);
  list.push_back(three);
  list.push_back(one);
  EXPECT_EQ(drain(list), (std::vector<int>{2, 3, 1}));
  EXPECT_FALSE(one.ListNode<TagA>::linked());
}

TEST(IntrusiveList, DestroyingAnElementUnlinksIt) {
  ListA list;
  Item one(1), three(3);
  auto two = std::make_unique<Item>(2);
  list.push_back(one);
  list.push_back(*two);
  list.push_back(three);
  two.reset();
  EXPECT_EQ(drain(list), (std::vector<int>{1, 3}));
}

TEST(IntrusiveList, AnElementIsInOneListPerTag) {
  ListA first, second;
  ListB other;
  Item item(1);
  first.push_back(item);
  other.push_back(item);
  second.push_back(item);
  EXPECT_TRUE(first.empty());
  EXPECT_FALSE(second.empty());
  EXPECT_FALSE(other.empty());
}

TEST(IntrusiveList, SpliceKeepsOrder) {
  ListA a, b;
  Item one(1), two(2), three(3);
  a.push_back(one);
  b.push_back(two);
  b.push_back(three);
  a.splice_back(b);
  EXPECT_TRUE(b.empty());
  EXPECT_EQ(drain(a), (std::vector<int>{1, 2, 3}));
}

TEST(IntrusiveList, ADyingListUnlinksItsElements) {
  Item item(1);
  {
    ListA list;
    list.push_back(item);
  }
  EXPECT_FALSE(item.ListNode<TagA>::linked());
}

}  // namespace
}  // namespace arena
