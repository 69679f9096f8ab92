#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

#include "base/log.h"
#include "net/address.h"
#include "net/tcp.h"

namespace arena::net {
namespace {

constexpr int64_t kDescriptorsPauseMs = 100;
constexpr int64_t kWarnEveryMs = 10'000;

std::string name_of(const ListenOptions& options) { return options.address + ":" + std::to_string(options.port); }

int bind_socket(const ListenOptions& options, const SocketAddress& address) {
  const int fd = ::socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  const int on = 1;
  const int off = 0;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);  // inherited: a turn's output is one write already
  const int wait_s = options.first_bytes_wait_s;
  setsockopt(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, &wait_s, sizeof wait_s);
  if (options.reuse_port) setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
  if (address.family() == AF_INET6) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
  if (::bind(fd, address.get(), address.length) == 0) return fd;
  const int error_number = errno;
  ::close(fd);
  errno = error_number;
  return -1;
}

// The descriptor of a bound socket.
Result<int> bind_to(const ListenOptions& options) {
  auto address = parse_address(options.address, options.port);
  if (!address) return fail(address.error());
  int fd = bind_socket(options, *address);
  if (fd < 0 && errno == EAFNOSUPPORT && (options.address.empty() || options.address == "::")) {
    address = parse_address("0.0.0.0", options.port);  // a machine without IPv6
    fd = bind_socket(options, *address);
  }
  if (fd < 0) return fail_with(describe_error("cannot listen on " + name_of(options), errno));
  return fd;
}

uint16_t port_of(int fd) {
  SocketAddress address;
  address.length = sizeof address.storage;
  getsockname(fd, reinterpret_cast<sockaddr*>(&address.storage), &address.length);
  return to_peer(address).port();
}

}  // namespace

Result<std::unique_ptr<TcpListener>> TcpListener::listen(runtime::EpollLoop& loop, const ListenOptions& options,
                                                         OnAccept on_accept) {
  const Result<int> bound = bind_to(options);
  if (!bound) return fail(bound.error());
  const int fd = *bound;
  if (::listen(fd, options.backlog) != 0) {
    const auto failure = fail_with(describe_error("cannot listen on " + name_of(options), errno));
    ::close(fd);
    return failure;
  }
  std::unique_ptr<TcpListener> made(new TcpListener(loop, fd, port_of(fd), options, std::move(on_accept)));
  if (!loop.add(fd, EPOLLIN, *made)) return fail_with(describe_error("cannot watch " + name_of(options), errno));
  return made;
}

Status TcpListener::probe(const ListenOptions& options) {
  const Result<int> bound = bind_to(options);
  if (!bound) return fail(bound.error());
  ::close(*bound);
  return Unit{};
}

TcpListener::TcpListener(runtime::EpollLoop& loop, int fd, uint16_t port, const ListenOptions& options,
                         OnAccept on_accept)
    : loop_(loop),
      fd_(fd),
      local_port_(port),
      accept_batch_(options.accept_batch),
      stream_options_(share(options.stream)),
      on_accept_(std::move(on_accept)),
      descriptors_timer_(&TcpListener::on_out_of_descriptors_over, this) {}

TcpListener::~TcpListener() {
  loop_.remove(fd_, *this);
  ::close(fd_);
}

void TcpListener::pause() {
  paused_ = true;
  watch();
}

void TcpListener::resume() {
  paused_ = false;
  watch();
}

void TcpListener::watch() {
  loop_.modify(fd_, paused_ || descriptors_timer_.armed() ? 0u : uint32_t{EPOLLIN}, *this);
}

void TcpListener::on_io(uint32_t) { loop_.at_turn_end(*this); }

void TcpListener::on_turn_end() {
  if (paused_) return;
  const AliveCheck self(alive_);
  for (unsigned i = 0; i < accept_batch_; ++i) {
    const bool more = accept_one();
    if (!self.alive() || !more || paused_) return;
  }
}

// Whether there may be another one to accept.
bool TcpListener::accept_one() {
  SocketAddress address;
  address.length = sizeof address.storage;
  auto* raw = reinterpret_cast<sockaddr*>(&address.storage);
  const int fd = ::accept4(fd_, raw, &address.length, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd >= 0) {
    on_accept_(std::make_unique<TcpStream>(loop_, fd, to_peer(address), stream_options_, TcpStream::Watch::after_a_look));
    return true;
  }
  const int error_number = errno;
  if (error_number == EAGAIN) return false;
  if (error_number == EMFILE || error_number == ENFILE || error_number == ENOBUFS || error_number == ENOMEM) {
    on_accept_failed(error_number);
    return false;
  }
  return true;  // that connection failed before it was accepted; the next one may be well
}

// The connection stays in the backlog, so the listener stays readable: without a pause the loop would spin.
void TcpListener::on_accept_failed(int error_number) {
  loop_.arm(descriptors_timer_, kDescriptorsPauseMs);
  watch();
  if (warned_ms_ != 0 && loop_.now_ms() - warned_ms_ < kWarnEveryMs) return;
  warned_ms_ = loop_.now_ms();
  log::warn("net", describe_error("cannot accept connections for now", error_number), {{"port", unsigned{local_port_}}});
}

void TcpListener::on_out_of_descriptors_over(void* self) { static_cast<TcpListener*>(self)->watch(); }

}  // namespace arena::net
