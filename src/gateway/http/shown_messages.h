// Messages as their JSON, each made once for all who are told of it within a short time: followers that take many at once take the
// same ones, one follower after the other.
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <cstddef>
#include <string>
#include <utility>

#include "codec/json/message_json.h"
#include "message/message.h"

namespace arena::gateway::http {

// One core's.
class ShownMessages {
 public:
  // So much of them is kept at most, and one message more.
  static constexpr std::size_t kBytesMax = 1 << 20;

  // Valid until the next call. `position`: where it lies, in text; empty: nowhere.
  const std::string& show(const MessageRef& message, const std::string& position) {
    const auto known = shown_.find(message.get());
    if (known != shown_.end() && known->second.position == position) return known->second.json;
    std::string json = message_json(*message, position);
    if (bytes_ > kBytesMax) clear();
    bytes_ += json.size();
    Shown& shown = shown_[message.get()];
    bytes_ -= shown.json.size();
    shown = {message, position, std::move(json)};
    return shown.json;
  }
  bool empty() const { return shown_.empty(); }
  std::size_t bytes() const { return bytes_; }  // of JSON
  void clear() {
    shown_.clear();
    bytes_ = 0;
  }

 private:
  struct Shown {
    MessageRef message;  // held, so that no other one gets its address
    std::string position;
    std::string json;
  };

  boost::unordered_flat_map<const Message*, Shown> shown_;
  std::size_t bytes_ = 0;
};

}  // namespace arena::gateway::http
