#include "broker/routing/filter_index.h"

#include <boost/unordered/unordered_flat_map.hpp>

#include <utility>

#include "base/hash.h"
#include "base/text.h"
#include "broker/routing/filter_trie.h"
#include "broker/routing/value_list.h"
#include "message/topic.h"

namespace arena::broker {
namespace {

// A table that has become mostly empty gives its memory back.
template <typename Table>
void shrink_if_sparse(Table& table) {
  if (table.bucket_count() > 1024 && table.size() * 8 < table.bucket_count()) table.rehash(0);
}

struct SameText {
  using is_transparent = void;
  bool operator()(std::string_view a, std::string_view b) const { return a == b; }
};

}  // namespace

struct FilterIndex::State {
  bool add_literal(std::string_view filter, Value value) {
    auto at = literals.find(filter);
    if (at == literals.end()) {
      at = literals.emplace(Text(filter), ValueList{}).first;
      heap += at->first.heap_bytes();
    }
    heap -= at->second.heap_bytes();
    const bool added = at->second.add(value);
    heap += at->second.heap_bytes();
    return added;
  }

  bool remove_literal(std::string_view filter, Value value) {
    const auto at = literals.find(filter);
    if (at == literals.end()) return false;
    heap -= at->second.heap_bytes();
    const bool removed = at->second.remove(value);
    heap += at->second.heap_bytes();
    if (at->second.empty()) {
      heap -= at->first.heap_bytes();
      literals.erase(at);
      shrink_if_sparse(literals);
    }
    return removed;
  }

  ValueList* find(std::string_view filter) {
    if (has_wildcard(filter)) return wildcards.find(filter);
    const auto at = literals.find(filter);
    return at == literals.end() ? nullptr : &at->second;
  }

  boost::unordered_flat_map<Text, ValueList, StringHash, SameText> literals;
  FilterTrie wildcards;
  std::size_t entries = 0;
  std::size_t heap = 0;  // of the literal filters' texts and lists
};

FilterIndex::FilterIndex() : state_(std::make_unique<State>()) {}
FilterIndex::~FilterIndex() = default;

bool FilterIndex::add(std::string_view filter, Value value) {
  const bool added =
      has_wildcard(filter) ? state_->wildcards.add(filter, value) : state_->add_literal(filter, value);
  if (added) ++state_->entries;
  return added;
}

bool FilterIndex::remove(std::string_view filter, Value value) {
  const bool removed =
      has_wildcard(filter) ? state_->wildcards.remove(filter, value) : state_->remove_literal(filter, value);
  if (removed) --state_->entries;
  return removed;
}

bool FilterIndex::has(std::string_view filter) const { return state_->find(filter) != nullptr; }

void FilterIndex::mark(std::string_view filter) {
  if (ValueList* values = state_->find(filter)) values->marked = true;
}

bool FilterIndex::marked(std::string_view filter) const {
  const ValueList* values = state_->find(filter);
  return values != nullptr && values->marked;
}

void FilterIndex::match(std::string_view topic, std::vector<Value>& out) const {
  const auto at = state_->literals.find(topic);
  if (at != state_->literals.end()) at->second.append_to(out);
  state_->wildcards.match(topic, out);
}

bool FilterIndex::any(std::string_view topic) const {
  return state_->literals.contains(topic) || state_->wildcards.any(topic);
}

std::size_t FilterIndex::entries() const { return state_->entries; }

std::size_t FilterIndex::bytes() const {
  using Slot = std::pair<const Text, ValueList>;
  return state_->literals.bucket_count() * (sizeof(Slot) + 1) + state_->heap + state_->wildcards.bytes();
}

}  // namespace arena::broker
