// A move-only callable with room for small captures inside the object (std::move_only_function is C++23).
#pragma once

#include <cstddef>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

namespace arena {

template <typename Signature>
class UniqueFunction;

// Calls an empty function: programmer's error (null dereference). Not thread-safe; may be moved across threads.
template <typename R, typename... Args>
class UniqueFunction<R(Args...)> {
 public:
  UniqueFunction() = default;
  UniqueFunction(std::nullptr_t) {}  // NOLINT(implicit)
  template <typename F, typename D = std::decay_t<F>>
    requires(!std::is_same_v<D, UniqueFunction> && std::is_invocable_r_v<R, D&, Args...>)
  UniqueFunction(F&& f) {  // NOLINT(implicit)
    if constexpr (sizeof(D) <= kInline && alignof(D) <= alignof(std::max_align_t) &&
                  std::is_nothrow_move_constructible_v<D>) {
      new (storage_) D(std::forward<F>(f));
      ops_ = &InlineOps<D>::ops;
    } else {
      new (storage_) D*(new D(std::forward<F>(f)));
      ops_ = &HeapOps<D>::ops;
    }
  }
  UniqueFunction(UniqueFunction&& other) noexcept { take(other); }
  UniqueFunction& operator=(UniqueFunction&& other) noexcept {
    if (this != &other) {
      reset();
      take(other);
    }
    return *this;
  }
  UniqueFunction(const UniqueFunction&) = delete;
  UniqueFunction& operator=(const UniqueFunction&) = delete;
  ~UniqueFunction() { reset(); }

  explicit operator bool() const { return ops_ != nullptr; }
  R operator()(Args... args) { return ops_->call(storage_, std::forward<Args>(args)...); }

 private:
  static constexpr std::size_t kInline = 48;
  struct Ops {
    R (*call)(void*, Args&&...);
    void (*move)(void* from, void* to);
    void (*destroy)(void*);
  };
  template <typename D>
  struct InlineOps {
    static R call(void* p, Args&&... args) { return (*static_cast<D*>(p))(std::forward<Args>(args)...); }
    static void move(void* from, void* to) {
      new (to) D(std::move(*static_cast<D*>(from)));
      static_cast<D*>(from)->~D();
    }
    static void destroy(void* p) { static_cast<D*>(p)->~D(); }
    static constexpr Ops ops{&call, &move, &destroy};
  };
  template <typename D>
  struct HeapOps {
    static R call(void* p, Args&&... args) { return (**static_cast<D**>(p))(std::forward<Args>(args)...); }
    static void move(void* from, void* to) { new (to) D*(*static_cast<D**>(from)); }
    static void destroy(void* p) { delete *static_cast<D**>(p); }
    static constexpr Ops ops{&call, &move, &destroy};
  };

  void take(UniqueFunction& other) noexcept {
    ops_ = std::exchange(other.ops_, nullptr);
    if (ops_ != nullptr) ops_->move(other.storage_, storage_);
  }
  void reset() noexcept {
    if (ops_ != nullptr) std::exchange(ops_, nullptr)->destroy(storage_);
  }

  const Ops* ops_ = nullptr;
  alignas(std::max_align_t) std::byte storage_[kInline];
};

using Task = UniqueFunction<void()>;

}  // namespace arena
