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
    if (places_ == nullptr) places_ = std::make_unique<Places>();
    const uint64_t next = first_ + items_.size();
    const auto [it, fresh] = places_->try_emplace(hash_of(item), next);
    if (!fresh && items_[it->second - first_].message->topic == item.message->topic) {
      return std::exchange(items_[it->second - first_], std::move(item));
    }
    it->second = next;
    items_.push_back(std::move(item));
    return std::nullopt;
  }
  Item pop() {
    Item item = std::move(items_.front());
    items_.pop_front();
    if (places_ != nullptr) {
      const auto it = places_->find(hash_of(item));
      if (it != places_->end() && it->second == first_) places_->erase(it);
    }
    ++first_;
    if (items_.empty()) places_.reset();
    return item;
  }
  // Everything, and nothing waits any more.
  Ring<Item> take_all() {
    places_.reset();
    return std::exchange(items_, {});
  }

 private:
  using Places = boost::unordered_flat_map<uint64_t, uint64_t>;  // topic -> number; none: nobody wants the latest only
  static uint64_t hash_of(const Item& item) { return hash64(item.message->topic, StringHash::seed); }

  Ring<Item> items_;
  uint64_t first_ = 0;  // the number of the front
  std::unique_ptr<Places> places_;
};

}  // namespace arena::broker
