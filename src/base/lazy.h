// A map or set of which there are many and which are mostly empty: a pointer while it is.
#pragma once

#include <cstddef>
#include <memory>
#include <utility>

namespace arena {

// Wraps a standard associative container, with as much of its interface as is used. What points into it is gone when
// its last element goes.
template <typename Container>
class Lazy {
 public:
  using Key = typename Container::key_type;
  using iterator = typename Container::iterator;

  bool empty() const { return inside_ == nullptr; }
  std::size_t size() const { return inside_ ? inside_->size() : 0; }
  bool contains(const Key& key) const { return inside_ && inside_->contains(key); }
  iterator begin() { return inside_ ? inside_->begin() : none().begin(); }
  iterator end() { return inside_ ? inside_->end() : none().end(); }
  auto begin() const { return std::as_const(inside_ ? *inside_ : none()).begin(); }
  auto end() const { return std::as_const(inside_ ? *inside_ : none()).end(); }
  auto find(const Key& key) const { return std::as_const(inside_ ? *inside_ : none()).find(key); }
  iterator find(const Key& key) { return inside_ ? inside_->find(key) : none().end(); }
  auto& operator[](const Key& key) { return make()[key]; }
  template <typename... Args>
  auto try_emplace(const Key& key, Args&&... args) {
    return make().try_emplace(key, std::forward<Args>(args)...);
  }
  void insert(const Key& key) { make().insert(key); }
  iterator erase(iterator at) {
    const iterator next = inside_->erase(at);
    return drop_if_empty() ? end() : next;
  }
  std::size_t erase(const Key& key) {
    const std::size_t erased = inside_ ? inside_->erase(key) : 0;
    drop_if_empty();
    return erased;
  }
  void clear() { inside_.reset(); }
  Container copy() const { return inside_ ? *inside_ : Container(); }

 private:
  // What an empty one shows; never written.
  static Container& none() {
    static Container empty;
    return empty;
  }
  Container& make() {
    if (!inside_) inside_ = std::make_unique<Container>();
    return *inside_;
  }
  bool drop_if_empty() {
    if (!inside_ || !inside_->empty()) return false;
    inside_.reset();
    return true;
  }

  std::unique_ptr<Container> inside_;
};

}  // namespace arena
