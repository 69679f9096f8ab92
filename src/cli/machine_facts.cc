#include "cli/machine_facts.h"

#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <sys/timex.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <utility>

#include "codec/mqtt/encoder.h"
#include "engine/rocksdb/folder.h"
#include "net/address.h"
#include "runtime/clock.h"
#include "runtime/main_thread.h"

namespace arena::cli {

namespace {

constexpr int64_t kWatchClocksMs = 200;
constexpr int kAnswerS = 2;

// The number-th word of a file, from 0.
std::optional<uint64_t> number_in(const char* path, int number = 0) {
  std::ifstream file(path);
  std::string skipped;
  for (int i = 0; i < number; ++i) file >> skipped;
  uint64_t value = 0;
  return file >> value ? std::optional(value) : std::nullopt;
}

std::optional<uint64_t> memory_bytes(std::string_view name) {
  std::ifstream file("/proc/meminfo");
  std::string word;
  while (file >> word) {
    if (word != name) continue;
    uint64_t kib = 0;
    return file >> kib ? std::optional(kib << 10) : std::nullopt;
  }
  return std::nullopt;
}

class Socket {
 public:
  explicit Socket(int family) : fd_(::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0)) {}
  ~Socket() {
    if (fd_ >= 0) ::close(fd_);
  }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  int fd() const { return fd_; }

 private:
  const int fd_;
};

// "Any address" is reached through loopback.
std::string reachable(const std::string& address) {
  if (address.empty() || address == "0.0.0.0") return "127.0.0.1";
  return address == "::" ? "::1" : address;
}

std::string folder_above(const std::string& path) {
  const std::filesystem::path whole = std::filesystem::absolute(path).lexically_normal();
  return (whole.has_filename() ? whole : whole.parent_path()).parent_path().string();
}

bool answers_mqtt(const std::string& address, uint16_t port) {
  const auto to = net::parse_address(reachable(address), port);
  if (!to) return false;
  const Socket socket(to->family());
  const timeval patience{kAnswerS, 0};
  setsockopt(socket.fd(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  setsockopt(socket.fd(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  if (::connect(socket.fd(), to->get(), to->length) != 0) return false;
  mqtt::Connect connect;
  connect.clean_start = true;
  std::string packet;
  mqtt::encode(packet, connect, mqtt::Version::v5);
  if (::send(socket.fd(), packet.data(), packet.size(), MSG_NOSIGNAL) < 0) return false;
  char first = 0;
  // A refusal is an answer too: CONNACK.
  return ::recv(socket.fd(), &first, 1, 0) == 1 && first == 0x20;
}

}  // namespace

MachineFacts read_machine_facts() {
  MachineFacts facts;
  facts.cores = runtime::machine_cores();
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) == 0) facts.files_max = files.rlim_max;
  facts.memory_available_bytes = memory_bytes("MemAvailable:");
  facts.memory_limit_bytes = memory_bytes("MemTotal:");
  if (const auto limit = number_in("/sys/fs/cgroup/memory.max")) {
    facts.memory_limit_bytes = std::min(*limit, facts.memory_limit_bytes.value_or(*limit));
  }
  facts.accept_backlog_max = number_in("/proc/sys/net/core/somaxconn");
  facts.syn_backlog_max = number_in("/proc/sys/net/ipv4/tcp_max_syn_backlog");
  if (const auto pages = number_in("/proc/sys/net/ipv4/tcp_mem", 2)) {
    facts.tcp_memory_bytes = *pages * static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
  }
  facts.tracked_max = number_in("/proc/sys/net/netfilter/nf_conntrack_max");
  return facts;
}

ClockFacts read_clock_facts() {
  ClockFacts facts;
  timex state{};  // asks only
  const int answer = ::adjtimex(&state);
  if (answer >= 0) facts.synchronised = answer != TIME_ERROR && (state.status & STA_UNSYNC) == 0;
  const int64_t wall_before = runtime::unix_ms();
  const int64_t monotonic_before = runtime::monotonic_ns();
  runtime::pause_thread_ms(kWatchClocksMs);
  facts.unix_ms = runtime::unix_ms();
  facts.wall_passed_ms = facts.unix_ms - wall_before;
  facts.monotonic_passed_ms = (runtime::monotonic_ns() - monotonic_before) / 1'000'000;
  return facts;
}

Result<CertificateFile> read_certificate_file(const std::string& path, const std::string& key_path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  auto facts = net::certificate_facts(text.str());
  if (!facts) return fail_with(path + ": " + facts.error().reason);
  CertificateFile out{path, std::move(*facts), false, key_path};
  std::error_code ignored;
  const auto mode = std::filesystem::status(key_path, ignored).permissions();
  out.key_readable_by_others = (mode & std::filesystem::perms::others_read) != std::filesystem::perms::none;
  return out;
}

namespace {

// What a server could make of it.
StoreFacts::State state_of(const std::string& path) {
  using State = StoreFacts::State;
  std::error_code ignored;
  const auto kind = std::filesystem::status(path, ignored).type();
  if (kind == std::filesystem::file_type::not_found) return ::access(folder_above(path).c_str(), W_OK | X_OK) == 0 ? State::not_there : State::no_place;
  if (kind != std::filesystem::file_type::directory) return State::no_folder;
  if (::access(path.c_str(), R_OK | W_OK | X_OK) != 0) return State::not_writable;
  return engine::store_is_in_use(path) ? State::in_use : State::free;
}

}  // namespace

StoreFacts read_store_facts(const std::string& path) {
  StoreFacts facts;
  facts.path = path;
  facts.state = state_of(path);
  if (facts.state == StoreFacts::State::free || facts.state == StoreFacts::State::in_use) {
    const auto format = engine::StoreFolder::format_of(path);
    if (format) facts.format = *format;
    if (!format) facts.fault = format.error().reason;
  }
  struct statvfs disk {};
  const std::string where = facts.state == StoreFacts::State::not_there ? folder_above(path) : path;
  if (::statvfs(where.c_str(), &disk) == 0) facts.free_bytes = uint64_t{disk.f_bavail} * disk.f_frsize;
  return facts;
}

PortFacts probe_port(const std::string& address, uint16_t port) {
  PortFacts facts{address, port};
  const auto parsed = net::parse_address(address, port);
  if (!parsed) {
    facts.state = PortFacts::State::refused;
    facts.reason = parsed.error().reason;
    return facts;
  }
  const Socket socket(parsed->family());
  const int on = 1;
  setsockopt(socket.fd(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (::bind(socket.fd(), parsed->get(), parsed->length) == 0 && ::listen(socket.fd(), 1) == 0) return facts;
  const int error_number = errno;
  facts.reason =
      net::describe_error("cannot listen on " + address + ":" + std::to_string(port), error_number);
  facts.state = error_number != EADDRINUSE    ? PortFacts::State::refused
                : answers_mqtt(address, port) ? PortFacts::State::answers_mqtt
                                              : PortFacts::State::taken;
  return facts;
}

}  // namespace arena::cli
