// The keys of session tickets, with which a client may resume where a server keeps nothing of it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace arena::net {

// What the cores of a server begin with, all of them with the same.
struct TicketSeed {
  using Secret = std::array<unsigned char, 32>;
  Secret secret{};
  int64_t begin_ms = 0;   // of the loop's clock
  int64_t period_ms = 0;  // 0: no tickets

  static TicketSeed make(int64_t begin_ms, int64_t period_ms);  // from the system's randomness
};

struct TicketKey {
  std::array<unsigned char, 16> name{};
  std::array<unsigned char, 32> cipher{};
  std::array<unsigned char, 32> mac{};
};

// Keys change every period, and those of the period before are still taken. Each period's secret is made of the one before,
// which is then wiped: cores agree without a word, and who learns today's cannot open what was recorded earlier.
// Belongs to one core.
class TicketKeys {
 public:
  explicit TicketKeys(const TicketSeed& seed);
  ~TicketKeys();
  TicketKeys(const TicketKeys&) = delete;
  TicketKeys& operator=(const TicketKeys&) = delete;

  bool enabled() const { return period_ms_ > 0; }
  const TicketKey& current(int64_t now_ms);
  // Null: unknown, or too old.
  const TicketKey* find(std::span<const unsigned char> name, int64_t now_ms);

 private:
  void advance(int64_t now_ms);
  void step();

  int64_t period_ms_;
  int64_t next_ms_;
  TicketSeed::Secret secret_;
  TicketKey current_;
  TicketKey previous_;
  bool has_previous_ = false;
};

}  // namespace arena::net
