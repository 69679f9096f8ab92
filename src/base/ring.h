// A queue for objects of which there are many and which mostly have nothing in it: a pointer while it is empty, where
// a std::deque takes 80 bytes and a heap block of 576.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <new>
#include <utility>

namespace arena {

// First in, first out, in one block that doubles. T has a default value, which free places hold. References hold until
// the next push or removal. Room for more than kKept is given back when the last element goes.
template <typename T>
class Ring {
  template <typename Owner, typename Value>
  class Iterator {
   public:
    using iterator_category = std::forward_iterator_tag;
    using value_type = T;
    using difference_type = std::ptrdiff_t;
    using pointer = Value*;
    using reference = Value&;
    Iterator() = default;
    Iterator(Owner* owner, std::size_t at) : owner_(owner), at_(at) {}
    reference operator*() const { return (*owner_)[at_]; }
    pointer operator->() const { return &(*owner_)[at_]; }
    Iterator& operator++() {
      ++at_;
      return *this;
    }
    Iterator operator++(int) { return Iterator(owner_, at_++); }
    friend bool operator==(const Iterator&, const Iterator&) = default;
    std::size_t index() const { return at_; }

   private:
    Owner* owner_ = nullptr;
    std::size_t at_ = 0;
  };

 public:
  using iterator = Iterator<Ring, T>;
  using const_iterator = Iterator<const Ring, const T>;

  Ring() = default;
  Ring(Ring&& other) noexcept : block_(std::exchange(other.block_, nullptr)) {}
  Ring& operator=(Ring other) noexcept {
    std::swap(block_, other.block_);
    return *this;
  }
  ~Ring() { clear(); }

  bool empty() const { return block_ == nullptr || block_->size == 0; }
  std::size_t size() const { return block_ == nullptr ? 0 : block_->size; }
  T& operator[](std::size_t i) { return block_->room()[block_->place(i)]; }
  const T& operator[](std::size_t i) const { return block_->room()[block_->place(i)]; }
  T& front() { return (*this)[0]; }
  const T& front() const { return (*this)[0]; }
  T& back() { return (*this)[size() - 1]; }
  iterator begin() { return {this, 0}; }
  iterator end() { return {this, size()}; }
  const_iterator begin() const { return {this, 0}; }
  const_iterator end() const { return {this, size()}; }

  void push_back(T&& value) { push_back() = std::move(value); }
  void push_back(const T& value) { push_back() = value; }
  // A new last element of default value, for whoever fills it in place.
  T& push_back() {
    if (block_ == nullptr || block_->size == block_->capacity) grow();
    return block_->room()[block_->place(block_->size++)];
  }
  void pop_front() {
    front() = T{};
    block_->first = (block_->first + 1) & (block_->capacity - 1);
    if (--block_->size == 0 && block_->capacity > kKept) clear();
  }
  void erase(const iterator& at) {
    for (std::size_t i = at.index(); i > 0; --i) (*this)[i] = std::move((*this)[i - 1]);
    pop_front();
  }
  // Gives all its room back.
  void clear() {
    if (block_ != nullptr) Block::destroy(std::exchange(block_, nullptr));
  }

 private:
  static constexpr uint32_t kFirst = 4;
  static constexpr uint32_t kKept = 16;

  // Followed in the same heap block by `capacity` elements.
  struct alignas(alignof(T) > alignof(uint64_t) ? alignof(T) : alignof(uint64_t)) Block {
    uint32_t capacity;  // a power of two
    uint32_t first = 0;
    uint32_t size = 0;

    T* room() { return std::launder(reinterpret_cast<T*>(this + 1)); }
    std::size_t place(std::size_t i) const { return (first + i) & (capacity - 1); }

    static Block* make(uint32_t capacity) {
      void* memory = ::operator new(sizeof(Block) + capacity * sizeof(T));
      auto* block = new (memory) Block{capacity};
      std::uninitialized_value_construct_n(reinterpret_cast<T*>(block + 1), capacity);
      return block;
    }
    static void destroy(Block* block) {
      std::destroy_n(block->room(), block->capacity);
      ::operator delete(block);
    }
  };
  static_assert(alignof(T) <= __STDCPP_DEFAULT_NEW_ALIGNMENT__);

  void grow() {
    Block* block = Block::make(block_ == nullptr ? kFirst : block_->capacity * 2);
    for (std::size_t i = 0; i < size(); ++i) block->room()[i] = std::move((*this)[i]);
    block->size = static_cast<uint32_t>(size());
    clear();
    block_ = block;
  }

  Block* block_ = nullptr;
};

}  // namespace arena
