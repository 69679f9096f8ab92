#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

#include "net/address.h"
#include "net/tcp.h"

namespace arena::net {
namespace {

// One attempt to connect. Owned by its loop until it ends itself.
class Connecting final : public runtime::LoopOwned, private runtime::IoHandler {
 public:
  Connecting(runtime::EpollLoop& loop, std::string host, uint16_t port, const ConnectOptions& options, OnConnected done)
      : loop_(loop),
        host_(std::move(host)),
        port_(port),
        options_(options),
        done_(std::move(done)),
        timer_(&Connecting::on_timeout, this) {}
  ~Connecting() override { drop_socket(); }

  void start() {
    loop_.arm(timer_, options_.timeout_ms);
    auto numeric = parse_address(host_.empty() ? "127.0.0.1" : host_, port_);
    if (numeric) {
      addresses_ = {*numeric};
      return try_next();
    }
    look_up();
  }

 private:
  using Found = Result<std::vector<SocketAddress>>;

  // The answer may come when this is gone, so the work shares no state with it but `alive_`.
  void look_up() {
    auto found = std::make_shared<Found>(fail("not looked up"));
    const bool accepted = loop_.run_blocking(
        runtime::Lane::general, [found, host = host_, port = port_] { *found = resolve(host, port); },
        [this, found, alive = std::weak_ptr<bool>(alive_)] {
          if (!alive.expired()) on_looked_up(*found);
        });
    if (!accepted) end(fail_with("cannot look up " + host_ + ": too many lookups at once"));
  }

  void on_looked_up(Found& found) {
    if (!found) return end(fail(found.error()));
    addresses_ = std::move(*found);
    try_next();
  }

  void try_next() {
    int error_number = EHOSTUNREACH;
    while (next_ < addresses_.size()) {
      if (begin(addresses_[next_++])) return;
      error_number = errno;
      drop_socket();
    }
    end(fail_with(describe_error("cannot connect to " + host_ + ":" + std::to_string(port_),
                                 last_error_ != 0 ? last_error_ : error_number)));
  }

  // False, with errno, when this address fails at once.
  bool begin(const SocketAddress& address) {
    fd_ = ::socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd_ < 0) return false;
    const int on = 1;
    setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (!options_.local_address.empty()) {
      const auto local = parse_address(options_.local_address, 0);
      if (!local) {
        errno = EADDRNOTAVAIL;
        return false;
      }
      if (::bind(fd_, local->get(), local->length) != 0) return false;
    }
    if (::connect(fd_, address.get(), address.length) != 0 && errno != EINPROGRESS) return false;
    return watching_ = loop_.add(fd_, EPOLLOUT, *this);
  }

  void on_io(uint32_t) override {
    int error_number = 0;
    socklen_t length = sizeof error_number;
    getsockopt(fd_, SOL_SOCKET, SO_ERROR, &error_number, &length);
    if (error_number != 0) {
      last_error_ = error_number;
      drop_socket();
      return try_next();
    }
    stop_watching();
    end(std::unique_ptr<Stream>(std::make_unique<TcpStream>(
        loop_, std::exchange(fd_, -1), to_peer(addresses_[next_ - 1]), share(options_.stream))));
  }

  static void on_timeout(void* context) {
    auto* self = static_cast<Connecting*>(context);
    self->end(fail_with("cannot connect to " + self->host_ + ":" + std::to_string(self->port_) + ": timed out"));
  }

  void stop_watching() {
    if (std::exchange(watching_, false)) loop_.remove(fd_, *this);
  }
  void drop_socket() {
    stop_watching();
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }
  void end(Result<std::unique_ptr<Stream>> result) {
    OnConnected done = std::move(done_);
    delete this;
    done(std::move(result));
  }

  runtime::EpollLoop& loop_;
  std::string host_;
  uint16_t port_;
  ConnectOptions options_;
  OnConnected done_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  std::vector<SocketAddress> addresses_;
  std::size_t next_ = 0;
  int fd_ = -1;
  int last_error_ = 0;
  bool watching_ = false;
  runtime::Timer timer_;
};

}  // namespace

void connect_tcp(runtime::EpollLoop& loop, std::string host, uint16_t port, const ConnectOptions& options,
                 OnConnected done) {
  auto* connecting = new Connecting(loop, std::move(host), port, options, std::move(done));
  loop.adopt(*connecting);
  loop.defer([connecting] { connecting->start(); });
}

}  // namespace arena::net
