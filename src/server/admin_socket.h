// A Unix socket in the store's folder by which commands of the same user ask a running server: one request there, one
// answer back, each a line of JSON: {"method", "path", "query", "body"} and {"status", "body"}.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "server/api/api.h"

namespace arena::server {

// Main thread. Whoever asks has a second to say what, and takes the answer within some; that this is to come holds up nothing.
class AdminSocket {
 public:
  using Handler = std::function<void(ApiRequest request, ApiDone done)>;  // `done`: on any thread, or never

  // In a folder that this process holds. What was left there by another is removed. After `patience_ms` without an
  // answer whoever asked is told so, at the next call of serve().
  static Result<AdminSocket> open(const std::string& folder, int64_t patience_ms = 15'000);
  ~AdminSocket();
  AdminSocket(AdminSocket&& other) noexcept;
  AdminSocket& operator=(AdminSocket&&) = delete;

  // Can be read when serve() has something to do.
  int descriptor() const { return poll_; }
  // Hands on what has been asked by now and sends what has been answered. Waits for neither.
  void serve(const Handler& handler);

 private:
  struct Asked;
  struct Bell;

  AdminSocket(int folder, int socket);
  void take(int fd, const Handler& handler);

  int folder_ = -1;
  int socket_ = -1;
  int poll_ = -1;
  int64_t patience_ms_ = 0;
  std::shared_ptr<Bell> bell_;  // rung by who answers
  std::vector<std::unique_ptr<Asked>> asked_;
};

// Nobody can be asked, or nobody answers.
struct Unanswered {
  bool reached = false;  // somebody was there
  std::string reason;
};

// The other side. Waits for the answer.
Result<ApiResponse, Unanswered> ask_server(const std::string& folder, const ApiRequest& request);

}  // namespace arena::server
