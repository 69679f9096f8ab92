#include "broker/routing/filter_index.h"

#include <boost/unordered/unordered_flat_set.hpp>

#include "base/hash.h"
#include "base/sparse.h"
#include "base/text.h"
#include "broker/routing/filter_trie.h"
#include "broker/routing/last_topic.h"
#include "broker/routing/value_list.h"
#include "message/topic.h"

namespace arena::broker {
namespace {

using Value = FilterIndex::Value;
using FilterOf = FilterIndex::FilterOf;

// A literal filter with a copy of its text, and one whose text is read from one of its values.
struct OwnLiteral {
  OwnLiteral(std::string_view filter, Value) : text(filter) {}
  std::string_view filter(FilterOf) const { return text; }
  std::size_t text_bytes() const { return text.heap_bytes(); }
  Text text;
  mutable ValueList values;  // no part of what tells it from others
};
struct BorrowedLiteral {
  BorrowedLiteral(std::string_view, Value value) { values.add(value); }
  std::string_view filter(FilterOf filter_of) const { return filter_of(values.front()); }
  std::size_t text_bytes() const { return 0; }
  mutable ValueList values;
};

template <typename Literal>
class Literals {
 public:
  explicit Literals(FilterOf filter_of) : table_(0, Hash{filter_of}, Same{filter_of}) {}

  bool add(std::string_view filter, Value value) {
    auto at = table_.find(filter);
    const bool fresh = at == table_.end();
    if (fresh) at = table_.emplace(filter, value).first;
    if (fresh) heap_ += at->text_bytes();
    heap_ -= at->values.heap_bytes();
    const bool added = at->values.add(value) || fresh;
    heap_ += at->values.heap_bytes();
    return added;
  }
  bool remove(std::string_view filter, Value value) {
    const auto at = table_.find(filter);
    if (at == table_.end()) return false;
    if (at->values.size() == 1) return at->values.front() == value && erase(at);
    heap_ -= at->values.heap_bytes();
    const bool removed = at->values.remove(value);
    heap_ += at->values.heap_bytes();
    return removed;
  }
  ValueList* find(std::string_view filter) const {
    const auto at = table_.find(filter);
    return at == table_.end() ? nullptr : &at->values;
  }
  std::size_t bytes() const { return table_.bucket_count() * (sizeof(Literal) + 1) + heap_; }

 private:
  struct Hash {
    using is_transparent = void;
    using is_avalanching = void;
    std::size_t operator()(std::string_view filter) const { return StringHash{}(filter); }
    std::size_t operator()(const Literal& literal) const { return StringHash{}(literal.filter(filter_of)); }
    FilterOf filter_of;
  };
  struct Same {
    using is_transparent = void;
    bool operator()(const Literal& a, std::string_view b) const { return a.filter(filter_of) == b; }
    bool operator()(std::string_view a, const Literal& b) const { return a == b.filter(filter_of); }
    bool operator()(const Literal& a, const Literal& b) const { return a.filter(filter_of) == b.filter(filter_of); }
    FilterOf filter_of;
  };
  using Table = boost::unordered_flat_set<Literal, Hash, Same>;

  // It goes whole, since without values it has no text.
  bool erase(typename Table::iterator at) {
    heap_ -= at->text_bytes();
    table_.erase(at);
    shrink_if_sparse(table_);
    return true;
  }

  Table table_;
  std::size_t heap_ = 0;  // of texts and lists
};

}  // namespace

struct FilterIndex::State {
  explicit State(FilterOf filter_of) : borrows(filter_of != nullptr), borrowed(filter_of), own(nullptr) {}

  bool add_literal(std::string_view filter, Value value) {
    return borrows ? borrowed.add(filter, value) : own.add(filter, value);
  }
  bool remove_literal(std::string_view filter, Value value) {
    return borrows ? borrowed.remove(filter, value) : own.remove(filter, value);
  }
  ValueList* find_literal(std::string_view filter) const { return borrows ? borrowed.find(filter) : own.find(filter); }
  ValueList* find(std::string_view filter) {
    return has_wildcard(filter) ? wildcards.find(filter) : find_literal(filter);
  }

  const bool borrows;
  Literals<BorrowedLiteral> borrowed;
  Literals<OwnLiteral> own;
  FilterTrie wildcards;
  std::size_t entries = 0;

  struct Matched {
    std::vector<Value> values;
    std::size_t aside = 0;
  };
  LastTopic<Matched> matched;  // when they were few
  LastTopic<bool> any;
  void changed() {
    matched.forget();
    any.forget();
  }
};

FilterIndex::FilterIndex(FilterOf filter_of) : state_(std::make_unique<State>(filter_of)) {}
FilterIndex::~FilterIndex() = default;

bool FilterIndex::add(std::string_view filter, Value value) {
  state_->changed();
  const bool added =
      has_wildcard(filter) ? state_->wildcards.add(filter, value) : state_->add_literal(filter, value);
  if (added) ++state_->entries;
  return added;
}

bool FilterIndex::remove(std::string_view filter, Value value) {
  state_->changed();
  const bool removed =
      has_wildcard(filter) ? state_->wildcards.remove(filter, value) : state_->remove_literal(filter, value);
  if (removed) --state_->entries;
  return removed;
}

bool FilterIndex::set_aside(std::string_view filter, Value value, bool aside) {
  state_->changed();
  ValueList* values = state_->find(filter);
  return values != nullptr && values->set_aside(value, aside);
}

bool FilterIndex::has(std::string_view filter) const { return state_->find(filter) != nullptr; }

void FilterIndex::set_mark(std::string_view filter, uint8_t mark) {
  if (ValueList* values = state_->find(filter)) values->mark = mark;
}

uint8_t FilterIndex::mark(std::string_view filter) const {
  const ValueList* values = state_->find(filter);
  return values == nullptr ? 0 : values->mark;
}

std::size_t FilterIndex::match(std::string_view topic, std::vector<Value>& out) const {
  constexpr std::size_t kFew = 8;
  if (const auto* known = state_->matched.find(topic)) {
    out.insert(out.end(), known->values.begin(), known->values.end());
    return known->aside;
  }
  const std::size_t before = out.size();
  std::size_t aside = 0;
  if (const ValueList* values = state_->find_literal(topic)) {
    values->append_to(out);
    aside = values->aside();
  }
  aside += state_->wildcards.match(topic, out);
  if (out.size() - before <= kFew) {
    State::Matched& kept = state_->matched.keep(topic);
    kept.values.assign(out.begin() + static_cast<std::ptrdiff_t>(before), out.end());
    kept.aside = aside;
  }
  return aside;
}

bool FilterIndex::any(std::string_view topic) const {
  if (const bool* known = state_->any.find(topic)) return *known;
  return state_->any.keep(topic) = state_->find_literal(topic) != nullptr || state_->wildcards.any(topic);
}

std::size_t FilterIndex::entries() const { return state_->entries; }

std::size_t FilterIndex::bytes() const {
  return state_->borrowed.bytes() + state_->own.bytes() + state_->wildcards.bytes();
}

}  // namespace arena::broker
