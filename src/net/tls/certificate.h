// Certificates as texts: made for trials on one machine, and looked at.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace arena::net {

struct CertificateAndKey {
  std::string certificate;  // PEM
  std::string key;          // PEM, not encrypted
};

// A self-signed authority with an ECDSA key on P-256.
Result<CertificateAndKey> make_authority(const std::string& name, int64_t now_s, int days);
// A certificate that the authority signs, good for servers and clients. `names`: DNS names and numeric addresses; the first
// one is the subject's name, too.
Result<CertificateAndKey> issue_certificate(const CertificateAndKey& authority, const std::vector<std::string>& names,
                                            int64_t now_s, int days);

struct CertificateFacts {
  std::string subject;
  std::vector<std::string> names;  // what it is good for: DNS names, numeric addresses
  int64_t not_before_s = 0;        // Unix time
  int64_t not_after_s = 0;
  bool self_signed = false;
};
// Of the first certificate in a PEM text.
Result<CertificateFacts> certificate_facts(std::string_view pem);

}  // namespace arena::net
