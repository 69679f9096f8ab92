#include "server/admin_socket.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace arena::server {
namespace {

constexpr const char* kName = "admin.sock";
constexpr std::size_t kLineBytesMax = 4096;
constexpr int kAtOnce = 8;

Failure<Error> fault(const std::string& what) { return fail_with(what + ": " + std::strerror(errno)); }

// A folder's path may be longer than a socket's can be; by its descriptor it is always short.
sockaddr_un address_in(int folder) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string path = "/proc/self/fd/" + std::to_string(folder) + "/" + kName;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  return address;
}

void limit_waiting(int fd, int seconds) {
  const timeval limit{seconds, 0};
  ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  ::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
}

// Without its end; false if none came.
bool read_line(int fd, std::string& line) {
  line.clear();
  char bytes[512];
  while (line.size() < kLineBytesMax) {
    const ssize_t size = ::recv(fd, bytes, sizeof bytes, 0);
    if (size <= 0) return false;
    line.append(bytes, static_cast<std::size_t>(size));
    const std::size_t end = line.find('\n');
    if (end == std::string::npos) continue;
    line.resize(end);
    return true;
  }
  return false;
}

bool write_line(int fd, std::string line) {
  std::replace(line.begin(), line.end(), '\n', ' ');
  line += '\n';
  for (std::size_t sent = 0; sent < line.size();) {
    const ssize_t size = ::send(fd, line.data() + sent, line.size() - sent, MSG_NOSIGNAL);
    if (size <= 0) return false;
    sent += static_cast<std::size_t>(size);
  }
  return true;
}

}  // namespace

Result<AdminSocket> AdminSocket::open(const std::string& folder) {
  AdminSocket made(::open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC), ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (made.folder_ < 0 || made.socket_ < 0) return fault("cannot make the socket in " + folder);
  ::unlinkat(made.folder_, kName, 0);
  const sockaddr_un address = address_in(made.folder_);
  // Nobody can connect before listen(), and by then it is its owner's alone.
  if (::bind(made.socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::fchmodat(made.folder_, kName, 0600, 0) != 0 || ::listen(made.socket_, kAtOnce) != 0) {
    return fault("cannot listen on " + folder + "/" + kName);
  }
  return made;
}

AdminSocket::AdminSocket(AdminSocket&& other) noexcept
    : folder_(std::exchange(other.folder_, -1)), socket_(std::exchange(other.socket_, -1)) {}

AdminSocket::~AdminSocket() {
  if (socket_ >= 0) ::close(socket_);
  if (folder_ < 0) return;
  ::unlinkat(folder_, kName, 0);
  ::close(folder_);
}

void AdminSocket::serve(const std::function<std::string(const std::string& request)>& answer) {
  for (int i = 0; i < kAtOnce; ++i) {
    const int fd = ::accept4(socket_, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) return;
    limit_waiting(fd, 1);
    std::string line;
    if (read_line(fd, line)) write_line(fd, answer(line));
    ::close(fd);
  }
}

Result<std::string> ask_server(const std::string& folder, const std::string& request) {
  constexpr int kPatienceSeconds = 120;
  const int at = ::open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (at < 0) return fault("cannot open " + folder);
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_un address = address_in(at);
  std::string line;
  const bool connected = fd >= 0 && ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  if (connected) limit_waiting(fd, kPatienceSeconds);
  const bool answered = connected && write_line(fd, request) && read_line(fd, line);
  const int error = errno;
  if (fd >= 0) ::close(fd);
  ::close(at);
  errno = error;
  if (!connected) return fault("cannot connect to " + folder + "/" + kName);
  if (!answered) return fail_with("the server that uses " + folder + " does not answer");
  return line;
}

}  // namespace arena::server
