// What waits for one subscriber at most once, oldest first. One core only.
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

#include "base/hash.h"
#include "base/ring.h"
#include "broker/session/window.h"

namespace arena::broker {

class TransientQueue {
 public:
  bool empty() const { return waiting_ == nullptr || waiting_->items.empty(); }

  void push(Item item) { waiting().items.push_back(std::move(item)); }
  // Takes the place of what waits for the same topic and was pushed so too; that is returned.
  std::optional<Item> push_latest(Item item) {
    Ring<Item>& items = waiting().items;
    if (waiting_->latest == nullptr) waiting_->latest = std::make_unique<Latest>();
    Latest& latest = *waiting_->latest;
    const uint64_t next = latest.first + items.size();
    const auto [it, fresh] = latest.places.try_emplace(hash_of(item), next);
    if (!fresh && items[it->second - latest.first].message->topic == item.message->topic) {
      return std::exchange(items[it->second - latest.first], std::move(item));
    }
    it->second = next;
    items.push_back(std::move(item));
    return std::nullopt;
  }
  // Precondition: not empty.
  Item pop() {
    Item item = std::move(waiting_->items.front());
    waiting_->items.pop_front();
    if (waiting_->items.empty()) waiting_->latest.reset();
    if (Latest* latest = waiting_->latest.get()) {
      const auto it = latest->places.find(hash_of(item));
      if (it != latest->places.end() && it->second == latest->first) latest->places.erase(it);
      ++latest->first;
    }
    return item;
  }
  // Everything, and nothing waits any more.
  Ring<Item> take_all() {
    const std::unique_ptr<Waiting> taken = std::move(waiting_);
    return taken ? std::move(taken->items) : Ring<Item>();
  }

 private:
  // Items are numbered as they come.
  struct Latest {
    uint64_t first = 0;  // the number of the front
    boost::unordered_flat_map<uint64_t, uint64_t> places;  // topic -> number
  };
  struct Waiting {
    Ring<Item> items;
    std::unique_ptr<Latest> latest;  // none: nobody wants the latest only
  };
  static uint64_t hash_of(const Item& item) { return hash64(item.message->topic, StringHash::seed); }
  Waiting& waiting() {
    if (waiting_ == nullptr) waiting_ = std::make_unique<Waiting>();
    return *waiting_;
  }

  std::unique_ptr<Waiting> waiting_;  // none: nothing has waited yet
};

}  // namespace arena::broker
