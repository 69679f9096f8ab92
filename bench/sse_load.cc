// Followers of a topic over HTTP/2, cheap enough that the server is what is measured, and a publisher over MQTT
// in a closed window. Every event of every follower is read, and its payload's number checked: nothing lost,
// repeated or out of order. Usage: arena_sse_load --http PORT --mqtt PORT --connections N --streams N
// [--size BYTES] [--window N] [--seconds S]
// Prints "ready" once all follow, waits for a line, then publishes for S seconds and prints one JSON object; without
// a line it holds idle followers until its input ends.
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::seconds;

constexpr std::string_view kTopic = "bench/events";
constexpr std::size_t kDigits = 20;  // of the number that a payload begins with
constexpr int kMostSeconds = 60;     // until all follow, and until the last event is there

struct Options {
  uint16_t http = 0;
  uint16_t mqtt = 0;
  unsigned connections = 1000;
  unsigned streams = 1;
  std::size_t size = 64;
  uint64_t window = 100;
  double seconds = 3;
};

[[noreturn]] void give_up(const char* what) {
  std::fprintf(stderr, "arena_sse_load: %s%s%s\n", what, errno != 0 ? ": " : "",
               errno != 0 ? std::strerror(errno) : "");
  std::exit(1);
}

int check(int result, const char* what) {
  if (result < 0) give_up(what);
  return result;
}

int connect_to(uint16_t port) {
  const int fd = check(socket(AF_INET, SOCK_STREAM, 0), "socket");
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  check(connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address), "connect");
  const int yes = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  return fd;
}

void send_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) give_up("send");
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
}

std::string number32(uint32_t value) {
  value = htonl(value);
  return {reinterpret_cast<const char*>(&value), sizeof value};
}

uint32_t number_at(const char* at) {
  uint32_t value = 0;
  std::memcpy(&value, at, sizeof value);
  return ntohl(value);
}

// Counts what comes back, so that the publisher knows how far all followers are.
class Judge {
 public:
  Judge(std::size_t followers, uint64_t window) : next_(followers, 0), at_(2 * window + 1, 0) {}

  void heard(std::size_t follower, uint64_t number) {
    uint64_t& next = next_[follower];
    if (number < next) {
      ++(number + 1 == next ? duplicated : reordered);
      return;
    }
    lost += number - next;
    for (; next <= number; ++next) advance(next);
    ++delivered;
  }

  uint64_t of_all() const { return of_all_; }  // so many have reached every follower

  uint64_t delivered = 0;
  uint64_t lost = 0;
  uint64_t duplicated = 0;
  uint64_t reordered = 0;

 private:
  void advance(uint64_t number) {
    ++at_[number % at_.size()];
    for (unsigned* count = &at_[of_all_ % at_.size()]; *count == next_.size();
         count = &at_[of_all_ % at_.size()]) {
      *count = 0;
      ++of_all_;
    }
  }

  std::vector<uint64_t> next_;  // number that each follower waits for
  std::vector<unsigned> at_;    // so many followers have had it
  uint64_t of_all_ = 0;
};

// One connection of HTTP/2 with as many streams as there are followers on it.
class Connection {
 public:
  Connection(const Options& options, std::size_t first, Judge& judge)
      : fd_(connect_to(options.http)), first_(first), judge_(judge), lines_(options.streams) {
    constexpr uint32_t kMostWindow = 0x7fffffff;
    std::string out = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    out += frame(4, 0, 0, std::string("\0\4", 2) + number32(kMostWindow));
    out += frame(8, 0, 0, number32(kMostWindow - 65535));
    const std::string path = "/v1/events?topic=" + std::string(kTopic);
    std::string head = "\x82\x86\x04";  // GET, http, a path of one's own
    head += static_cast<char>(path.size()) + path;
    const std::string_view authority = "127.0.0.1";
    head += "\x01";
    head += static_cast<char>(authority.size());
    head += authority;
    for (unsigned i = 0; i < options.streams; ++i) out += frame(1, 5, 2 * i + 1, head);
    send_all(fd_, out);
  }

  int fd() const { return fd_; }
  std::size_t following() const { return following_; }

