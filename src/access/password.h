// Password hashing: Argon2id, memory-hard on purpose. Never call from a loop: use Lane::password.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace arena::access {

struct PasswordCost {
  uint64_t passes = 2;
  std::size_t memory_bytes = std::size_t{64} << 20;
};

inline constexpr std::size_t kPasswordBytesMax = 4096;

// A self-describing text "$argon2id$v=19$m=..,t=..,p=1$salt$hash" with a fresh random salt. Blocks for tens of
// milliseconds. Refuses empty and over-long passwords.
Result<std::string> hash_password(std::string_view password, const PasswordCost& cost = {});
// Constant time in the password; cost as told by the hash. False for a malformed hash.
bool verify_password(std::string_view password, const std::string& hash);
bool is_password_hash(const std::string& text);
// A hash of the default cost that no password satisfies: verified for unknown users, so that they take as long.
const std::string& unsatisfiable_hash();
// Overwrites a secret before its memory is given back.
void wipe(std::string& secret);

}  // namespace arena::access
