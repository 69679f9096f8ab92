// Shared ownership with the count inside the object.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <utility>

namespace arena {

// Base of objects that several cores may hold. The count is atomic; the object itself must be immutable
// while shared. T may define `static void destroy(const T*)` to free itself another way than `delete`.
template <typename T>
class RefCounted {
 public:
  void add_ref() const { count_.fetch_add(1, std::memory_order_relaxed); }
  void drop_ref() const {
    if (count_.fetch_sub(1, std::memory_order_acq_rel) == 1) {
      if constexpr (requires { T::destroy(static_cast<const T*>(this)); }) {
        T::destroy(static_cast<const T*>(this));
      } else {
        delete static_cast<const T*>(this);
      }
    }
  }

 protected:
  ~RefCounted() = default;

 private:
  mutable std::atomic<uint32_t> count_{0};
};

template <typename T>
class Ref {
 public:
  Ref() = default;
  Ref(std::nullptr_t) {}  // NOLINT(implicit)
  explicit Ref(T* object) : object_(object) {
    if (object_ != nullptr) object_->add_ref();
  }
  Ref(const Ref& other) : Ref(other.object_) {}
  Ref(Ref&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
  Ref& operator=(Ref other) noexcept {
    std::swap(object_, other.object_);
    return *this;
  }
  ~Ref() {
    if (object_ != nullptr) object_->drop_ref();
  }

  T* get() const { return object_; }
  T& operator*() const { return *object_; }
  T* operator->() const { return object_; }
  explicit operator bool() const { return object_ != nullptr; }
  friend bool operator==(const Ref&, const Ref&) = default;

 private:
  T* object_ = nullptr;
};

}  // namespace arena
