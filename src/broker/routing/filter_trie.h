// Filters with wildcards, as a trie by level. Part of FilterIndex.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

namespace arena::broker {

// Nodes are numbered; the edges of all nodes are in one hash table keyed by (node, level), with level texts
// numbered and counted. A match goes level by level with the set of nodes reached so far, so each level of the
// topic is looked up once and depth costs no stack. One core only.
class ValueList;

class FilterTrie {
 public:
  using Value = uint64_t;

  FilterTrie();
  ~FilterTrie();
  FilterTrie(const FilterTrie&) = delete;
  FilterTrie& operator=(const FilterTrie&) = delete;

  bool add(std::string_view filter, Value value);
  bool remove(std::string_view filter, Value value);
  // The values under exactly this filter; null: none. Holds until the next change.
  ValueList* find(std::string_view filter);
  // Returns how many more match and are aside.
  std::size_t match(std::string_view topic, std::vector<Value>& out) const;
  bool any(std::string_view topic) const;
  std::size_t bytes() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace arena::broker
