// Which other cores must hear of a topic? May name one that does not want it, never misses one that does.
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <cstdint>
#include <set>
#include <string_view>
#include <utility>
#include <vector>

#include "broker/routing/filter_trie.h"
#include "broker/routing/last_topic.h"

namespace arena::broker {

// What the cores have announced. Most filters are literal, and each of them is known to every other core: of such a one
// only the hash is kept. A core withdraws a filter as often as it announced it.
// One core only.
class RemoteInterest {
 public:
  void add(std::string_view filter, unsigned core);
  void remove(std::string_view filter, unsigned core);
  // One bit for each core.
  uint64_t match(std::string_view topic);

 private:
  void remove_literal(uint64_t hash, unsigned core);

  boost::unordered_flat_map<uint64_t, uint64_t> literals_;  // hash -> cores
  // What the bits cannot count: other filters of a core with a hash that it has announced already.
  std::multiset<std::pair<uint64_t, unsigned>> repeated_;
  FilterTrie wildcards_;
  std::vector<FilterTrie::Value> matches_;  // scratch
  LastTopic<uint64_t> matched_;
};

}  // namespace arena::broker
