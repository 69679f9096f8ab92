#include "net/tls/tickets.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include <algorithm>
#include <string_view>

namespace arena::net {
namespace {


TicketSeed::Secret derive(const TicketSeed::Secret& secret, std::string_view label) {
  TicketSeed::Secret out{};
  unsigned size = 0;
  HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()), reinterpret_cast<const unsigned char*>(label.data()),
       label.size(), out.data(), &size);
  return out;
}

TicketKey key_of(const TicketSeed::Secret& secret) {
  TicketKey key;
  std::ranges::copy_n(derive(secret, "name").begin(), static_cast<std::ptrdiff_t>(key.name.size()), key.name.begin());
  key.cipher = derive(secret, "cipher");
  key.mac = derive(secret, "mac");
  return key;
}

}  // namespace

TicketSeed TicketSeed::make(int64_t begin_ms, int64_t period_ms) {
  TicketSeed seed{{}, begin_ms, period_ms};
  if (RAND_bytes(seed.secret.data(), static_cast<int>(seed.secret.size())) != 1) seed.period_ms = 0;
  return seed;
}

TicketKeys::TicketKeys(const TicketSeed& seed)
    : period_ms_(seed.period_ms), next_ms_(seed.begin_ms + seed.period_ms), secret_(seed.secret), current_(key_of(seed.secret)) {}

TicketKeys::~TicketKeys() {
  OPENSSL_cleanse(secret_.data(), secret_.size());
  OPENSSL_cleanse(&current_, sizeof current_);
  OPENSSL_cleanse(&previous_, sizeof previous_);
}

void TicketKeys::step() {
  const TicketSeed::Secret next = derive(secret_, "next");
  previous_ = current_;
  has_previous_ = true;
  secret_ = next;
  current_ = key_of(secret_);
  next_ms_ += period_ms_;
}

// Every core takes every step, so that all have the same keys, however long one of them has made no ticket.
void TicketKeys::advance(int64_t now_ms) {
  while (now_ms >= next_ms_) step();
}

const TicketKey& TicketKeys::current(int64_t now_ms) {
  advance(now_ms);
  return current_;
}

const TicketKey* TicketKeys::find(std::span<const unsigned char> name, int64_t now_ms) {
  advance(now_ms);
  if (std::ranges::equal(name, current_.name)) return &current_;
  if (has_previous_ && std::ranges::equal(name, previous_.name)) return &previous_;
  return nullptr;
}

}  // namespace arena::net
