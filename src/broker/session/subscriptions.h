// The subscriptions of one session, by name. Most sessions have one or few of them, some have very many.
#pragma once

#include <algorithm>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "broker/session/subscription.h"

namespace arena::broker {

// In the order of their names: see subscription_name(). One core only. References hold until the subscription is taken.
class Subscriptions {
  using Entries = std::vector<std::unique_ptr<Subscription>>;

 public:
  bool empty() const { return entries_.empty(); }
  std::size_t size() const { return entries_.size(); }

  // Null: there is none of that name.
  Subscription* find(std::string_view name) const {
    const auto at = place(name);
    return is(at, name) ? at->get() : nullptr;
  }
  // Precondition: there is none of its name.
  Subscription& add(std::unique_ptr<Subscription> subscription) {
    const std::string name = subscription_name(subscription->request.group, subscription->request.filter);
    return **entries_.insert(place(name), std::move(subscription));
  }
  // Null: there is none of that name.
  std::unique_ptr<Subscription> take(std::string_view name) {
    const auto at = place(name);
    if (!is(at, name)) return nullptr;
    std::unique_ptr<Subscription> taken = std::move(entries_[static_cast<std::size_t>(at - entries_.begin())]);
    entries_.erase(at);
    return taken;
  }
  Entries::const_iterator begin() const { return entries_.begin(); }
  Entries::const_iterator end() const { return entries_.end(); }

 private:
  Entries::const_iterator place(std::string_view name) const {
    return std::partition_point(entries_.begin(), entries_.end(), [&](const auto& entry) {
      return compare_name(entry->request.group, entry->request.filter, name) < 0;
    });
  }
  bool is(Entries::const_iterator at, std::string_view name) const {
    return at != entries_.end() && compare_name((*at)->request.group, (*at)->request.filter, name) == 0;
  }

  Entries entries_;
};

}  // namespace arena::broker
