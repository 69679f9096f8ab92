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
  bool empty() const { return items_.empty(); }

  void push(Item item) { items_.push_back(std::move(item)); }
  // Takes the place of what waits for the same topic and was pushed so too; that is returned.
  std::optional<Item> push_latest(Item item) {
    if (latest_ == nullptr) latest_ = std::make_unique<Latest>();
    const uint64_t first = latest_->first, next = first + items_.size();
    const auto [it, fresh] = latest_->places.try_emplace(hash_of(item), next);
    if (!fresh && items_[it->second - first].message->topic == item.message->topic) {
      return std::exchange(items_[it->second - first], std::move(item));
    }
    it->second = next;
    items_.push_back(std::move(item));
    return std::nullopt;
  }
  Item pop() {
    Item item = std::move(items_.front());
    items_.pop_front();
    if (items_.empty()) latest_.reset();
    if (latest_ != nullptr) {
      const auto it = latest_->places.find(hash_of(item));
      if (it != latest_->places.end() && it->second == latest_->first) latest_->places.erase(it);
      ++latest_->first;
    }
    return item;
  }
  // Everything, and nothing waits any more.
  Ring<Item> take_all() {
    latest_.reset();
    return std::exchange(items_, {});
  }

 private:
  // Items are numbered as they come.
  struct Latest {
    uint64_t first = 0;  // the number of the front
    boost::unordered_flat_map<uint64_t, uint64_t> places;  // topic -> number
  };
  static uint64_t hash_of(const Item& item) { return hash64(item.message->topic, StringHash::seed); }

  Ring<Item> items_;
  std::unique_ptr<Latest> latest_;  // none: nobody wants the latest only
};

}  // namespace arena::broker
