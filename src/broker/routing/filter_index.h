// Which entries' filters match a topic? Time is proportional to the topic's depth and the matches, not to the
// number of entries. Literal filters sit in one exact table; filters with wildcards in a trie whose edges are one
// hash table. Iterative; never recurses on input.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

namespace arena::broker {

// Maps filters to values. One core only.
class FilterIndex {
 public:
  using Value = uint64_t;

  // Says the filter of a value that is in the index; it may not change meanwhile.
  using FilterOf = std::string_view (*)(Value);

  // With filter_of each value is there under one filter, and no copies of literal filters are kept.
  explicit FilterIndex(FilterOf filter_of = nullptr);
  ~FilterIndex();
  FilterIndex(const FilterIndex&) = delete;
  FilterIndex& operator=(const FilterIndex&) = delete;

  // `filter` is valid (check_filter). The same (filter, value) may be there once; false if it already is.
  bool add(std::string_view filter, Value value);
  // False if it was not there. Frees what nothing else needs.
  bool remove(std::string_view filter, Value value);
  // One that is aside is there, and any() sees it, but it is no more handed out by match(). False if it was not there.
  bool set_aside(std::string_view filter, Value value, bool aside);
  // Is anything there under the filter?
  bool has(std::string_view filter) const;
  // A mark that a filter keeps while anything is there under it; 0 at first.
  void set_mark(std::string_view filter, uint8_t mark);
  uint8_t mark(std::string_view filter) const;
  // Appends the value of every matching entry to `out`; a value appears once per matching filter it was added
  // under. `topic` is valid; filters beginning with a wildcard do not match topics beginning with '$'. Returns how many
  // more match and are aside.
  std::size_t match(std::string_view topic, std::vector<Value>& out) const;
  // True if at least one entry matches.
  bool any(std::string_view topic) const;

  std::size_t entries() const;
  // Approximate heap use.
  std::size_t bytes() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace arena::broker
