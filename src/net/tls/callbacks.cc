// What the library asks a stream during its handshake.
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>

#include <array>
#include <cstring>

#include "net/tls/stream.h"

namespace arena::net {

int TlsStream::choose_protocol(ssl_st* ssl, const unsigned char** out, unsigned char* out_size, const unsigned char* offered,
                               unsigned offered_size, void*) {
  const auto* self = static_cast<const TlsStream*>(SSL_get_app_data(ssl));
  if (self->handshake_ == nullptr || self->handshake_->alpn.empty()) return SSL_TLSEXT_ERR_NOACK;
  const std::string_view ours = self->handshake_->alpn;
  unsigned char* chosen = nullptr;
  const int found = SSL_select_next_proto(&chosen, out_size, reinterpret_cast<const unsigned char*>(ours.data()),
                                          static_cast<unsigned>(ours.size()), offered, offered_size);
  if (found != OPENSSL_NPN_NEGOTIATED) return SSL_TLSEXT_ERR_ALERT_FATAL;
  *out = chosen;
  return SSL_TLSEXT_ERR_OK;
}

// 1: go on; 2: go on, and give it a new ticket; 0: not resumed; -1: end the handshake.
int TlsStream::on_ticket(ssl_st* ssl, unsigned char* name, unsigned char* iv, evp_cipher_ctx_st* cipher, evp_mac_ctx_st* mac,
                         int encrypting) {
  auto* self = static_cast<TlsStream*>(SSL_get_app_data(ssl));
  TicketKeys& keys = self->core_.tickets();
  const int64_t now_ms = self->core_.loop().now_ms();
  const TicketKey& current = keys.current(now_ms);
  const TicketKey* key = encrypting != 0 ? &current : keys.find({name, current.name.size()}, now_ms);
  if (key == nullptr) return 0;
  if (encrypting != 0) {
    std::memcpy(name, key->name.data(), key->name.size());
    if (RAND_bytes(iv, EVP_CIPHER_get_iv_length(EVP_aes_256_cbc())) != 1) return -1;
  }
  std::array<OSSL_PARAM, 3> parameters{
      OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, const_cast<unsigned char*>(key->mac.data()), key->mac.size()),
      OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, const_cast<char*>("SHA256"), 0), OSSL_PARAM_construct_end()};
  if (EVP_MAC_CTX_set_params(mac, parameters.data()) != 1) return -1;
  if (EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), nullptr, key->cipher.data(), iv, encrypting) != 1) return -1;
  return key == &current ? 1 : 2;
}

}  // namespace arena::net