  // False when there is nothing more to read for now.
  bool read(std::vector<char>& buffer) {
    std::memcpy(buffer.data(), rest_.data(), rest_.size());
    const ssize_t count =
        recv(fd_, buffer.data() + rest_.size(), buffer.size() - rest_.size(), MSG_DONTWAIT);
    if (count < 0 && errno == EAGAIN) return false;
    if (count <= 0) give_up("the server has closed a connection");
    const std::size_t size = rest_.size() + static_cast<std::size_t>(count);
    std::size_t at = 0;
    while (size - at >= 9) {
      const char* head = buffer.data() + at;
      const std::size_t length = number_at(head) >> 8;
      if (size - at < 9 + length) break;
      take(head[3], head[4], number_at(head + 5), {head + 9, length});
      at += 9 + length;
    }
    rest_.assign(buffer.data() + at, size - at);
    return size == buffer.size();
  }

 private:
  struct Line {
    std::string begun;  // of which the end has not come
    bool following = false;
  };

  static std::string frame(char type, char flags, uint32_t stream, std::string_view payload) {
    std::string out = number32(static_cast<uint32_t>(payload.size()) << 8);
    out[3] = type;
    out += flags;
    return out.append(number32(stream)).append(payload);
  }

  void take(char type, char flags, uint32_t stream, std::string_view payload) {
    if (type == 0) return take_data(stream, payload);
    if (type == 1 && (payload.empty() || payload[payload[0] >> 5 == 1 ? 1 : 0] != '\x88')) {
      errno = 0;
      give_up("a follower was answered otherwise than with 200");
    }
    if (type == 3 || type == 7) give_up("the server has reset a stream or goes away");
    if (type == 4 && flags == 0) send_all(fd_, frame(4, 1, 0, {}));
    if (type == 6 && flags == 0) send_all(fd_, frame(6, 1, 0, payload));
  }

  void take_data(uint32_t stream, std::string_view payload) {
    taken_ += payload.size();
    if (taken_ > (1U << 29)) {
      send_all(fd_, frame(8, 0, 0, number32(static_cast<uint32_t>(taken_))));
      taken_ = 0;
    }
    const std::size_t index = stream / 2;
    Line& line = lines_.at(index);
    while (!payload.empty()) {
      const std::size_t end = payload.find('\n');
      if (end == std::string_view::npos) {
        line.begun.append(payload);
        return;
      }
      if (line.begun.empty()) {
        take_line(line, first_ + index, payload.substr(0, end));
      } else {
        line.begun.append(payload.substr(0, end));
        take_line(line, first_ + index, line.begun);
        line.begun.clear();
      }
      payload.remove_prefix(end + 1);
    }
  }

  void take_line(Line& line, std::size_t follower, std::string_view text) {
    if (text.starts_with("id:") && !line.following) {
      line.following = true;
      ++following_;
    }
    if (!text.starts_with("data:")) return;
    constexpr std::string_view kField = "\"payload\":\"";
    const std::size_t at = text.find(kField);
    if (at == std::string_view::npos || text.size() < at + kField.size() + kDigits)
      give_up("an event without a payload");
    judge_.heard(follower, std::strtoull(text.data() + at + kField.size(), nullptr, 10));
  }

  const int fd_;
  const std::size_t first_;  // of its followers
  Judge& judge_;
  std::vector<Line> lines_;
  std::string rest_;  // of a frame
  std::size_t following_ = 0;
  uint64_t taken_ = 0;
};

class Publisher {
 public:
  explicit Publisher(const Options& options) : fd_(connect_to(options.mqtt)), size_(options.size) {
    const std::string_view id = "bench";
    std::string connect("\x10\x11\0\4MQTT\4\2\0\0\0\5", 14);
    connect += id;
    send_all(fd_, connect);
    char answer[4];
    if (recv(fd_, answer, sizeof answer, MSG_WAITALL) != 4 || answer[3] != 0) give_up("MQTT: not let in");
  }

  void publish(uint64_t from, uint64_t to) {
    std::string out;
    for (; from < to; ++from) {
      char number[kDigits + 1];
      std::snprintf(number, sizeof number, "%020llu", static_cast<unsigned long long>(from));
      const std::size_t length = 2 + kTopic.size() + size_;
      out += '\x30';
      if (length > 127) out += static_cast<char>(length % 128 | 128);
      out += static_cast<char>(length > 127 ? length / 128 : length);
      out += '\0';
      out += static_cast<char>(kTopic.size());
      out += kTopic;
      out += number;
      out.append(size_ - kDigits, 'x');
    }
    send_all(fd_, out);
  }

