// Owners of what the TLS library allocates. Its own headers stay out: these are its names for its structs.
#pragma once

#include <memory>

struct bio_st;
struct evp_pkey_st;
struct ssl_ctx_st;
struct ssl_st;
struct x509_st;

namespace arena::net {

struct TlsFree {
  void operator()(bio_st* bio) const;
  void operator()(evp_pkey_st* key) const;
  void operator()(ssl_ctx_st* context) const;
  void operator()(ssl_st* ssl) const;
  void operator()(x509_st* certificate) const;
};

using BioHandle = std::unique_ptr<bio_st, TlsFree>;
using KeyHandle = std::unique_ptr<evp_pkey_st, TlsFree>;
using ContextHandle = std::unique_ptr<ssl_ctx_st, TlsFree>;
using SslHandle = std::unique_ptr<ssl_st, TlsFree>;
using X509Handle = std::unique_ptr<x509_st, TlsFree>;

}  // namespace arena::net
