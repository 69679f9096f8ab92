#include "access/password.h"

#include <argon2.h>
#include <sodium.h>
#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <vector>

namespace arena::access {

namespace {

// Any thread, any number of times.
bool ready() { return sodium_init() >= 0; }

// libsodium reads its text up to a NUL, in a buffer of crypto_pwhash_STRBYTES.
bool fits(const std::string& hash) {
  return hash.size() < crypto_pwhash_STRBYTES && hash.find('\0') == std::string::npos;
}

// What "$argon2id$v=19$m=65536,t=2,p=1$salt$digest" says.
struct PasswordHash {
  uint32_t memory_kib = 0;
  uint32_t passes = 0;
  uint32_t lanes = 0;
  std::vector<uint8_t> salt;
  std::vector<uint8_t> digest;
};

bool take(std::string_view& text, std::string_view word) {
  if (!text.starts_with(word)) return false;
  text.remove_prefix(word.size());
  return true;
}

bool take(std::string_view& text, uint32_t& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return error == std::errc();
}

bool take_base64(std::string_view& text, std::vector<uint8_t>& bytes) {
  const std::string_view word = text.substr(0, text.find('$'));
  bytes.resize(word.size());
  std::size_t size = 0;
  if (sodium_base642bin(bytes.data(), bytes.size(), word.data(), word.size(), nullptr, &size, nullptr,
                        sodium_base64_VARIANT_ORIGINAL_NO_PADDING) != 0) {
    return false;
  }
  bytes.resize(size);
  text.remove_prefix(word.size());
  return !bytes.empty();
}

std::optional<PasswordHash> parse(std::string_view text) {
  PasswordHash hash;
  const bool whole = take(text, "$argon2id$v=19$m=") && take(text, hash.memory_kib) && take(text, ",t=") &&
                     take(text, hash.passes) && take(text, ",p=") && take(text, hash.lanes) && take(text, "$") &&
                     take_base64(text, hash.salt) && take(text, "$") && take_base64(text, hash.digest) && text.empty();
  if (!whole) return std::nullopt;
  return hash;
}

// A hash's memory is mapped and given back piece by piece: while the kernel fills or frees 64 MiB at one go, every
// other thread of the process that needs a page waits, a loop up to 30 ms.
constexpr std::size_t kPieceBytes = std::size_t{2} << 20;

int map_memory(uint8_t** memory, std::size_t bytes) {
  void* const mapped = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED) return ARGON2_MEMORY_ALLOCATION_ERROR;
  madvise(mapped, bytes, MADV_HUGEPAGE);  // 32 page faults instead of 16,384; where the system has none, no harm
  *memory = static_cast<uint8_t*>(mapped);
  return ARGON2_OK;
}

void unmap_memory(uint8_t* memory, std::size_t bytes) {
  for (std::size_t done = 0; done < bytes; done += kPieceBytes) {
    madvise(memory + done, std::min(kPieceBytes, bytes - done), MADV_DONTNEED);
  }
  munmap(memory, bytes);
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

bool verify_password(std::string_view password, const std::string& text) {
  if (!ready() || !fits(text) || password.size() > kPasswordBytesMax) return false;
  const std::optional<PasswordHash> hash = parse(text);
  if (!hash) return false;
  std::vector<uint8_t> secret(password.begin(), password.end());
  std::vector<uint8_t> salt = hash->salt;
  std::vector<uint8_t> digest(hash->digest.size());
  argon2_context context{};
  context.out = digest.data();
  context.outlen = static_cast<uint32_t>(digest.size());
  context.pwd = secret.data();
  context.pwdlen = static_cast<uint32_t>(secret.size());
  context.salt = salt.data();
  context.saltlen = static_cast<uint32_t>(salt.size());
  context.t_cost = hash->passes;
  context.m_cost = hash->memory_kib;
  context.lanes = hash->lanes;
  context.threads = 1;
  context.version = ARGON2_VERSION_13;
  context.allocate_cbk = map_memory;
  context.free_cbk = unmap_memory;
  context.flags = ARGON2_FLAG_CLEAR_PASSWORD;
  return argon2id_ctx(&context) == ARGON2_OK && sodium_memcmp(digest.data(), hash->digest.data(), digest.size()) == 0;
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
