#include "broker/routing/value_list.h"

#include <algorithm>
#include <boost/unordered/unordered_flat_map.hpp>
#include <memory>
#include <utility>

namespace arena::broker {
namespace {

constexpr std::size_t kIndexAbove = 16;   // longer lists have an index
constexpr std::size_t kNoIndexBelow = 8;  // and lose it here, so that a list at the edge does not flap

using Positions = boost::unordered_flat_map<uint64_t, uint32_t>;

}  // namespace

struct ValueList::Many {
  std::size_t find(Value value) const {
    if (positions) {
      const auto at = positions->find(value);
      return at == positions->end() ? values.size() : at->second;
    }
    return static_cast<std::size_t>(std::find(values.begin(), values.end(), value) - values.begin());
  }

  void push(Value value) {
    if (positions) positions->emplace(value, static_cast<uint32_t>(values.size()));
    values.push_back(value);
    if (!positions && values.size() > kIndexAbove) build_index();
  }

  // The last value takes the place of the removed one.
  void remove_at(std::size_t at) {
    if (positions) {
      positions->erase(values[at]);
      if (at + 1 != values.size()) (*positions)[values.back()] = static_cast<uint32_t>(at);
    }
    values[at] = values.back();
    values.pop_back();
    if (positions && values.size() < kNoIndexBelow) positions.reset();
    give_back();
  }

  void build_index() {
    positions = std::make_unique<Positions>();
    for (std::size_t i = 0; i < values.size(); ++i) positions->emplace(values[i], static_cast<uint32_t>(i));
  }

  void give_back() {
    if (values.capacity() < 64 || values.size() * 4 > values.capacity()) return;
    values.shrink_to_fit();
    if (positions) positions->rehash(0);
  }

  std::vector<Value> values;
  std::unique_ptr<Positions> positions;  // value -> index in `values`; null for short lists
};

ValueList::ValueList(ValueList&& other) noexcept : size_(std::exchange(other.size_, 0)), mark(other.mark) {
  if (size_ > 1) {
    many_ = other.many_;
  } else {
    one_ = other.one_;
  }
}

ValueList& ValueList::operator=(ValueList&& other) noexcept {
  if (this == &other) return *this;
  clear();
  size_ = std::exchange(other.size_, 0);
  mark = other.mark;
  if (size_ > 1) {
    many_ = other.many_;
  } else {
    one_ = other.one_;
  }
  return *this;
}

void ValueList::clear() {
  if (size_ > 1) delete many_;
  one_ = 0;
  size_ = 0;
}

bool ValueList::add(Value value) {
  if (size_ == 0) {
    one_ = value;
  } else if (size_ == 1) {
    if (one_ == value) return false;
    auto many = std::make_unique<Many>();
    many->values = {one_, value};
    many_ = many.release();
  } else {
    if (many_->find(value) != many_->values.size()) return false;
    many_->push(value);
  }
  ++size_;
  return true;
}

bool ValueList::remove(Value value) {
  if (size_ == 0) return false;
  if (size_ == 1) {
    if (one_ != value) return false;
    size_ = 0;
    mark = 0;
    return true;
  }
  const std::size_t at = many_->find(value);
  if (at == many_->values.size()) return false;
  many_->remove_at(at);
  if (--size_ == 1) {
    const Value last = many_->values.front();
    delete many_;
    one_ = last;
  }
  return true;
}

ValueList::Value ValueList::front() const { return size_ == 1 ? one_ : many_->values.front(); }

void ValueList::append_to(std::vector<Value>& out) const {
  if (size_ == 1) {
    out.push_back(one_);
  } else if (size_ > 1) {
    out.insert(out.end(), many_->values.begin(), many_->values.end());
  }
}

std::size_t ValueList::heap_bytes() const {
  if (size_ <= 1) return 0;
  std::size_t bytes = sizeof(Many) + many_->values.capacity() * sizeof(Value);
  if (many_->positions) {
    bytes += sizeof(Positions) + many_->positions->bucket_count() * (sizeof(Positions::value_type) + 1);
  }
  return bytes;
}

}  // namespace arena::broker
