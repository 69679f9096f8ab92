// Numeric addresses between people's form and the system's.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "net/stream.h"

namespace arena::net {

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t length = 0;

  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
  int family() const { return storage.ss_family; }
};

PeerAddress to_peer(const SocketAddress& address);
// A numeric address ("127.0.0.1", "::1"); never asks a server. Empty `host`: all addresses of the machine.
Result<SocketAddress> parse_address(const std::string& host, uint16_t port);
// A name or a numeric address. Blocks: on the general lane, or at start.
Result<std::vector<SocketAddress>> resolve(const std::string& host, uint16_t port);
// "what: reason of `error_number`".
std::string describe_error(const std::string& what, int error_number);

}  // namespace arena::net
