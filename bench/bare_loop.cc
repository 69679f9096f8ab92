// What this machine can do without any broker: one loop that parses nothing and writes frames to many
// sockets, appended per connection and flushed once a turn. Another process reads and throws away. The CPU
// time told is the writer's. Usage: arena_bare_loop --connections N --frame BYTES --batch FRAMES --seconds S
// [--rate R [--spread]]
//   --batch   frames per connection and turn, as a broker with that window could have them
//   --rate    turns a second instead of as many as go; --spread: a turn serves one connection, each after the
//   other
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

struct Options {
  unsigned connections = 100;
  std::size_t frame_bytes = 83;
  std::size_t batch = 100;
  double seconds = 3;
  double rate = 0;
  bool spread = false;
};

struct Connection {
  int fd = -1;
  std::string output;
  bool waiting = false;  // for room in its socket
};

[[noreturn]] void give_up(const char* what) {
  std::perror(what);
  std::exit(1);
}

int check(int result, const char* what) {
  if (result < 0) give_up(what);
  return result;
}

double own_cpu_us() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto us = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) * 1e6 + static_cast<double>(t.tv_usec);
  };
  return us(usage.ru_utime) + us(usage.ru_stime);
}

// Reads from every connection until all are closed. Ends the process.
[[noreturn]] void read_everything(const sockaddr_in& server, unsigned connections) {
  const int epoll = check(epoll_create1(0), "epoll_create1");
  for (unsigned i = 0; i < connections; ++i) {
    const int fd = check(socket(AF_INET, SOCK_STREAM, 0), "socket");
    check(connect(fd, reinterpret_cast<const sockaddr*>(&server), sizeof server), "connect");
    epoll_event event{.events = EPOLLIN, .data = {.fd = fd}};
    check(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event), "epoll_ctl");
  }
  std::vector<char> buffer(256 << 10);
  std::vector<epoll_event> events(512);
  for (unsigned open = connections; open > 0;) {
    const int count = epoll_wait(epoll, events.data(), static_cast<int>(events.size()), -1);
    for (int i = 0; i < count; ++i) {
      const int fd = events[static_cast<std::size_t>(i)].data.fd;
      if (recv(fd, buffer.data(), buffer.size(), MSG_DONTWAIT) > 0 || errno == EAGAIN) continue;
      close(fd);
      --open;
    }
  }
  _exit(0);
}

class Writer {
 public:
  explicit Writer(const Options& options)
      : options_(options),
        frame_(options.frame_bytes, 'x'),
        epoll_(check(epoll_create1(0), "epoll_create1")) {}

