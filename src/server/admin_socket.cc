#include "server/admin_socket.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <future>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "codec/json/slices.h"
#include "runtime/main_thread.h"

namespace arena::server {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kName = "admin.sock";
constexpr std::size_t kRequestBytesMax = 1 << 20;
constexpr int kDepthMax = 16;
constexpr std::size_t kAtOnce = 8;
constexpr int64_t kRequestMs = 1000;
constexpr int64_t kSendMs = 5000;      // a page of messages is large
constexpr int64_t kAnswerMs = 30'000;  // the asking side's patience

std::string fault(const std::string& what) { return what + ": " + std::strerror(errno); }

// A folder's path may be longer than a socket's can be; by its descriptor it is always short.
sockaddr_un address_in(int folder) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string path = "/proc/self/fd/" + std::to_string(folder) + "/" + kName;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  return address;
}

void limit_waiting(int fd, int64_t ms) {
  const timeval limit{ms / 1000, ms % 1000 * 1000};
  ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  ::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
}

// Without its end; false if none came.
bool read_line(int fd, std::string& line, std::size_t bytes_max, int64_t within_ms) {
  const runtime::Deadline deadline(within_ms);
  char bytes[1 << 16];
  while (line.size() < bytes_max && !deadline.passed()) {
    const ssize_t size = ::recv(fd, bytes, sizeof bytes, 0);
    if (size <= 0) return false;
    const std::size_t before = line.size();
    line.append(bytes, static_cast<std::size_t>(size));
    const std::size_t end = line.find('\n', before);
    if (end == std::string::npos) continue;
    line.resize(end);
    return true;
  }
  return false;
}

bool write_line(int fd, std::string line, int64_t within_ms) {
  const runtime::Deadline deadline(within_ms);
  line += '\n';
  for (std::size_t sent = 0; sent < line.size();) {
    const ssize_t size = ::send(fd, line.data() + sent, line.size() - sent, MSG_NOSIGNAL);
    if (size <= 0 || deadline.passed()) return false;
    sent += static_cast<std::size_t>(size);
  }
  return true;
}

// JSON without line ends stays as it is.
std::string line_of(const ApiResponse& response) {
  return "{\"status\":" + std::to_string(response.status) + ",\"body\":" + response.body + "}";
}

std::optional<ApiRequest> request_in(const std::string& line) {
  if (json_fault(line, kDepthMax) || json_kind(line) != JsonKind::object) return std::nullopt;
  ApiRequest request;
  for (const auto& [key, value] : json_members(line)) {
    std::string* const text = key == "method" ? &request.method : key == "path" ? &request.path : key == "query" ? &request.query : nullptr;
    if (text != nullptr && json_kind(value) == JsonKind::text) {
      *text = json_string(value);
    } else if (key == "body" && json_kind(value) == JsonKind::object) {
      request.body = value;
    } else {
      return std::nullopt;
    }
  }
  return request;
}

}  // namespace

// Lives until the last answer that is still to come.
struct AdminSocket::Bell {
  ~Bell() {
    if (event >= 0) ::close(event);
  }
  void ring() const {
    const uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = ::write(event, &one, sizeof one);
  }
  int event = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
};

struct AdminSocket::Asked {
  Asked(int connection, std::future<ApiResponse> coming, int64_t patience_ms)
      : fd(connection), answer(std::move(coming)), deadline(patience_ms) {}
  ~Asked() { ::close(fd); }

  int fd;
  std::future<ApiResponse> answer;
  runtime::Deadline deadline;
};

AdminSocket::AdminSocket(int folder, int socket) : folder_(folder), socket_(socket), bell_(std::make_shared<Bell>()) {}

