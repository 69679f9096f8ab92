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
    swap(present++, values.size() - 1);
  }

  void remove_at(std::size_t at) {
    if (at < present) {
      swap(at, --present);
      at = present;
    }
    swap(at, values.size() - 1);
    if (positions) positions->erase(values.back());
    values.pop_back();
    if (positions && values.size() < kNoIndexBelow) positions.reset();
    give_back();
  }

  void set_aside(std::size_t at, bool aside) {
    if (aside == (at >= present)) return;
    swap(at, aside ? --present : present++);
  }

  void swap(std::size_t a, std::size_t b) {
    if (a == b) return;
    std::swap(values[a], values[b]);
    if (!positions) return;
    (*positions)[values[a]] = static_cast<uint32_t>(a);
    (*positions)[values[b]] = static_cast<uint32_t>(b);
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

  std::vector<Value> values;  // the first `present` are not aside
  std::size_t present = 0;
  std::unique_ptr<Positions> positions;  // value -> index in `values`; null for short lists
};

ValueList::ValueList(ValueList&& other) noexcept
    : size_(std::exchange(other.size_, 0)), one_is_aside_(other.one_is_aside_), mark(other.mark) {
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
  one_is_aside_ = other.one_is_aside_;
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
  one_is_aside_ = false;
}

bool ValueList::add(Value value) {
  if (size_ == 0) {
    one_ = value;
    one_is_aside_ = false;
  } else if (size_ == 1) {
    if (one_ == value) return false;
    auto many = std::make_unique<Many>();
    many->values = {one_};
    many->present = one_is_aside_ ? 0 : 1;
    many->push(value);
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
    one_is_aside_ = many_->present == 0;
    delete many_;
    one_ = last;
  }
  return true;
}

bool ValueList::set_aside(Value value, bool aside) {
  if (size_ <= 1) {
    if (size_ == 0 || one_ != value) return false;
    one_is_aside_ = aside;
    return true;
  }
  const std::size_t at = many_->find(value);
  if (at == many_->values.size()) return false;
  many_->set_aside(at, aside);
  return true;
}

std::size_t ValueList::aside() const {
  if (size_ == 1) return one_is_aside_ ? 1 : 0;
  return size_ == 0 ? 0 : size_ - many_->present;
}

ValueList::Value ValueList::front() const { return size_ == 1 ? one_ : many_->values.front(); }

void ValueList::append_to(std::vector<Value>& out) const {
  if (size_ == 1) {
    if (!one_is_aside_) out.push_back(one_);
  } else if (size_ > 1) {
    out.insert(out.end(), many_->values.begin(), many_->values.begin() + static_cast<std::ptrdiff_t>(many_->present));
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
