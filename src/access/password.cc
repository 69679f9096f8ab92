#include "access/password.h"

#include <sodium.h>

#include <algorithm>
#include <array>

namespace arena::access {

namespace {

// Any thread, any number of times.
bool ready() { return sodium_init() >= 0; }

// libsodium reads its text up to a NUL, in a buffer of crypto_pwhash_STRBYTES.
bool fits(const std::string& hash) {
  return hash.size() < crypto_pwhash_STRBYTES && hash.find('\0') == std::string::npos;
}

}  // namespace

Result<std::string> hash_password(std::string_view password, const PasswordCost& cost) {
  if (password.empty()) return fail("the password is empty");
  if (password.size() > kPasswordBytesMax) return fail("the password is longer than 4096 bytes");
  if (!ready()) return fail("the system has no source of randomness");
  std::array<char, crypto_pwhash_STRBYTES> out{};
  if (crypto_pwhash_str_alg(out.data(), password.data(), password.size(), cost.passes, cost.memory_bytes,
                            crypto_pwhash_ALG_ARGON2ID13) != 0) {
    return fail("there is not enough memory to hash the password");
  }
  return std::string(out.data());
}

bool verify_password(std::string_view password, const std::string& hash) {
  if (!ready() || !fits(hash)) return false;
  return crypto_pwhash_str_verify(hash.c_str(), password.data(), password.size()) == 0;
}

bool is_password_hash(const std::string& text) {
  if (!ready() || !fits(text) || !text.starts_with("$argon2id$")) return false;
  return crypto_pwhash_str_needs_rehash(text.c_str(), crypto_pwhash_OPSLIMIT_INTERACTIVE,
                                        crypto_pwhash_MEMLIMIT_INTERACTIVE) != -1;
}

// Salt and digest are all zero bits: nobody knows a password to that digest, and finding one is as hard as breaking
// the hash.
const std::string& unsatisfiable_hash() {
  static const std::string hash = "$argon2id$v=19$m=65536,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$" + std::string(43, 'A');
  return hash;
}

void wipe(std::string& secret) {
  sodium_memzero(secret.data(), secret.size());
  secret.clear();
}

}  // namespace arena::access
