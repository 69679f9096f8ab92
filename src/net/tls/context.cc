#include "net/tls/context.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <optional>
#include <utility>

#include "net/tls/stream.h"
#include "net/tls/tickets.h"

namespace arena::net {
namespace {

// The cheapest first: all are strong enough. A client that prefers ChaCha20, for it has no AES in hardware, gets it.
constexpr const char* kCiphers12 =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
    "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";
constexpr const char* kCiphers13 = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";
constexpr const char* kGroups = "X25519:P-256:P-384";
constexpr std::size_t kFileBytesMax = 4 << 20;

// Why the library refused, in its words; without its codes.
std::string library_reason() {
  const unsigned long code = ERR_peek_last_error();
  const char* reason = code == 0 ? nullptr : ERR_reason_error_string(code);
  std::string out = reason == nullptr ? "for an unknown reason" : reason;
  ERR_clear_error();
  return out;
}

Result<std::string> read_file(const std::string& path) {
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  std::string text(kFileBytesMax + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (!file.is_open() || !file.eof()) {
    return fail_with(file.is_open() && file.good() ? path + " is larger than 4 MiB"
                                                   : "cannot read " + path + ": " + std::strerror(errno != 0 ? errno : EIO));
  }
  text.resize(static_cast<std::size_t>(file.gcount()));
  return text;
}

int no_password(char*, int, int, void*) { return 0; }

void set_common(SSL_CTX* context) {
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE |
                                   SSL_OP_PRIORITIZE_CHACHA | SSL_OP_IGNORE_UNEXPECTED_EOF);
  // An idle connection holds no buffers.
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_cipher_list(context, kCiphers12);
  SSL_CTX_set_ciphersuites(context, kCiphers13);
  SSL_CTX_set1_groups_list(context, kGroups);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);  // what is resumed is in the client's ticket
  SSL_CTX_set_default_passwd_cb(context, &no_password);
}

using Loading = Result<Unit, TlsFault>;

Failure<TlsFault> fault(TlsFault::File file, std::size_t identity, std::string reason) {
  return fail(TlsFault{file, identity, std::move(reason)});
}

// Certificate, chain and key, into a context.
Loading use_identity(SSL_CTX* context, const TlsIdentity& identity, std::size_t index) {
  using File = TlsFault::File;
  ERR_clear_error();
  if (const auto text = read_file(identity.certificate_file); !text) return fault(File::certificate, index, text.error().reason);
  if (SSL_CTX_use_certificate_chain_file(context, identity.certificate_file.c_str()) != 1) {
    return fault(File::certificate, index, "no certificate can be read from " + identity.certificate_file + ": " + library_reason());
  }
  if (const auto text = read_file(identity.key_file); !text) return fault(File::key, index, text.error().reason);
  if (SSL_CTX_use_PrivateKey_file(context, identity.key_file.c_str(), SSL_FILETYPE_PEM) == 1) return Unit{};
  const int reason = ERR_GET_REASON(ERR_peek_last_error());
  if (reason == X509_R_KEY_VALUES_MISMATCH || reason == X509_R_KEY_TYPE_MISMATCH) {
    ERR_clear_error();
    return fault(File::key, index, identity.key_file + " is not the key of the certificate in " + identity.certificate_file);
  }
  return fault(File::key, index, "no key without a password can be read from " + identity.key_file + ": " + library_reason());
}

// A session is resumed only under the authorities that vouched for its client.
void set_session_context(SSL_CTX* context, const std::string& authorities, bool required) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  const std::string all = (required ? "required" : "optional") + authorities;
  EVP_Digest(all.data(), all.size(), digest.data(), &size, EVP_sha256(), nullptr);
  SSL_CTX_set_session_id_context(context, digest.data(), SSL_MAX_SID_CTX_LENGTH);
}

Loading use_client_authorities(SSL_CTX* context, const TlsServerOptions& options) {
  std::string authorities;
  if (!options.client_ca_file.empty()) {
    ERR_clear_error();
    auto text = read_file(options.client_ca_file);
    if (!text) return fault(TlsFault::File::client_ca, 0, text.error().reason);
    STACK_OF(X509_NAME)* names = SSL_load_client_CA_file(options.client_ca_file.c_str());
    if (names == nullptr || SSL_CTX_load_verify_locations(context, options.client_ca_file.c_str(), nullptr) != 1) {
      sk_X509_NAME_pop_free(names, X509_NAME_free);
      return fault(TlsFault::File::client_ca, 0, "no certificate can be read from " + options.client_ca_file + ": " + library_reason());
    }
    SSL_CTX_set_client_CA_list(context, names);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER | (options.client_certificate_required ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0),
                       nullptr);
    authorities = std::move(text.value());
  }
  set_session_context(context, authorities, options.client_certificate_required);
  return Unit{};
}

