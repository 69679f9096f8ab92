// Who may come in at all, before anybody is known: what is counted over all cores, by address too.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string_view>
#include <utility>

#include "base/result.h"

namespace arena::access {

// An address may come faster than its rate for a while: what this long would have brought.
inline constexpr int64_t kConnectRateWindowS = 20;

struct AdmissionLimits {
  std::size_t connections_max = 100'000;
  std::size_t connections_per_address_max = 0;  // 0: no limit
  uint32_t connects_per_address_per_s = 1000;   // averaged over kConnectRateWindowS; 0: no limit
  std::size_t half_open_max = 5'000;            // accepted, and nobody let in yet; then the oldest goes
};

// The limit that forbids another connection.
enum class NoSeat : uint8_t { connections, connections_per_address, connect_rate, half_open };

// An address as a number of 63 bits: an IPv4 address, or the first half of an IPv6 one, which is what one customer has.
uint64_t address_key(std::string_view ip, uint64_t seed);

// A number for each address, in bounded memory and without a lock: four rows of cells, each address at one cell of each
// row. The least of its four cells is never less than the truth, and more only where others share all four.
class AddressTable {
 public:
  static constexpr std::size_t kRows = 4;
  static constexpr std::size_t kCells = std::size_t{1} << 16;

  std::atomic_ref<uint64_t> cell(uint64_t key, std::size_t row) const {
    return std::atomic_ref<uint64_t>(cells_[row * kCells + ((key >> (16 * row)) & (kCells - 1))]);
  }
  uint64_t least(uint64_t key) const;

 private:
  struct Free {
    void operator()(uint64_t* cells) const { std::free(cells); }
  };
  // Zero pages until they are written to, so that a quiet broker does not pay for the table.
  std::unique_ptr<uint64_t[], Free> cells_{static_cast<uint64_t*>(std::calloc(kRows * kCells, sizeof(uint64_t)))};
};

class Seat;

// One for the process; any core.
class Admission {
 public:
  // `seed` keeps strangers from choosing addresses that share cells.
  explicit Admission(uint64_t seed = 0) : seed_(seed) {}

  // A seat for a new connection, or the limit that forbids it.
  Result<Seat, NoSeat> admit(std::string_view ip, const AdmissionLimits& limits, int64_t now_ms);
  std::size_t connections() const { return connections_; }
  std::size_t half_open() const { return half_open_; }

 private:
  friend class Seat;
  bool within_rate(uint64_t key, uint32_t per_s, int64_t now_ms);

  const uint64_t seed_;
  std::atomic<std::size_t> connections_{0};
  std::atomic<std::size_t> half_open_{0};
  AddressTable open_;
  AddressTable paid_until_us_;  // how far an address is ahead of its rate
};

// A connection's place in the counts, given back when the connection goes. Moves with it from core to core.
class Seat {
 public:
  Seat() = default;
  Seat(Seat&& other) noexcept
      : admission_(std::exchange(other.admission_, nullptr)), key_(other.key_) {}
  Seat& operator=(Seat&& other) noexcept;
  ~Seat() { leave(); }

  void leave_half_open();
  // Nobody is let in yet after all. False: there are as many of those as may be.
  bool be_half_open(const AdmissionLimits& limits);
  uint64_t address() const { return key_ >> 1; }

 private:
  friend class Admission;
  Seat(Admission& admission, uint64_t key);
  void leave();

  Admission* admission_ = nullptr;
  uint64_t key_ = 0;  // the address; the lowest bit: half open
};

}  // namespace arena::access
