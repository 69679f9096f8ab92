#include "access/admission.h"

#include <arpa/inet.h>

#include <algorithm>
#include <string>

#include "base/hash.h"

namespace arena::access {

uint64_t address_key(std::string_view ip, uint64_t seed) {
  constexpr std::size_t kNetworkBytes = 8;
  in6_addr v6{};
  if (::inet_pton(AF_INET6, std::string(ip).c_str(), &v6) != 1) return hash64(ip, seed) >> 1;
  return hash64({reinterpret_cast<const char*>(v6.s6_addr), kNetworkBytes}, seed) >> 1;
}

uint64_t AddressTable::least(uint64_t key) const {
  uint64_t least = UINT64_MAX;
  for (std::size_t row = 0; row < kRows; ++row) least = std::min(least, cell(key, row).load(std::memory_order_relaxed));
  return least;
}

// Two cores at the same instant may both be let in to the last place: that is not worth a lock.
Result<Seat, NoSeat> Admission::admit(std::string_view ip, const AdmissionLimits& limits, int64_t now_ms) {
  const uint64_t key = address_key(ip, seed_);
  if (connections_ >= limits.connections_max) return fail(NoSeat::connections);
  if (half_open_ >= limits.half_open_max) return fail(NoSeat::half_open);
  const std::size_t per_address = limits.connections_per_address_max;
  if (per_address != 0 && open_.least(key) >= per_address) return fail(NoSeat::connections_per_address);
  if (!within_rate(key, limits.connects_per_address_per_s, now_ms)) return fail(NoSeat::connect_rate);
  return Seat(*this, key);
}

// Every connection is paid for with the time that the rate gives it; nobody may be further ahead than the window.
bool Admission::within_rate(uint64_t key, uint32_t per_s, int64_t now_ms) {
  if (per_s == 0) return true;
  const auto now_us = static_cast<uint64_t>(now_ms) * 1000;
  if (paid_until_us_.least(key) > now_us + uint64_t{kConnectRateWindowS} * 1'000'000) return false;
  for (std::size_t row = 0; row < AddressTable::kRows; ++row) {
    const auto cell = paid_until_us_.cell(key, row);
    cell.store(std::max(cell.load(std::memory_order_relaxed), now_us) + 1'000'000 / per_s, std::memory_order_relaxed);
  }
  return true;
}

Seat::Seat(Admission& admission, uint64_t key) : admission_(&admission), key_(key << 1 | 1) {
  ++admission.connections_;
  ++admission.half_open_;
  for (std::size_t row = 0; row < AddressTable::kRows; ++row) admission.open_.cell(address(), row).fetch_add(1);
}

Seat& Seat::operator=(Seat&& other) noexcept {
  if (this == &other) return *this;
  leave();
  admission_ = std::exchange(other.admission_, nullptr);
  key_ = other.key_;
  return *this;
}

void Seat::leave_half_open() {
  if (admission_ == nullptr || (key_ & 1) == 0) return;
  key_ &= ~uint64_t{1};
  --admission_->half_open_;
}

bool Seat::be_half_open(const AdmissionLimits& limits) {
  if (admission_ == nullptr || (key_ & 1) != 0) return true;
  if (admission_->half_open_ >= limits.half_open_max) return false;
  key_ |= 1;
  ++admission_->half_open_;
  return true;
}

void Seat::leave() {
  if (admission_ == nullptr) return;
  leave_half_open();
  for (std::size_t row = 0; row < AddressTable::kRows; ++row) admission_->open_.cell(address(), row).fetch_sub(1);
  --std::exchange(admission_, nullptr)->connections_;
}

}  // namespace arena::access
