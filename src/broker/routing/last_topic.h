// What was answered for the topic asked last: messages come in runs to one topic, and looking through an index for each of
// them is dearer than comparing topics.
#pragma once

#include <string>
#include <string_view>

namespace arena::broker {

template <typename Answer>
class LastTopic {
 public:
  // Null: another topic was asked last, or the index has changed since.
  const Answer* find(std::string_view topic) const { return known_ && topic == topic_ ? &answer_ : nullptr; }
  // The answer for `topic`, to be filled in; it is known from now on.
  Answer& keep(std::string_view topic) {
    topic_.assign(topic);
    known_ = true;
    return answer_;
  }
  void forget() { known_ = false; }

 private:
  std::string topic_;
  Answer answer_{};
  bool known_ = false;
};

}  // namespace arena::broker
