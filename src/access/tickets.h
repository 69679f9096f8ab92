// Short-lived words by which somebody who was known once is known again, where credentials cannot be said: in the address that a
// browser follows.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "message/principal.h"

namespace arena::access {

// Sealed with a secret of this process; nothing is kept of those that were given out, so there can be any number of them. Immutable; any
// core.
class Tickets {
 public:
  static constexpr int64_t kLifeMs = 60'000;

  Tickets();
  ~Tickets();
  Tickets(const Tickets&) = delete;
  Tickets& operator=(const Tickets&) = delete;

  // For one purpose, under the policy of that epoch. Letters, digits, '-' and '_'.
  std::string issue(std::string_view purpose, const PrincipalView& who, uint32_t epoch, int64_t now_ms) const;
  // nullopt: not ours, for something else, too old, or of another epoch: whoever it was may not be welcome any more.
  std::optional<Principal> redeem(std::string_view ticket, std::string_view purpose, uint32_t epoch, int64_t now_ms) const;

 private:
  std::array<unsigned char, 32> secret_{};
};

}  // namespace arena::access
