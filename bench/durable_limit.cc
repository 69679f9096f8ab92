// What this machine can do when every message is on disk before it is acknowledged, and nothing else is asked: one loop
// that parses QoS 1 publishes in place and copies them behind each other, one thread that writes what has come and syncs it,
// then an acknowledgement each. No permissions, no routing, no sessions, no index, no checksums, no way to read it again.
//   arena_durable_limit --port PORT --log FILE            takes MQTT 3.1.1 clients on loopback until it is killed
//   arena_durable_limit --probe FILE --bytes N --seconds S  no clients: write N bytes and sync, again and again
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace {

[[noreturn]] void give_up(const char* what) {
  std::perror(what);
  std::exit(1);
}

int check(int result, const char* what) {
  if (result < 0) give_up(what);
  return result;
}

void append_all(int fd, std::string_view first, std::string_view second) {
  iovec parts[2] = {{const_cast<char*>(first.data()), first.size()}, {const_cast<char*>(second.data()), second.size()}};
  const ssize_t written = writev(fd, parts, 2);
  if (written != static_cast<ssize_t>(first.size() + second.size())) give_up("writev");
  check(fdatasync(fd), "fdatasync");
}

struct Connection {
  int fd = -1;
  std::string input;   // an incomplete packet
  std::string output;
};

// What is committed together.
struct Group {
  std::string records;
  std::vector<std::pair<Connection*, uint16_t>> publishes;
};

class Committer {
 public:
  Committer(const char* path, int done) : file_(check(open(path, O_CREAT | O_WRONLY | O_APPEND, 0600), "open")), done_(done) {
    std::thread([this] { run(); }).detach();
  }
  bool busy() const { return busy_.load(std::memory_order_acquire); }
  // Not while busy. Swaps: what was committed last comes back.
  void hand_over(Group& group) {
    {
      const std::lock_guard lock(mutex_);
      std::swap(group_, group);
      busy_.store(true, std::memory_order_release);
    }
    wake_.notify_one();
  }
  Group& committed() { return group_; }  // while not busy

 private:
  void run() {
    for (;;) {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [this] { return busy(); });
      const uint32_t header[2] = {static_cast<uint32_t>(group_.records.size()), static_cast<uint32_t>(group_.publishes.size())};
      append_all(file_, {reinterpret_cast<const char*>(header), sizeof header}, group_.records);
      busy_.store(false, std::memory_order_release);
      const uint64_t one = 1;
      if (write(done_, &one, sizeof one) < 0) give_up("eventfd");
    }
  }

  const int file_;
  const int done_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::atomic<bool> busy_{false};
  Group group_;
};

