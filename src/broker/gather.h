// Lists over all cores, page by page: each core gives the first ones that it has, and they are put in one order.
#pragma once

#include <algorithm>
#include <cstddef>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "broker/shard.h"

namespace arena::broker {

// The first `most` of however many items, by `before(a, b)`. What is not kept costs a comparison.
template <typename Item>
class FirstOf {
 public:
  using Before = bool (*)(const Item& a, const Item& b);

  FirstOf(std::size_t most, Before before) : most_(most), before_(before) {}
  bool would_keep(const Item& item) const { return items_.size() < most_ || before_(item, items_.front()); }
  void add(Item item) {
    if (!would_keep(item)) return;
    items_.push_back(std::move(item));
    std::push_heap(items_.begin(), items_.end(), before_);
    if (items_.size() <= most_) return;
    std::pop_heap(items_.begin(), items_.end(), before_);
    items_.pop_back();
  }
  std::vector<Item> take() { return std::move(items_); }  // in no order

 private:
  const std::size_t most_;
  const Before before_;
  std::vector<Item> items_;  // a heap, the last one of them on top
};

// Runs `find` on each of `cores`, which is to give one item more than a page holds; `done` here with all of them in their order. What
// `find` refers to is copied there.
template <typename Item>
void gather(Shard& shard, const std::vector<unsigned>& cores, std::function<std::vector<Item>(Shard&)> find, typename FirstOf<Item>::Before before,
            UniqueFunction<void(std::vector<Item>)> done) {
  struct Gathering {
    std::vector<Item> found;
    std::size_t open = 0;
    typename FirstOf<Item>::Before before;
    UniqueFunction<void(std::vector<Item>)> done;
  };
  const auto gathering = std::make_shared<Gathering>(Gathering{{}, cores.size(), before, std::move(done)});
  for (const unsigned core : cores) {
    shard.call(core, [gathering, find, home = shard.core()](Shard& there) {
      there.call(home, [gathering, found = find(there)](Shard&) mutable {
        std::move(found.begin(), found.end(), std::back_inserter(gathering->found));
        if (--gathering->open != 0) return;
        std::sort(gathering->found.begin(), gathering->found.end(), gathering->before);
        gathering->done(std::move(gathering->found));
      });
    });
  }
}

}  // namespace arena::broker