bool is_numeric(const std::string& name) {
  unsigned char bytes[16];
  return ::inet_pton(AF_INET, name.c_str(), bytes) == 1 || ::inet_pton(AF_INET6, name.c_str(), bytes) == 1;
}

}  // namespace

struct TlsServerContext::Identity {
  ContextHandle context;
};

TlsServerContext::TlsServerContext() = default;
TlsServerContext::~TlsServerContext() = default;

TlsServerContext::Loaded TlsServerContext::load(const TlsServerOptions& options) {
  std::shared_ptr<TlsServerContext> made(new TlsServerContext);
  for (std::size_t i = 0; i < options.identities.size(); ++i) {
    ContextHandle context(SSL_CTX_new(TLS_server_method()));
    set_common(context.get());
    SSL_CTX_set_min_proto_version(context.get(), options.version_min == TlsVersion::v1_3 ? TLS1_3_VERSION : TLS1_2_VERSION);
    if (auto used = use_identity(context.get(), options.identities[i], i); !used) return fail(used.error());
    if (auto used = use_client_authorities(context.get(), options); !used) return fail(used.error());
    if (options.session_s > 0) {
      SSL_CTX_set_timeout(context.get(), options.session_s);
      SSL_CTX_set_num_tickets(context.get(), 1);
      SSL_CTX_set_tlsext_ticket_key_evp_cb(context.get(), &TlsStream::on_ticket);
    } else {
      SSL_CTX_set_options(context.get(), SSL_OP_NO_TICKET);
      SSL_CTX_set_num_tickets(context.get(), 0);
    }
    SSL_CTX_set_alpn_select_cb(context.get(), &TlsStream::choose_protocol, nullptr);
    SSL_CTX_set_tlsext_servername_callback(context.get(), &TlsServerContext::choose_identity);
    SSL_CTX_set_tlsext_servername_arg(context.get(), made.get());
    made->identities_.push_back({std::move(context)});
  }
  if (made->identities_.empty()) return fault(TlsFault::File::certificate, 0, "there is no certificate");
  return std::shared_ptr<const TlsServerContext>(std::move(made));
}

SslHandle TlsServerContext::begin() const {
  SslHandle ssl(SSL_new(identities_.front().context.get()));
  if (ssl) SSL_set_accept_state(ssl.get());
  return ssl;
}

int TlsServerContext::choose_identity(ssl_st* ssl, int*, void* self) {
  const char* name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
  if (name == nullptr) return SSL_TLSEXT_ERR_NOACK;
  for (const Identity& identity : static_cast<TlsServerContext*>(self)->identities_) {
    if (X509_check_host(SSL_CTX_get0_certificate(identity.context.get()), name, 0, 0, nullptr) != 1) continue;
    SSL_set_SSL_CTX(ssl, identity.context.get());
    return SSL_TLSEXT_ERR_OK;
  }
  return SSL_TLSEXT_ERR_OK;  // the first is shown, and the client decides
}

Result<std::shared_ptr<const TlsClientContext>> TlsClientContext::load(const TlsClientOptions& options) {
  std::shared_ptr<TlsClientContext> made(new TlsClientContext);
  made->context_.reset(SSL_CTX_new(TLS_client_method()));
  made->verify_ = options.verify;
  SSL_CTX* context = made->context_.get();
  set_common(context);
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  if (options.verify) {
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
    if (options.ca_file.empty()) {
      SSL_CTX_set_default_verify_paths(context);
    } else {
      if (const auto text = read_file(options.ca_file); !text) return fail(text.error());
      if (SSL_CTX_load_verify_locations(context, options.ca_file.c_str(), nullptr) != 1) {
        return fail_with("no certificate can be read from " + options.ca_file + ": " + library_reason());
      }
    }
  }
  if (!options.identity.certificate_file.empty()) {
    if (auto used = use_identity(context, options.identity, 0); !used) return fail_with(used.error().reason);
  }
  if (!options.alpn.empty()) {
    const std::string wire = static_cast<char>(options.alpn.size()) + options.alpn;
    SSL_CTX_set_alpn_protos(context, reinterpret_cast<const unsigned char*>(wire.data()), static_cast<unsigned>(wire.size()));
  }
  return std::shared_ptr<const TlsClientContext>(std::move(made));
}

SslHandle TlsClientContext::begin(const std::string& server_name) const {
  SslHandle ssl(SSL_new(context_.get()));
  if (!ssl) return ssl;
  SSL_set_connect_state(ssl.get());
  const bool numeric = is_numeric(server_name);
  if (!numeric) SSL_set_tlsext_host_name(ssl.get(), server_name.c_str());
  if (verify_) {
    const bool set = numeric ? X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl.get()), server_name.c_str()) == 1
                             : SSL_set1_host(ssl.get(), server_name.c_str()) == 1;
    if (!set) ssl.reset();
  }
  return ssl;
}

}  // namespace arena::net
