// What must hold when the storm is over. Each check is one that passes or fails; the reasons go to the output.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "stress/socket_client.h"

namespace arena::stress {

class Checks {
 public:
  // Returns `good`.
  bool expect(bool good, std::string_view what);
  std::size_t passed() const { return passed_; }
  std::size_t failed() const { return failed_; }

 private:
  std::size_t passed_ = 0;
  std::size_t failed_ = 0;
};

// Serves the clients until `done` or time is up; whether it was done.
bool serve_until(const std::vector<SocketClient*>& clients, const std::function<bool()>& done, int64_t within_ms);

// A fresh client is let in and gets its own message, at each guarantee and in both dialects.
void check_fresh_clients(Checks& checks, uint16_t port);
// Every session can be resumed, hands over what waits for it, and then gets a new message; then it is discarded.
void check_sessions_drain(Checks& checks, uint16_t port, unsigned ids);
// By $SYS: nobody is connected but the one who asks, no session and no subscription is left but its own.
void check_counters(Checks& checks, uint16_t port);
// As many connections as the limit allows can be had at once: none was leaked. They stay open in `crowd`.
void check_all_places_free(Checks& checks, uint16_t port, std::vector<std::unique_ptr<SocketClient>>& crowd,
                           std::size_t places);

}  // namespace arena::stress
