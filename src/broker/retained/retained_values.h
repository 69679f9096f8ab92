// The last values of the topics that a core owns, and when they expire.
#pragma once

#include <cstddef>
#include <cstdint>
#include <set>
#include <utility>
#include <vector>

#include "broker/retained/topic_tree.h"

namespace arena::broker {

// What a value adds to those there are: nothing where it takes the place of one that is as large.
struct RetainedGrowth {
  std::size_t messages = 0;
  std::size_t bytes = 0;
};

class RetainedValues {
 public:
  // One without payload takes its topic's away.
  void set(const MessageRef& message);
  // Is it still what its topic has?
  bool holds(const MessageRef& message) const { return tree_.find(message->topic) == message; }
  void erase(const MessageRef& message);
  const TopicTree& tree() const { return tree_; }

  // The broker's own ($SYS) take no room from others, so they are not counted.
  std::size_t count() const { return tree_.size() - own_; }
  std::size_t bytes() const { return tree_.bytes() - own_bytes_; }

  // At most `max` that have expired, each told once; they stay until they are erased.
  std::vector<MessageRef> take_expired(int64_t wall_ms, std::size_t max);
  // When the next one does that was not told. INT64_MAX: none.
  int64_t next_expiry_ms() const { return expiring_.empty() ? INT64_MAX : expiring_.begin()->first; }

 private:
  void forget(const MessageRef& before);

  TopicTree tree_;
  std::set<std::pair<int64_t, const Message*>> expiring_;
  std::size_t own_ = 0;
  std::size_t own_bytes_ = 0;
};

}  // namespace arena::broker
