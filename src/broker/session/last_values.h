// Last values that a subscribe brought and that have not left yet.
#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "message/message.h"

namespace arena::broker {

// They leave in order, as fast as the subscriber takes them and before anything that came later. References to what the
// topics' owners hold: a pointer each, however large the values are.
class LastValues {
 public:
  bool empty() const { return lists_.empty(); }
  std::size_t size() const { return size_; }

  // Takes the place of what is left under that name of a subscription.
  void add(const std::string& name, std::vector<MessageRef> messages) {
    std::erase_if(lists_, [&](const List& list) {
      if (list.name == name) size_ -= list.messages.size() - list.next;
      return list.name == name;
    });
    if (messages.empty()) return;
    size_ += messages.size();
    lists_.push_back({name, std::move(messages), 0});
  }

  // The next to leave, and whose it is. Not to be called when empty.
  const std::string& name() const { return lists_.front().name; }
  const MessageRef& front() const { return lists_.front().messages[lists_.front().next]; }
  void pop() {
    List& list = lists_.front();
    list.messages[list.next] = {};
    --size_;
    if (++list.next == list.messages.size()) lists_.erase(lists_.begin());
  }

  void clear() {
    lists_.clear();
    lists_.shrink_to_fit();
    size_ = 0;
  }

 private:
  struct List {
    std::string name;
    std::vector<MessageRef> messages;
    std::size_t next = 0;  // always below messages.size()
  };
  std::vector<List> lists_;
  std::size_t size_ = 0;
};

}  // namespace arena::broker
