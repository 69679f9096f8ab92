#include "access/tickets.h"

#include <sodium.h>

#include <algorithm>
#include <charconv>
#include <vector>

namespace arena::access {
namespace {

constexpr int kVariant = sodium_base64_VARIANT_URLSAFE_NO_PADDING;
constexpr std::size_t kTicketBytesMax = 8192;  // a name is shorter
static_assert(crypto_secretbox_KEYBYTES == 32);

// The next part of "a\0b\0c".
std::string_view next_part(std::string_view& text) {
  const std::size_t end = std::min(text.find('\0'), text.size());
  const std::string_view part = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return part;
}

template <typename Number>
bool read(std::string_view text, Number& number) {
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), number);
  return fault == std::errc{} && end == text.data() + text.size();
}

const unsigned char* bytes_of(std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }

}  // namespace

Tickets::Tickets() { randombytes_buf(secret_.data(), secret_.size()); }
Tickets::~Tickets() { sodium_memzero(secret_.data(), secret_.size()); }

std::string Tickets::issue(std::string_view purpose, const PrincipalView& who, uint32_t epoch, int64_t now_ms) const {
  std::string plain(purpose);
  for (const std::string& part : {std::to_string(epoch), std::to_string(now_ms + kLifeMs), std::string(who.space), std::string(who.name)}) plain += '\0' + part;
  std::vector<unsigned char> sealed(crypto_secretbox_NONCEBYTES + crypto_secretbox_MACBYTES + plain.size());
  randombytes_buf(sealed.data(), crypto_secretbox_NONCEBYTES);
  crypto_secretbox_easy(sealed.data() + crypto_secretbox_NONCEBYTES, bytes_of(plain), plain.size(), sealed.data(), secret_.data());
  std::string text(sodium_base64_ENCODED_LEN(sealed.size(), kVariant), '\0');
  sodium_bin2base64(text.data(), text.size(), sealed.data(), sealed.size(), kVariant);
  text.pop_back();
  return text;
}

std::optional<Principal> Tickets::redeem(std::string_view ticket, std::string_view purpose, uint32_t epoch, int64_t now_ms) const {
  if (ticket.empty() || ticket.size() > kTicketBytesMax) return std::nullopt;
  std::vector<unsigned char> sealed(ticket.size());
  std::size_t size = 0;
  const char* end = nullptr;
  if (sodium_base642bin(sealed.data(), sealed.size(), ticket.data(), ticket.size(), nullptr, &size, &end, kVariant) != 0) return std::nullopt;
  constexpr std::size_t kAround = crypto_secretbox_NONCEBYTES + crypto_secretbox_MACBYTES;
  if (end != ticket.data() + ticket.size() || size < kAround) return std::nullopt;
  std::string plain(size - kAround, '\0');
  if (crypto_secretbox_open_easy(reinterpret_cast<unsigned char*>(plain.data()), sealed.data() + crypto_secretbox_NONCEBYTES, size - crypto_secretbox_NONCEBYTES,
                                 sealed.data(), secret_.data()) != 0) {
    return std::nullopt;
  }
  std::string_view rest = plain;
  uint32_t its_epoch = 0;
  int64_t expires_ms = 0;
  if (next_part(rest) != purpose || !read(next_part(rest), its_epoch) || !read(next_part(rest), expires_ms)) return std::nullopt;
  if (its_epoch != epoch || now_ms >= expires_ms) return std::nullopt;
  Principal who;
  who.space = next_part(rest);
  who.name = next_part(rest);
  return who;
}

}  // namespace arena::access
