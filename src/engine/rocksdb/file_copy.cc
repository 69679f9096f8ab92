#include "engine/rocksdb/file_copy.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <vector>

namespace arena::engine {
namespace {

constexpr std::size_t kPieceBytes = 1 << 20;

class File {
 public:
  File(const std::string& path, int flags) : fd_(::open(path.c_str(), flags | O_CLOEXEC, 0600)) {}
  ~File() {
    if (fd_ >= 0) ::close(fd_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  int fd() const { return fd_; }

 private:
  int fd_;
};

Failure<Error> fault(const char* what, const std::string& path) { return fail_with(what + path + ": " + std::strerror(errno)); }

bool write_all(int fd, const char* bytes, ssize_t size) {
  while (size > 0) {
    const ssize_t written = ::write(fd, bytes, static_cast<std::size_t>(size));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return false;
    bytes += written;
    size -= written;
  }
  return true;
}

}  // namespace

Status copy_file(const std::string& from, const std::string& to) {
  const File source(from, O_RDONLY), target(to, O_WRONLY | O_CREAT | O_TRUNC);
  if (source.fd() < 0) return fault("cannot read ", from);
  if (target.fd() < 0) return fault("cannot write ", to);
  std::vector<char> piece(kPieceBytes);
  while (true) {
    const ssize_t size = ::read(source.fd(), piece.data(), piece.size());
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return fault("cannot read ", from);
    if (size == 0) return Unit{};
    if (!write_all(target.fd(), piece.data(), size)) return fault("cannot write ", to);
  }
}

}  // namespace arena::engine
