#include "net/tls/handles.h"

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

namespace arena::net {

void TlsFree::operator()(bio_st* bio) const { BIO_free(bio); }
void TlsFree::operator()(evp_pkey_st* key) const { EVP_PKEY_free(key); }
void TlsFree::operator()(ssl_ctx_st* context) const { SSL_CTX_free(context); }
void TlsFree::operator()(ssl_st* ssl) const { SSL_free(ssl); }
void TlsFree::operator()(x509_st* certificate) const { X509_free(certificate); }

}  // namespace arena::net
