#include "net/tls/failure.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>

#include "base/log.h"

namespace arena::net {
namespace {

constexpr int kAlertsFrom = 1000;  // SSL_AD_REASON_OFFSET: what the peer said

TlsFailure failure_of(int reason) {
  switch (reason) {
    case SSL_R_HTTP_REQUEST:
    case SSL_R_HTTPS_PROXY_REQUEST:
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_UNEXPECTED_MESSAGE:
    case SSL_R_BAD_RECORD_TYPE:
    case SSL_R_PACKET_LENGTH_TOO_LONG:
    case SSL_R_RECORD_TOO_SMALL: return TlsFailure::not_tls;
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_UNKNOWN_PROTOCOL:
    case SSL_R_VERSION_TOO_LOW:
    case SSL_R_VERSION_TOO_HIGH: return TlsFailure::version;
    case SSL_R_NO_SHARED_CIPHER:
    case SSL_R_NO_SHARED_GROUPS:
    case SSL_R_NO_SUITABLE_KEY_SHARE:
    case SSL_R_NO_SUITABLE_GROUPS:
    case SSL_R_NO_APPLICATION_PROTOCOL:
    case SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM: return TlsFailure::no_agreement;
    case SSL_R_CERTIFICATE_VERIFY_FAILED:
    case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE: return TlsFailure::certificate;
    default: return reason > kAlertsFrom ? TlsFailure::refused_by_peer : TlsFailure::other;
  }
}

}  // namespace

TlsEnd judge_end(ssl_st* ssl) {
  const unsigned long code = ERR_peek_error();
  const int reason = ERR_GET_REASON(code);
  TlsEnd end{code == 0 ? TlsFailure::gave_up : failure_of(reason), {}};
  const char* text = code == 0 ? nullptr : ERR_reason_error_string(code);
  end.text = text != nullptr ? text : code == 0 ? "the peer closed the connection" : "unknown reason";
  const long verified = SSL_get_verify_result(ssl);
  if (end.failure == TlsFailure::certificate && verified != X509_V_OK) {
    end.text = SSL_is_server(ssl) == 1 ? "the client's certificate: " : "the server's certificate is not trusted: ";
    end.text += X509_verify_cert_error_string(verified);
  }
  ERR_clear_error();
  return end;
}

void report_failure(const std::string& peer, const TlsEnd& end, bool server) {
  if (!server) return;
  log::debug("tls", "refused a handshake",
             {{"peer", peer}, {"kind", kTlsFailureNames[static_cast<int>(end.failure)]}, {"reason", end.text}});
}

}  // namespace arena::net
