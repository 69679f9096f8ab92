#include "net/address.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>

#include <cstring>
#include <system_error>

namespace arena::net {
namespace {

std::string numeric(int family, const void* bytes) {
  char text[INET6_ADDRSTRLEN] = "";
  inet_ntop(family, bytes, text, sizeof text);
  return text;
}

PeerAddress ipv4_peer(const in_addr& ip, uint16_t port) {
  const bool loopback = (ntohl(ip.s_addr) >> 24) == 127;
  return PeerAddress{numeric(AF_INET, &ip), port, loopback};
}

Result<std::vector<SocketAddress>> look_up(const std::string& host, uint16_t port, int flags) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = flags | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const char* name = host.empty() ? nullptr : host.c_str();
  const int error = getaddrinfo(name, std::to_string(port).c_str(), &hints, &found);
  if (error != 0) return fail_with("address '" + host + "': " + gai_strerror(error));
  std::vector<SocketAddress> addresses;
  for (const addrinfo* one = found; one != nullptr; one = one->ai_next) {
    SocketAddress address;
    std::memcpy(&address.storage, one->ai_addr, one->ai_addrlen);
    address.length = one->ai_addrlen;
    addresses.push_back(address);
  }
  freeaddrinfo(found);
  if (addresses.empty()) return fail_with("address '" + host + "': none found");
  return addresses;
}

}  // namespace

PeerAddress to_peer(const SocketAddress& address) {
  if (address.family() == AF_INET) {
    sockaddr_in v4{};
    std::memcpy(&v4, &address.storage, sizeof v4);
    return ipv4_peer(v4.sin_addr, ntohs(v4.sin_port));
  }
  if (address.family() != AF_INET6) return PeerAddress{};
  sockaddr_in6 v6{};
  std::memcpy(&v6, &address.storage, sizeof v6);
  const uint16_t port = ntohs(v6.sin6_port);
  if (IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr)) {
    in_addr v4{};
    std::memcpy(&v4, v6.sin6_addr.s6_addr + 12, sizeof v4);
    return ipv4_peer(v4, port);
  }
  return PeerAddress{numeric(AF_INET6, &v6.sin6_addr), port, IN6_IS_ADDR_LOOPBACK(&v6.sin6_addr) != 0};
}

Result<SocketAddress> parse_address(const std::string& host, uint16_t port) {
  if (host.empty()) return parse_address("::", port);
  auto found = look_up(host, port, AI_NUMERICHOST | AI_PASSIVE);
  if (!found) return fail(found.error());
  return found->front();
}

Result<std::vector<SocketAddress>> resolve(const std::string& host, uint16_t port) { return look_up(host, port, 0); }

std::string describe_error(const std::string& what, int error_number) {
  return what + ": " + std::generic_category().message(error_number);
}

}  // namespace arena::net
