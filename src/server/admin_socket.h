// A Unix socket in the store's folder by which commands of the same user ask a running server: one line there, one line
// back.
#pragma once

#include <functional>
#include <string>

#include "base/result.h"

namespace arena::server {

// Main thread. Nobody is waited for longer than a second.
class AdminSocket {
 public:
  // In a folder that this process holds. What was left there by another is removed.
  static Result<AdminSocket> open(const std::string& folder);
  ~AdminSocket();
  AdminSocket(AdminSocket&& other) noexcept;
  AdminSocket& operator=(AdminSocket&&) = delete;

  // Answers whoever has asked by now. Does not wait for anybody to ask.
  void serve(const std::function<std::string(const std::string& request)>& answer);

 private:
  AdminSocket(int folder, int socket) : folder_(folder), socket_(socket) {}

  int folder_ = -1;
  int socket_ = -1;
};

// The other side. Waits for the answer; fails when nobody listens.
Result<std::string> ask_server(const std::string& folder, const std::string& request);

// The one request so far: makes a checkpoint (engine/rocksdb/backup.h). Answered by "ok NAME" or "failed REASON".
inline constexpr const char* kCheckpointRequest = "checkpoint";

}  // namespace arena::server
