// The subscriptions of one session, by name. Most sessions have one or few of them, some have very many.
#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "broker/session/subscription.h"

namespace arena::broker {

// In the order of their names: see subscription_name(). One core only. References hold until the subscription is taken.
class Subscriptions {
  using Entry = std::unique_ptr<Subscription>;

 public:
  bool empty() const { return size() == 0; }
  std::size_t size() const { return static_cast<std::size_t>(end() - begin()); }

  // Null: there is none of that name.
  Subscription* find(std::string_view name) const {
    const Entry* at = place(name);
    return is(at, name) ? at->get() : nullptr;
  }
  // Precondition: there is none of its name.
  Subscription& add(Entry subscription) {
    Subscription& added = *subscription;
    if (empty()) {
      only_ = std::move(subscription);
      return added;
    }
    if (several_ == nullptr) {
      several_ = std::make_unique<std::vector<Entry>>();
      several_->push_back(std::move(only_));
    }
    const std::string name = subscription_name(added.request.group, added.request.filter);
    several_->insert(several_->begin() + (place(name) - begin()), std::move(subscription));
    return added;
  }
  // Null: there is none of that name.
  Entry take(std::string_view name) {
    const Entry* at = place(name);
    if (!is(at, name)) return nullptr;
    if (several_ == nullptr) return std::move(only_);
    const auto place = several_->begin() + (at - begin());
    Entry taken = std::move(*place);
    several_->erase(place);
    if (several_->size() == 1) {
      only_ = std::move(several_->front());
      several_.reset();
    }
    return taken;
  }
  const Entry* begin() const { return several_ ? several_->data() : &only_; }
  const Entry* end() const { return several_ ? several_->data() + several_->size() : &only_ + (only_ ? 1 : 0); }

 private:
  const Entry* place(std::string_view name) const {
    return std::partition_point(begin(), end(), [&](const Entry& entry) {
      return compare_name(entry->request.group, entry->request.filter, name) < 0;
    });
  }
  bool is(const Entry* at, std::string_view name) const {
    return at != end() && compare_name((*at)->request.group, (*at)->request.filter, name) == 0;
  }

  Entry only_;                                   // null while there are none, or several
  std::unique_ptr<std::vector<Entry>> several_;  // null: there is at most one
};

}  // namespace arena::broker
