// Last values that a subscribe brought and that have not left yet.
#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "base/ring.h"
#include "message/message.h"

namespace arena::broker {

// They leave in order, as fast as the subscriber takes them and before anything that came later. References to what the
// topics' owners hold: a pointer each, however large the values are.
class LastValues {
 public:
  bool empty() const { return lists_.empty(); }
  std::size_t size() const {
    std::size_t size = 0;
    for (const List& list : lists_) size += list.messages.size() - list.next;
    return size;
  }

  // Takes the place of what is left under that name of a subscription, unless there are none to take it.
  void add(const std::string& name, std::vector<MessageRef> messages) {
    if (messages.empty()) return;
    remove(name);
    lists_.push_back({name, std::move(messages), 0});
  }
  void remove(const std::string& name) {
    for (auto it = lists_.begin(); it != lists_.end(); ++it) {
      if (it->name != name) continue;
      lists_.erase(it);
      return;
    }
  }

  // The next to leave, and whose it is. Not to be called when empty.
  const std::string& name() const { return lists_.front().name; }
  const MessageRef& front() const { return lists_.front().messages[lists_.front().next]; }
  void pop() {
    List& list = lists_.front();
    list.messages[list.next] = {};
    if (++list.next == list.messages.size()) lists_.pop_front();
  }

  void clear() { lists_.clear(); }

 private:
  struct List {
    std::string name;
    std::vector<MessageRef> messages;
    std::size_t next = 0;  // always below messages.size()
  };
  Ring<List> lists_;  // one at most for each name
};

}  // namespace arena::broker
