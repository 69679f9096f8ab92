// The judge of publishing once: what is published under an id or by a producer's number is stored once, however often it is
// sent, and who repeats it is told where.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/store.h"

namespace arena::sim {

// How a message is known.
struct OnceMark {
  bool producer = false;
  uint32_t epoch = 0;
  uint64_t sequence = 0;
  std::string value;  // of the property
  std::string_view property() const { return producer ? "arena-producer" : "arena-id"; }
};

class OnceJudge {
 public:
  using Fail = std::function<void(const std::string&)>;
  explicit OnceJudge(Fail fail) : fail_(std::move(fail)) {}

  // The message is the next of that publisher to that topic, or the first of its next epoch.
  OnceMark next_of_producer(const std::string& publisher, const std::string& topic, bool begins_again);
  void published(std::size_t index, const std::string& publisher, const std::string& topic, const OnceMark& mark);
  const OnceMark* mark_of(std::size_t index) const;
  // Something of it is known to be stored, so that the broker must know it for ever; of a producer: as one of its last.
  bool must_be_known(std::size_t index) const;
  bool is_stored(std::size_t index) const;

  // It was taken. `again`: a handshake that went on, whose answer says nothing more.
  void taken(std::size_t index, std::string_view position, bool duplicate, bool again);
  // It was refused for certain and is published again, perhaps behind later numbers: what is told of it then is of this.
  void comes_late(std::size_t index) { known_.at(index).was_refused = true; }
  void sent_again(std::size_t index) {
    if (const auto at = known_.find(index); at != known_.end()) at->second.was_refused = false;
  }
  // The broker says that it does not know the producer: it begins again.
  void unknown(std::size_t index);
  // What the disk holds; each record is told once.
  uint64_t told(engine::LogName log) const;
  using Place = std::pair<engine::LogName, uint64_t>;
  // Where the disk has shown any message, published once or not; null: nowhere.
  const Place* place_of(std::size_t index) const;
  void note_stored(engine::LogName log, const std::vector<engine::Record>& records, uint64_t end);

 private:
  struct Known {
    std::string publisher;
    std::string topic;
    OnceMark mark;
    bool was_refused = false;
    std::string position;          // of its first receipt; empty: it said none
    std::optional<Place> place;    // as the disk shows it
  };
  struct Producer {
    uint32_t epoch = 1;
    uint64_t last = 0;
    std::set<uint32_t> stored;  // epochs of which something is stored for certain
  };

  Fail fail_;
  std::map<std::size_t, Place> places_;  // the first
  std::map<std::size_t, Known> known_;
  std::map<std::pair<std::string, std::string>, Producer> producers_;  // by publisher and topic
  std::map<engine::LogName, uint64_t> told_;
};

}  // namespace arena::sim
