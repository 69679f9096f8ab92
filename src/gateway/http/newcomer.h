// A connection that has not said yet which version of HTTP it speaks.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "gateway/http/connection.h"

namespace arena::gateway::http {

// TLS has agreed upon the version (ALPN), or the first bytes tell it.
class Newcomer final : public Connection {
 public:
  Newcomer(Door& door, Parts parts);

  void shut() override { end(); }
  void on_data(std::string_view bytes) override;
  void on_writable() override {}

 private:
  enum class Version : uint8_t { unknown, http1, http2 };
  Version version() const;
  template <typename Next>
  void become();
  void leave_exchanges() override {}
  void on_time() override;

  std::string early_;  // what came, while it may still be either
};

}  // namespace arena::gateway::http
