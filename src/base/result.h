// Expected failures are values: Result<T, E> holds either a value or the reason there is none.
#pragma once

#include <string>
#include <utility>
#include <variant>

namespace arena {

// A reason for people: what went wrong and what to do about it.
struct Error {
  std::string reason;
};

template <typename E>
struct Failure {
  E error;
};

template <typename E>
Failure<E> fail(E error) {
  return Failure<E>{std::move(error)};
}
inline Failure<Error> fail(const char* reason) { return Failure<Error>{Error{reason}}; }
inline Failure<Error> fail_with(std::string reason) { return Failure<Error>{Error{std::move(reason)}}; }

// A value or an error, never both. Asking for the side that is not there is a programmer's error
// (std::get throws). T and E must differ.
template <typename T, typename E = Error>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}          // NOLINT(implicit)
  Result(Failure<E> failure) : state_(std::in_place_index<1>, std::move(failure.error)) {}  // NOLINT

  bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }
  T& value() & { return std::get<0>(state_); }
  const T& value() const& { return std::get<0>(state_); }
  T&& value() && { return std::get<0>(std::move(state_)); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }
  const E& error() const { return std::get<1>(state_); }

 private:
  std::variant<T, E> state_;
};

struct Unit {};
using Status = Result<Unit, Error>;

}  // namespace arena