  void accept_all(int listener) {
    connections_.resize(options_.connections);
    for (Connection& connection : connections_) {
      connection.fd = check(accept4(listener, nullptr, nullptr, SOCK_NONBLOCK), "accept");
      const int yes = 1;
      setsockopt(connection.fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
      epoll_event event{.events = 0, .data = {.ptr = &connection}};
      check(epoll_ctl(epoll_, EPOLL_CTL_ADD, connection.fd, &event), "epoll_ctl");
    }
  }

  void run() {
    const auto began = Clock::now();
    const double cpu_before = own_cpu_us();
    if (options_.rate > 0) start_timer();
    double seconds = 0;
    do {
      if (options_.rate > 0) {
        serve_when_due();
      } else {
        serve_all();
        wait_for_room();
      }
      seconds = std::chrono::duration<double>(Clock::now() - began).count();
    } while (seconds < options_.seconds);
    const auto sent = static_cast<double>(sent_bytes_) / static_cast<double>(options_.frame_bytes);
    std::printf(
        "{\"delivered\":%.0f,\"seconds\":%.3f,\"per_second\":%.0f,\"server_cpu_us\":%.4f,\"sends\":%.4f}\n",
        sent, seconds, sent / seconds, (own_cpu_us() - cpu_before) / std::max(sent, 1.0),
        static_cast<double>(sends_) / std::max(sent, 1.0));
    for (const Connection& connection : connections_) close(connection.fd);
  }

 private:
  void append(Connection& connection) {
    for (std::size_t i = 0; i < options_.batch; ++i) connection.output.append(frame_);
  }

  void flush(Connection& connection) {
    const ssize_t written =
        send(connection.fd, connection.output.data(), connection.output.size(), MSG_NOSIGNAL);
    ++sends_;
    if (written < 0 && errno != EAGAIN) give_up("send");
    if (written > 0) {
      sent_bytes_ += static_cast<uint64_t>(written);
      connection.output.erase(0, static_cast<std::size_t>(written));
    }
    set_waiting(connection, !connection.output.empty());
  }

  void set_waiting(Connection& connection, bool waiting) {
    if (connection.waiting == waiting) return;
    connection.waiting = waiting;
    waiting_ += waiting ? 1 : -1;
    epoll_event event{.events = waiting ? uint32_t{EPOLLOUT} : 0, .data = {.ptr = &connection}};
    check(epoll_ctl(epoll_, EPOLL_CTL_MOD, connection.fd, &event), "epoll_ctl");
  }

  void serve_all() {
    for (Connection& connection : connections_) {
      if (!connection.waiting) append(connection);
    }
    for (Connection& connection : connections_) {
      if (!connection.waiting) flush(connection);
    }
  }

  void wait_for_room() {
    if (waiting_ == 0) return;
    const bool all = waiting_ == static_cast<int>(connections_.size());
    const int count = epoll_wait(epoll_, events_, 512, all ? 100 : 0);
    for (int i = 0; i < count; ++i) flush(*static_cast<Connection*>(events_[i].data.ptr));
  }

  void start_timer() {
    timer_ = check(timerfd_create(CLOCK_MONOTONIC, 0), "timerfd_create");
    const auto ns = static_cast<int64_t>(std::llround(1e9 / options_.rate));
    const timespec interval{ns / 1'000'000'000, ns % 1'000'000'000};
    const itimerspec when{.it_interval = interval, .it_value = interval};
    check(timerfd_settime(timer_, 0, &when, nullptr), "timerfd_settime");
    epoll_event event{.events = EPOLLIN, .data = {.ptr = nullptr}};
    check(epoll_ctl(epoll_, EPOLL_CTL_ADD, timer_, &event), "epoll_ctl");
  }

  void serve_when_due() {
    const int count = epoll_wait(epoll_, events_, 512, 100);
    for (int i = 0; i < count; ++i) {
      auto* connection = static_cast<Connection*>(events_[i].data.ptr);
      if (connection != nullptr) {
        flush(*connection);
        continue;
      }
      uint64_t turns = 0;
      if (read(timer_, &turns, sizeof turns) != sizeof turns) continue;
      for (; turns > 0; --turns) serve_turn();
    }
  }

  void serve_turn() {
    if (!options_.spread) return serve_all();
    Connection& connection = connections_[next_++ % connections_.size()];
    if (connection.waiting) return;
    append(connection);
    flush(connection);
  }

  const Options options_;
  const std::string frame_;
  const int epoll_;
  int timer_ = -1;
  std::vector<Connection> connections_;
  epoll_event events_[512];
  std::size_t next_ = 0;
  int waiting_ = 0;
  uint64_t sends_ = 0;
  uint64_t sent_bytes_ = 0;
};

[[noreturn]] void refuse(const char* argument) {
  std::fprintf(stderr, "arena_bare_loop: what is %s?\n", argument);
  std::exit(2);
}

Options parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string_view flag = argv[i];
    if (flag == "--spread") {
      options.spread = true;
      continue;
    }
    const double value = i + 1 < argc ? std::atof(argv[i + 1]) : 0;
    if (value <= 0) refuse(argv[i]);
    if (flag == "--connections") {
      options.connections = static_cast<unsigned>(value);
    } else if (flag == "--frame") {
      options.frame_bytes = static_cast<std::size_t>(value);
    } else if (flag == "--batch") {
      options.batch = static_cast<std::size_t>(value);
    } else if (flag == "--seconds") {
      options.seconds = value;
    } else if (flag == "--rate") {
      options.rate = value;
    } else {
      refuse(argv[i]);
    }
    ++i;
  }
  return options;
}

}  // namespace

int main(int argc, char** argv) {
  const Options options = parse(argc, argv);
  const int listener = check(socket(AF_INET, SOCK_STREAM, 0), "socket");
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  check(bind(listener, reinterpret_cast<sockaddr*>(&address), size), "bind");
  check(listen(listener, 4096), "listen");
  getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size);
  const pid_t reader = check(fork(), "fork");
  if (reader == 0) read_everything(address, options.connections);
  Writer writer(options);
  writer.accept_all(listener);
  writer.run();
  waitpid(reader, nullptr, 0);
  return 0;
}
