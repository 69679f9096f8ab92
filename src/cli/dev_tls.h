// The certificates of `arena dev --tls`: an authority of its own and what it signs, kept in a folder.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"

namespace arena::cli {

struct DevCertificates {
  std::string ca_file;
  std::string certificate_file;
  std::string key_file;
};

// Where they are kept: below `data`, or where this user's programs keep theirs. Empty: there is no such place.
std::string dev_tls_folder(const std::string& data);
// Makes what is missing or soon too old; keys are for the owner's eyes. The authority stays as long as it can, for whoever
// was told to trust it. Blocks.
Result<DevCertificates> dev_certificates(const std::string& folder, int64_t now_s);

}  // namespace arena::cli
