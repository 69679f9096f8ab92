// How many follow topics by request at the same time: all together, and each user.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "access/admission.h"
#include "base/result.h"
#include "gateway/http/options.h"
#include "message/principal.h"

namespace arena::gateway::http {

class EventSeat;

// One for the process; any core.
class EventSeats {
 public:
  // `seed` keeps strangers from choosing names that share cells.
  explicit EventSeats(uint64_t seed = 0) : seed_(seed) {}

  // A seat, or the limit that forbids it. Two cores at the same instant may both be let in to the last place.
  Result<EventSeat, Refused> take(const PrincipalView& who, const Options& options);
  std::size_t taken() const { return taken_; }

 private:
  friend class EventSeat;
  const uint64_t seed_;
  std::atomic<std::size_t> taken_{0};
  access::AddressTable by_user_;
};

// Given back when it goes.
class EventSeat {
 public:
  EventSeat() = default;
  EventSeat(EventSeat&& other) noexcept : seats_(std::exchange(other.seats_, nullptr)), key_(other.key_) {}
  EventSeat& operator=(EventSeat&& other) noexcept;
  ~EventSeat() { leave(); }

 private:
  friend class EventSeats;
  EventSeat(EventSeats& seats, uint64_t key);
  void leave();

  EventSeats* seats_ = nullptr;
  uint64_t key_ = 0;
};

}  // namespace arena::gateway::http