Result<AdminSocket> AdminSocket::open(const std::string& folder, int64_t patience_ms) {
  AdminSocket made(::open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC), ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  made.patience_ms_ = patience_ms;
  made.poll_ = ::epoll_create1(EPOLL_CLOEXEC);
  if (made.folder_ < 0 || made.socket_ < 0 || made.poll_ < 0 || made.bell_->event < 0) return fail_with(fault("cannot make the socket in " + folder));
  ::unlinkat(made.folder_, kName, 0);
  const sockaddr_un address = address_in(made.folder_);
  // Nobody can connect before listen(), and by then it is its owner's alone.
  if (::bind(made.socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::fchmodat(made.folder_, kName, 0600, 0) != 0 || ::listen(made.socket_, kAtOnce) != 0) {
    return fail_with(fault("cannot listen on " + folder + "/" + kName));
  }
  for (const int fd : {made.socket_, made.bell_->event}) {
    epoll_event event{};
    event.events = EPOLLIN;
    if (::epoll_ctl(made.poll_, EPOLL_CTL_ADD, fd, &event) != 0) return fail_with(fault("cannot watch the socket in " + folder));
  }
  return made;
}

AdminSocket::AdminSocket(AdminSocket&& other) noexcept
    : folder_(std::exchange(other.folder_, -1)),
      socket_(std::exchange(other.socket_, -1)),
      poll_(std::exchange(other.poll_, -1)),
      patience_ms_(other.patience_ms_),
      bell_(std::move(other.bell_)),
      asked_(std::move(other.asked_)) {}

AdminSocket::~AdminSocket() {
  if (poll_ >= 0) ::close(poll_);
  if (socket_ >= 0) ::close(socket_);
  if (folder_ < 0) return;
  ::unlinkat(folder_, kName, 0);
  ::close(folder_);
}

void AdminSocket::take(int fd, const Handler& handler) {
  limit_waiting(fd, kRequestMs);
  std::promise<ApiResponse> promise;
  auto asked = std::make_unique<Asked>(fd, promise.get_future(), patience_ms_);
  std::string line;
  if (!read_line(fd, line, kRequestBytesMax, kRequestMs)) return;
  auto request = request_in(line);
  if (!request) {
    promise.set_value(problem(400, "bad_request", "expected {\"method\", \"path\", \"query\", \"body\"} as JSON"));
  } else if (asked_.size() >= kAtOnce) {
    promise.set_value(problem(503, "busy", "too many requests are waiting for their answers"));
  } else {
    handler(std::move(*request), [promise = std::move(promise), bell = bell_](ApiResponse response) mutable {
      promise.set_value(std::move(response));
      bell->ring();
    });
  }
  asked_.push_back(std::move(asked));
}

void AdminSocket::serve(const Handler& handler) {
  uint64_t rung = 0;
  [[maybe_unused]] const ssize_t size = ::read(bell_->event, &rung, sizeof rung);
  for (std::size_t i = 0; i < kAtOnce; ++i) {
    const int fd = ::accept4(socket_, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) break;
    take(fd, handler);
  }
  std::erase_if(asked_, [](const std::unique_ptr<Asked>& asked) {
    const bool answered = asked->answer.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
    if (!answered && !asked->deadline.passed()) return false;
    ApiResponse response = problem(504, "no_answer", "the broker has not answered in time; what was asked may still be done");
    try {
      if (answered) response = asked->answer.get();
    } catch (const std::future_error&) {
      response = problem(503, "stopping", "the broker is stopping");
    }
    limit_waiting(asked->fd, kSendMs);
    write_line(asked->fd, line_of(response), kSendMs);
    return true;
  });
}

Result<ApiResponse, Unanswered> ask_server(const std::string& folder, const ApiRequest& request) {
  const int at = ::open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (at < 0) return fail(Unanswered{false, fault("cannot open " + folder)});
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_un address = address_in(at);
  const bool connected = fd >= 0 && ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  const std::string no_server = connected ? "" : fault("no server answers on " + folder + "/" + kName);
  std::string line;
  bool answered = false;
  if (connected) {
    limit_waiting(fd, kAnswerMs);
    Json json = {{"method", request.method}, {"path", request.path}, {"query", request.query}};
    if (!request.body.empty()) json["body"] = Json::parse(request.body, nullptr, false);
    answered = write_line(fd, json.dump(-1, ' ', false, Json::error_handler_t::replace), kAnswerMs) && read_line(fd, line, SIZE_MAX, kAnswerMs);
  }
  if (fd >= 0) ::close(fd);
  ::close(at);
  if (!connected) return fail(Unanswered{false, no_server});
  const Json json = answered ? Json::parse(line, nullptr, false) : Json();
  if (!json.is_object() || !json.contains("status") || !json.contains("body")) {
    return fail(Unanswered{true, "the server that uses " + folder + " does not answer"});
  }
  return ApiResponse{json["status"].get<int>(), json["body"].dump(-1, ' ', false, Json::error_handler_t::replace)};
}

}  // namespace arena::server