 private:
  const int fd_;
  const std::size_t size_;
};

class Load {
 public:
  explicit Load(const Options& options)
      : options_(options),
        judge_(std::size_t{options.connections} * options.streams, options.window),
        epoll_(check(epoll_create1(0), "epoll_create1")),
        buffer_(1 << 20) {
    connections_.reserve(options.connections);
    for (unsigned i = 0; i < options.connections; ++i) {
      connections_.emplace_back(options, std::size_t{i} * options.streams, judge_);
      epoll_event event{.events = EPOLLIN, .data = {.ptr = &connections_.back()}};
      check(epoll_ctl(epoll_, EPOLL_CTL_ADD, connections_.back().fd(), &event), "epoll_ctl");
      turn(0);
    }
    const auto until = Clock::now() + seconds(kMostSeconds);
    while (!all_follow()) {
      errno = 0;
      if (Clock::now() > until) give_up("not all follow");
      turn(100);
    }
  }

  // Answers pings until there is a line; false when there is no more input.
  bool wait_for_word() {
    pollfd input{.fd = STDIN_FILENO, .events = POLLIN, .revents = 0};
    while (poll(&input, 1, 0) == 0) turn(50);
    char line[64];
    return ::read(STDIN_FILENO, line, sizeof line) > 0;
  }

  void run() {
    Publisher publisher(options_);
    const auto began = Clock::now();
    const auto stop = began + std::chrono::duration<double>(options_.seconds);
    const auto until = stop + seconds(kMostSeconds);
    uint64_t published = 0;
    auto now = began;
    for (; now < until && (now < stop || judge_.of_all() < published); now = Clock::now()) {
      const uint64_t next = judge_.of_all() + options_.window;
      if (now < stop && next > published) {
        publisher.publish(published, next);
        published = next;
      }
      turn(100);
    }
    const double took = std::chrono::duration<double>(now - began).count();
    const uint64_t due = published * options_.connections * options_.streams;
    std::printf(
        "{\"published\":%llu,\"delivered\":%llu,\"seconds\":%.3f,\"per_second\":%.0f,\"lost\":%llu,"
        "\"duplicated\":%llu,\"reordered\":%llu}\n",
        ull(published), ull(judge_.delivered), took, static_cast<double>(judge_.delivered) / took,
        ull(std::max(judge_.lost, due - std::min(due, judge_.delivered))), ull(judge_.duplicated),
        ull(judge_.reordered));
    std::fflush(stdout);
  }

 private:
  static unsigned long long ull(uint64_t value) { return value; }

  bool all_follow() const {
    std::size_t following = 0;
    for (const Connection& connection : connections_) following += connection.following();
    return following == connections_.size() * options_.streams;
  }

  void turn(int wait_ms) {
    const int count = epoll_wait(epoll_, events_, 512, wait_ms);
    for (int i = 0; i < count; ++i) {
      while (static_cast<Connection*>(events_[i].data.ptr)->read(buffer_)) {
      }
    }
  }

  const Options options_;
  Judge judge_;
  const int epoll_;
  std::vector<char> buffer_;
  std::vector<Connection> connections_;
  epoll_event events_[512];
};

Options parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; i += 2) {
    const std::string_view flag = argv[i];
    const double value = i + 1 < argc ? std::atof(argv[i + 1]) : 0;
    const auto is = [&](std::string_view name) { return flag == name && value > 0; };
    if (is("--http")) {
      options.http = static_cast<uint16_t>(value);
    } else if (is("--mqtt")) {
      options.mqtt = static_cast<uint16_t>(value);
    } else if (is("--connections")) {
      options.connections = static_cast<unsigned>(value);
    } else if (is("--streams")) {
      options.streams = static_cast<unsigned>(value);
    } else if (is("--size")) {
      options.size = std::max(static_cast<std::size_t>(value), kDigits);
    } else if (is("--window")) {
      options.window = static_cast<uint64_t>(value);
    } else if (is("--seconds")) {
      options.seconds = value;
    } else {
      std::fprintf(stderr, "arena_sse_load: what is %s?\n", argv[i]);
      std::exit(2);
    }
  }
  return options;
}

}  // namespace

int main(int argc, char** argv) {
  Load load(parse(argc, argv));
  std::puts("ready");
  std::fflush(stdout);
  if (load.wait_for_word()) load.run();
  return 0;
}
