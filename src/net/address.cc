#include "net/address.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <system_error>

namespace arena::net {
namespace {

constexpr std::array<unsigned char, 12> kMapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

in6_addr mapped(const in_addr& ipv4) {
  in6_addr ipv6{};
  std::memcpy(ipv6.s6_addr, kMapped.data(), kMapped.size());
  std::memcpy(ipv6.s6_addr + kMapped.size(), &ipv4, sizeof ipv4);
  return ipv6;
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

PeerAddress::PeerAddress(const unsigned char* ipv6, uint16_t port, bool loopback) : port_(port), loopback_(loopback) {
  std::copy_n(ipv6, ip_.size(), ip_.begin());
}

PeerAddress::PeerAddress(const std::string& ip, uint16_t port, bool loopback) : port_(port), loopback_(loopback) {
  in_addr v4{};
  in6_addr v6{};
  if (inet_pton(AF_INET, ip.c_str(), &v4) == 1) {
    v6 = mapped(v4);
  } else if (inet_pton(AF_INET6, ip.c_str(), &v6) != 1) {
    return;
  }
  std::copy_n(v6.s6_addr, ip_.size(), ip_.begin());
}

std::string PeerAddress::ip() const {
  char text[INET6_ADDRSTRLEN] = "";
  const bool v4 = std::equal(kMapped.begin(), kMapped.end(), ip_.begin());
  inet_ntop(v4 ? AF_INET : AF_INET6, ip_.data() + (v4 ? kMapped.size() : 0), text, sizeof text);
  return text;
}

PeerAddress to_peer(const SocketAddress& address) {
  in6_addr ip{};
  uint16_t port = 0;
  if (address.family() == AF_INET) {
    sockaddr_in v4{};
    std::memcpy(&v4, &address.storage, sizeof v4);
    ip = mapped(v4.sin_addr);
    port = ntohs(v4.sin_port);
  } else if (address.family() == AF_INET6) {
    sockaddr_in6 v6{};
    std::memcpy(&v6, &address.storage, sizeof v6);
    ip = v6.sin6_addr;
    port = ntohs(v6.sin6_port);
  } else {
    return {};
  }
  const bool loopback = IN6_IS_ADDR_LOOPBACK(&ip) != 0 || (IN6_IS_ADDR_V4MAPPED(&ip) != 0 && ip.s6_addr[kMapped.size()] == 127);
  return {ip.s6_addr, port, loopback};
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
