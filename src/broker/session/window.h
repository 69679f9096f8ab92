// What is on its way to one subscriber and not settled yet, in the order it was first sent.
#pragma once

#include <cstdint>
#include <set>
#include <utility>
#include <vector>

#include "base/lazy.h"
#include "base/ring.h"
#include "broker/types.h"
#include "message/message.h"

namespace arena::broker {

// A shared group and a delivery of its; number 0: not from a group.
struct GroupDelivery {
  uint64_t group = 0;   // GroupId
  uint64_t number = 0;
};

// As Item::replay: what the broker itself says, which ends with the connection. No replay has this number.
inline constexpr uint32_t kBrokersWord = 1;

// One message for one subscriber, with what its subscriptions say about it.
struct Item {
  MessageRef message;
  Guarantee guarantee = Guarantee::at_most_once;
  bool retained = false;
  bool stored = false;            // has a place in a log where a cursor of mine waits for it to be settled
  LogName log;
  uint64_t offset = 0;
  uint16_t restored_tag = 0;      // was sent under this tag before a restart
  SlowPolicy slow = SlowPolicy::drop_oldest;  // at most once only
  bool positions = false;         // the subscriber wants to know its place
  uint32_t replay = 0;            // of which of my replays, with which it ends; 0: of none
  GroupDelivery origin;
  std::vector<uint32_t> ids;      // subscription ids; usually empty or one

  std::size_t bytes() const { return message->accounted_bytes() + sizeof(Item); }
};

enum class Stage : uint8_t {
  parked,     // may leave (again) as soon as the window allows
  recording,  // its tag is being committed; it has not left yet
  sent,
  received,   // exactly once: the receiver has it
  settling,   // the receiver has it, and its group is being told so for good; the release has not left yet
  releasing,  // that is being committed; the release has not left yet
};

struct Outstanding {
  uint16_t tag = 0;
  Stage stage = Stage::sent;
  bool ever_sent = false;
  Item item;
};

// Tags are unique among the outstanding. One core only.
class Window {
 public:
  std::size_t size() const { return entries_.size(); }
  bool empty() const { return entries_.empty(); }

  // Precondition: size() < 65535. tag 0: take the next free one.
  Outstanding& add(Item&& item, Stage stage, uint16_t tag = 0) {
    if (tag == 0) {
      tag = next_free();
    } else {
      reserved_.erase(tag);
      mixed_ = true;
    }
    Outstanding& entry = entries_.push_back();
    entry.tag = tag;
    entry.stage = stage;
    entry.ever_sent = false;
    entry.item = std::move(item);
    return entry;
  }
  // The tag will be used by add() with it: a delivery of before a restart.
  void reserve(uint16_t tag) {
    reserved_.insert(tag);
  }
  void unreserve(uint16_t tag) { reserved_.erase(tag); }
  // Settlements come mostly in order, so the search ends at the first entry.
  Outstanding* find(uint16_t tag) {
    for (Outstanding& entry : entries_) {
      if (entry.tag == tag) return &entry;
    }
    return nullptr;
  }
  // Removes and returns it; precondition: it is there.
  Outstanding remove(uint16_t tag) {
    for (auto it = entries_.begin(); it != entries_.end(); ++it) {
      if (it->tag != tag) continue;
      Outstanding out = std::move(*it);
      entries_.erase(it);
      return out;
    }
    return {};
  }
  Ring<Outstanding>& entries() { return entries_; }
  const Ring<Outstanding>& entries() const { return entries_; }

 private:
  // Entries lie in the order of their tags, from the oldest on and round at 65535, as long as each was the number after the one
  // before: then only the oldest can have the next number. Otherwise all are looked through, until none is left.
  uint16_t next_free() {
    if (entries_.empty()) mixed_ = false;
    for (;;) {
      next_tag_ = next_tag_ == 65535 ? uint16_t{1} : static_cast<uint16_t>(next_tag_ + 1);
      if (!reserved_.empty() && reserved_.contains(next_tag_)) continue;
      if (!mixed_ && (entries_.empty() || entries_.front().tag != next_tag_)) return next_tag_;
      mixed_ = true;
      if (find(next_tag_) == nullptr) return next_tag_;
    }
  }

  Ring<Outstanding> entries_;
  Lazy<std::set<uint16_t>> reserved_;
  uint16_t next_tag_ = 0;
  bool mixed_ = false;  // a tag was given from outside, or one was passed over
};

}  // namespace arena::broker
