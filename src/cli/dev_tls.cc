#include "cli/dev_tls.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string_view>
#include <utility>
#include <vector>

#include "net/tls/certificate.h"

namespace arena::cli {
namespace {

namespace fs = std::filesystem;

constexpr int kAuthorityDays = 3650;
constexpr int kServerDays = 365;
constexpr int64_t kRenewBeforeS = 30 * 86'400;

std::string read(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

// Nobody else may read it, at no moment; and the old one is there until the new one is whole.
Status write_private(const std::string& path, const std::string& text) {
  const std::string fresh = path + ".new";
  ::unlink(fresh.c_str());
  const int fd = ::open(fresh.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  const bool written = fd >= 0 && ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  const int error_number = errno;
  if (fd >= 0) ::close(fd);
  if (!written || ::rename(fresh.c_str(), path.c_str()) != 0) return fail_with("cannot write " + path + ": " + std::strerror(error_number));
  return Unit{};
}

bool lasts(const std::string& certificate, int64_t now_s) {
  const auto facts = net::certificate_facts(certificate);
  return facts.ok() && facts->not_before_s <= now_s && facts->not_after_s > now_s + kRenewBeforeS;
}

std::vector<std::string> own_names() {
  std::vector<std::string> names{"localhost", "127.0.0.1", "::1"};
  std::array<char, 256> host{};
  if (::gethostname(host.data(), host.size() - 1) == 0 && host[0] != 0 && std::string_view(host.data()) != "localhost") {
    names.emplace_back(host.data());
  }
  return names;
}

Result<net::CertificateAndKey> authority_in(const std::string& folder, int64_t now_s, bool& is_new) {
  net::CertificateAndKey kept{read(folder + "/ca.crt"), read(folder + "/ca.key")};
  is_new = kept.key.empty() || !lasts(kept.certificate, now_s);
  if (!is_new) return kept;
  auto made = net::make_authority("Arena dev on this machine", now_s, kAuthorityDays);
  if (!made) return made;
  if (Status written = write_private(folder + "/ca.key", made->key); !written) return fail(written.error());
  if (Status written = write_private(folder + "/ca.crt", made->certificate); !written) return fail(written.error());
  return made;
}

}  // namespace

std::string dev_tls_folder(const std::string& data) {
  if (!data.empty()) return data + "/tls";
  const char* shared = std::getenv("XDG_DATA_HOME");
  if (shared != nullptr && *shared == '/') return std::string(shared) + "/arena/dev-tls";
  const char* home = std::getenv("HOME");
  return home != nullptr && *home == '/' ? std::string(home) + "/.local/share/arena/dev-tls" : std::string();
}

Result<DevCertificates> dev_certificates(const std::string& folder, int64_t now_s) {
  if (folder.empty()) return fail("there is no folder for certificates: give one with --data, or set HOME");
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) return fail_with("cannot make " + folder + ": " + error.message());
  bool new_authority = false;
  const auto authority = authority_in(folder, now_s, new_authority);
  if (!authority) return fail(authority.error());
  DevCertificates files{folder + "/ca.crt", folder + "/server.crt", folder + "/server.key"};
  const bool kept = !new_authority && fs::exists(files.key_file, error) && lasts(read(files.certificate_file), now_s);
  if (kept) return files;
  const auto made = net::issue_certificate(*authority, own_names(), now_s, kServerDays);
  if (!made) return fail(made.error());
  if (Status written = write_private(files.key_file, made->key); !written) return fail(written.error());
  if (Status written = write_private(files.certificate_file, made->certificate); !written) return fail(written.error());
  return files;
}

}  // namespace arena::cli
