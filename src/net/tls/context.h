// Certificates, keys and what a handshake may agree on: made once from files, then shared by all cores.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "net/tls/handles.h"

namespace arena::net {

enum class TlsVersion : uint8_t { v1_2, v1_3 };

struct TlsIdentity {
  std::string certificate_file;  // PEM: the certificate, then those between it and the authority
  std::string key_file;          // PEM, not encrypted
};

struct TlsServerOptions {
  // Which one is shown is chosen by the name that the client asks for, among those that the certificates have; the first
  // where none fits.
  std::vector<TlsIdentity> identities;
  std::string client_ca_file;  // PEM; empty: clients are asked for no certificate
  bool client_certificate_required = false;
  TlsVersion version_min = TlsVersion::v1_2;
  int64_t session_s = 0;       // how long a session may be resumed; 0: not at all
};

// What is wrong with which file.
struct TlsFault {
  enum class File : uint8_t { certificate, key, client_ca };
  File file = File::certificate;
  std::size_t identity = 0;  // its index, of the first two
  std::string reason;
};

// TLS 1.2 and 1.3 without renegotiation, compression and early data; ephemeral keys and authenticated ciphers only.
// Immutable: reloading makes a new one, and connections keep that of their handshake.
class TlsServerContext {
 public:
  using Loaded = Result<std::shared_ptr<const TlsServerContext>, TlsFault>;
  // Reads every file; blocks.
  static Loaded load(const TlsServerOptions& options);
  ~TlsServerContext();

  // A conversation in which nothing is said yet.
  SslHandle begin() const;

 private:
  struct Identity;
  TlsServerContext();
  static int choose_identity(ssl_st* ssl, int* alert, void* self);

  std::vector<Identity> identities_;
};

struct TlsClientOptions {
  std::string ca_file;     // PEM; empty: the authorities that the system trusts
  TlsIdentity identity;    // shown when the server asks; empty: none
  bool verify = true;      // false: anybody may be the server
  std::string alpn;        // one protocol; empty: none is asked for
};

class TlsClientContext {
 public:
  // A reason that names the file. Blocks.
  static Result<std::shared_ptr<const TlsClientContext>> load(const TlsClientOptions& options);

  // `server_name`: a DNS name or numeric address, which the server's certificate must have.
  SslHandle begin(const std::string& server_name) const;

 private:
  TlsClientContext() = default;
  ContextHandle context_;
  bool verify_ = true;
};

}  // namespace arena::net
