// Topics that have a last value, searchable by filter: the mirror image of FilterIndex.
#pragma once

#include <cstddef>
#include <memory>
#include <string_view>

#include "base/unique_function.h"
#include "message/message.h"

namespace arena::broker {

// Topic -> message. One core only. Iterative; time of a search is proportional to the tree below the filter's
// literal prefix, not to all topics.
class TopicTree {
 public:
  TopicTree();
  ~TopicTree();
  TopicTree(const TopicTree&) = delete;
  TopicTree& operator=(const TopicTree&) = delete;

  // Sets or replaces; null when there was none before.
  MessageRef set(MessageRef message);
  // Removes; null when there was none.
  MessageRef erase(std::string_view topic);
  MessageRef find(std::string_view topic) const;
  // Calls `visit` for each topic that the filter matches ('$' rule included), in no particular order. The tree
  // must not change during the call.
  void match(std::string_view filter, UniqueFunction<void(const MessageRef&)> visit) const;

  std::size_t size() const;
  std::size_t bytes() const;  // payloads and topics, as accounted

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace arena::broker