class Server {
 public:
  Server(uint16_t port, const char* log)
      : epoll_(check(epoll_create1(0), "epoll_create1")), done_(check(eventfd(0, EFD_NONBLOCK), "eventfd")), committer_(log, done_) {
    listener_ = check(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), "socket");
    const int yes = 1;
    setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    check(bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address), "bind");
    check(listen(listener_, 4096), "listen");
    watch(listener_, &listener_);
    watch(done_, &done_);
  }

  [[noreturn]] void run() {
    std::vector<epoll_event> events(512);
    for (;;) {
      const int count = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), -1);
      for (int i = 0; i < count; ++i) {
        void* const what = events[static_cast<std::size_t>(i)].data.ptr;
        if (what == &listener_) {
          accept_all();
        } else if (what == &done_) {
          acknowledge();
        } else {
          receive(*static_cast<Connection*>(what));
        }
      }
      if (!filling_.publishes.empty() && !awaits_ && !committer_.busy()) {
        awaits_ = true;
        committer_.hand_over(filling_);
      }
      for (Connection* connection : to_flush_) flush(*connection);
      to_flush_.clear();
    }
  }

 private:
  void watch(int fd, void* what) {
    epoll_event event{.events = EPOLLIN, .data = {.ptr = what}};
    check(epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event), "epoll_ctl");
  }

  void accept_all() {
    for (int fd = 0; (fd = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK)) >= 0;) {
      const int yes = 1;
      setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
      connections_.push_back(std::make_unique<Connection>());
      connections_.back()->fd = fd;
      watch(fd, connections_.back().get());
    }
  }

  void acknowledge() {
    uint64_t count = 0;
    if (read(done_, &count, sizeof count) < 0) return;
    awaits_ = false;
    Group& group = committer_.committed();
    for (const auto& [connection, id] : group.publishes) {
      const char ack[4] = {0x40, 2, static_cast<char>(id >> 8), static_cast<char>(id)};
      answer(*connection, {ack, 4});
    }
    group.publishes.clear();
    group.records.clear();
  }

  void answer(Connection& connection, std::string_view bytes) {
    if (connection.output.empty()) to_flush_.push_back(&connection);
    connection.output.append(bytes);
  }

  // What does not fit is dropped: whoever lets 64 KiB of acknowledgements lie is no client of this program.
  static void flush(Connection& connection) {
    if (connection.fd < 0) return;
    const ssize_t sent = send(connection.fd, connection.output.data(), connection.output.size(), MSG_NOSIGNAL);
    if (sent != static_cast<ssize_t>(connection.output.size()) && errno != EPIPE && errno != ECONNRESET) give_up("send");
    connection.output.clear();
  }

  void receive(Connection& connection) {
    static char buffer[256 << 10];
    const ssize_t size = recv(connection.fd, buffer, sizeof buffer, 0);
    if (size <= 0) {
      if (size < 0 && errno == EAGAIN) return;
      close(std::exchange(connection.fd, -1));
      return;
    }
    const std::string_view bytes(buffer, static_cast<std::size_t>(size));
    if (connection.input.empty()) {
      connection.input = bytes.substr(parse(connection, bytes));
    } else {
      connection.input.append(bytes);
      connection.input.erase(0, parse(connection, connection.input));
    }
  }

  // How much of it was whole packets.
  std::size_t parse(Connection& connection, std::string_view bytes) {
    std::size_t at = 0;
    for (;;) {
      std::size_t length = 0, header = 1;
      for (unsigned shift = 0;; shift += 7) {
        if (at + header >= bytes.size()) return at;
        const auto byte = static_cast<unsigned char>(bytes[at + header++]);
        length |= std::size_t{byte & 127U} << shift;
        if (byte < 128) break;
      }
      if (at + header + length > bytes.size()) return at;
      take(connection, static_cast<unsigned char>(bytes[at]), bytes.substr(at + header, length));
      at += header + length;
    }
  }

  void take(Connection& connection, unsigned char kind, std::string_view body) {
    switch (kind >> 4) {
      case 1: return answer(connection, {"\x20\x02\0\0", 4});
      case 3: return publish(connection, body);
      case 8: {
        const char suback[5] = {static_cast<char>(0x90), 3, body[0], body[1], 1};
        return answer(connection, {suback, 5});
      }
      case 12: return answer(connection, {"\xd0\0", 2});
      default: return;
    }
  }

  void publish(Connection& connection, std::string_view body) {
    const auto topic = static_cast<std::size_t>(static_cast<unsigned char>(body[0]) << 8 | static_cast<unsigned char>(body[1]));
    const auto id = static_cast<uint16_t>(static_cast<unsigned char>(body[2 + topic]) << 8 | static_cast<unsigned char>(body[3 + topic]));
    const auto size = static_cast<uint32_t>(body.size());
    filling_.records.append(reinterpret_cast<const char*>(&size), sizeof size).append(body);
    filling_.publishes.emplace_back(&connection, id);
  }

  const int epoll_;
  int done_;
  int listener_ = -1;
  Committer committer_;
  bool awaits_ = false;  // a group is under way, or its acknowledgements are not sent yet
  Group filling_;
  std::vector<std::unique_ptr<Connection>> connections_;
  std::vector<Connection*> to_flush_;
};

void probe(const char* path, std::size_t bytes, double seconds) {
  using Clock = std::chrono::steady_clock;
  const int file = check(open(path, O_CREAT | O_WRONLY | O_APPEND, 0600), "open");
  const std::string record(bytes, 'x');
  std::vector<double> took;
  const auto began = Clock::now();
  double elapsed = 0;
  while (elapsed < seconds) {
    const double before = elapsed;
    append_all(file, record, {});
    elapsed = std::chrono::duration<double>(Clock::now() - began).count();
    took.push_back((elapsed - before) * 1e6);
  }
  std::sort(took.begin(), took.end());
  const auto at = [&took](double share) { return took[static_cast<std::size_t>(share * static_cast<double>(took.size() - 1))]; };
  std::printf("{\"per_second\":%.0f,\"latency_p50_us\":%.1f,\"latency_p99_us\":%.1f}\n", static_cast<double>(took.size()) / elapsed,
              at(0.5), at(0.99));
}

}  // namespace

int main(int argc, char** argv) {
  const char *port = nullptr, *log = nullptr, *probed = nullptr, *bytes = "200", *seconds = "1";
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string_view flag = argv[i];
    const char*& value = flag == "--port" ? port : flag == "--log" ? log : flag == "--probe" ? probed : flag == "--bytes" ? bytes : seconds;
    value = argv[i + 1];
  }
  if (probed != nullptr) {
    probe(probed, static_cast<std::size_t>(std::atol(bytes)), std::atof(seconds));
    return 0;
  }
  if (port == nullptr || log == nullptr) {
    std::fprintf(stderr, "arena_durable_limit --port PORT --log FILE | --probe FILE [--bytes N] [--seconds S]\n");
    return 2;
  }
  Server(static_cast<uint16_t>(std::atoi(port)), log).run();
}
