// Inside net/tls: what the library says about a handshake that failed.
#pragma once

#include <string>

#include "net/tls/core.h"

struct ssl_st;

namespace arena::net {

struct TlsEnd {
  TlsFailure failure = TlsFailure::other;
  std::string text;  // for people
};

// Reads and clears the library's errors of this thread.
TlsEnd judge_end(ssl_st* ssl);
// To the log, for whoever asks why a client cannot connect.
void report_failure(const std::string& peer, const TlsEnd& end, bool server);

}  // namespace arena::net
