#include "gateway/http/event_seats.h"

#include <string>

#include "base/hash.h"

namespace arena::gateway::http {

Result<EventSeat, Refused> EventSeats::take(const PrincipalView& who, const Options& options) {
  if (taken_ >= options.event_streams_max) return fail(Refused::event_streams);
  const uint64_t key = hash64(std::string(who.space) + '\0' + std::string(who.name), seed_);
  if (by_user_.least(key) >= options.event_streams_per_user_max) return fail(Refused::event_streams_per_user);
  return EventSeat(*this, key);
}

EventSeat::EventSeat(EventSeats& seats, uint64_t key) : seats_(&seats), key_(key) {
  ++seats.taken_;
  for (std::size_t row = 0; row < access::AddressTable::kRows; ++row) seats.by_user_.cell(key, row).fetch_add(1);
}

EventSeat& EventSeat::operator=(EventSeat&& other) noexcept {
  if (this == &other) return *this;
  leave();
  seats_ = std::exchange(other.seats_, nullptr);
  key_ = other.key_;
  return *this;
}

void EventSeat::leave() {
  if (seats_ == nullptr) return;
  for (std::size_t row = 0; row < access::AddressTable::kRows; ++row) seats_->by_user_.cell(key_, row).fetch_sub(1);
  --std::exchange(seats_, nullptr)->taken_;
}

}  // namespace arena::gateway::http
