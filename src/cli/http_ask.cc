#include "cli/http_ask.h"

#include <fmt/format.h>
#include <netdb.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/base64.h"
#include "server/version.h"

namespace arena::cli {
namespace {

namespace beast = boost::beast::http;
using server::Unanswered;

constexpr int kWaitS = 75;  // longer than any request may wait
constexpr std::size_t kAnswerBytesMax = 64 << 20;

// A connection, with TLS or without.
class Wire {
 public:
  Wire() = default;
  Wire(const Wire&) = delete;
  Wire& operator=(const Wire&) = delete;
  ~Wire() {
    if (fd_ >= 0) ::close(fd_);
  }

  Status open(const UrlParts& to, const TlsFlags& flags) {
    addrinfo wanted{}, *found = nullptr;
    wanted.ai_socktype = SOCK_STREAM;
    if (const int fault = ::getaddrinfo(to.host.c_str(), to.port.c_str(), &wanted, &found); fault != 0) return fail_with(::gai_strerror(fault));
    std::string reason = "no address";
    for (const addrinfo* one = found; one != nullptr && fd_ < 0; one = one->ai_next) {
      fd_ = ::socket(one->ai_family, one->ai_socktype | SOCK_CLOEXEC, one->ai_protocol);
      const timeval limit{kWaitS, 0};
      ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
      ::setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
      if (fd_ >= 0 && ::connect(fd_, one->ai_addr, one->ai_addrlen) == 0) break;
      reason = std::strerror(errno);
      if (fd_ >= 0) ::close(std::exchange(fd_, -1));
    }
    ::freeaddrinfo(found);
    if (fd_ < 0) return fail_with(reason);
    return to.tls ? shake_hands(to, flags) : Status(Unit{});
  }

  bool write(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = ssl_ ? SSL_write(ssl_.get(), bytes.data(), static_cast<int>(bytes.size())) : ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }
  // 0: the end; below: it failed.
  ssize_t read(char* bytes, std::size_t size) { return ssl_ ? SSL_read(ssl_.get(), bytes, static_cast<int>(size)) : ::recv(fd_, bytes, size, 0); }

 private:
  Status shake_hands(const UrlParts& to, TlsFlags flags) {
    flags.tls = true;
    auto context = load_tls_client(flags, "http/1.1");
    if (!context) return fail_with(context.error().reason);
    context_ = std::move(*context);
    ssl_ = context_->begin(flags.server_name.empty() ? to.host : flags.server_name);
    if (ssl_ == nullptr || SSL_set_fd(ssl_.get(), fd_) != 1) return fail_with("TLS cannot begin");
    if (SSL_connect(ssl_.get()) == 1) return Unit{};
    const long verdict = SSL_get_verify_result(ssl_.get());
    return fail_with(verdict == X509_V_OK ? "the TLS handshake failed" : X509_verify_cert_error_string(verdict));
  }

  int fd_ = -1;
  std::shared_ptr<const net::TlsClientContext> context_;
  net::SslHandle ssl_;
};

std::string request_text(const HttpTarget& target, const UrlParts& to, const server::ApiRequest& request) {
  const bool v6 = to.host.find(':') != std::string::npos;
  std::string text = fmt::format("{} {}{}{} HTTP/1.1\r\nHost: {}{}{}:{}\r\nUser-Agent: arena/{}\r\nConnection: close\r\n", request.method, request.path, request.query.empty() ? "" : "?",
                                 request.query, v6 ? "[" : "", to.host, v6 ? "]" : "", to.port, server::kVersion);
  if (target.user) text += "Authorization: Basic " + base64(*target.user + ":" + target.password) + "\r\n";
  if (!request.body.empty()) text += "Content-Type: application/json\r\n";
  return text + fmt::format("Content-Length: {}\r\n\r\n", request.body.size()) + request.body;
}

Result<server::ApiResponse, Unanswered> read_answer(Wire& wire, const std::string& url) {
  beast::response_parser<beast::string_body> parser;
  parser.eager(true);
  parser.body_limit(kAnswerBytesMax);
  std::string held;
  char bytes[1 << 14];
  while (!parser.is_done()) {
    const ssize_t size = wire.read(bytes, sizeof bytes);
    boost::beast::error_code fault;
    if (size > 0) {
      held.append(bytes, static_cast<std::size_t>(size));
      held.erase(0, parser.put(boost::asio::buffer(held), fault));
      if (fault == beast::error::need_more) fault = {};
    } else if (size == 0) {
      parser.put_eof(fault);
      if (!fault && !parser.is_done()) fault = beast::error::partial_message;
    }
    if (size < 0) return fail(Unanswered{true, url + " does not answer"});
    if (fault) return fail(Unanswered{true, fmt::format("what {} answers is no HTTP: {}", url, fault.message())});
  }
  return server::ApiResponse{static_cast<int>(parser.get().result_int()), std::move(parser.get().body())};
}

}  // namespace

Result<UrlParts> parse_url(const std::string& url) {
  UrlParts parts;
  std::string_view rest = url;
  const auto take = [&rest](std::string_view front) {
    if (!rest.starts_with(front)) return false;
    rest.remove_prefix(front.size());
    return true;
  };
  parts.tls = take("https://");
  if (!parts.tls && !take("http://")) return fail_with(fmt::format("\"{}\" is no URL such as http://127.0.0.1:8080", url));
  if (rest.ends_with('/')) rest.remove_suffix(1);
  const std::size_t bracket = rest.starts_with('[') ? rest.find(']') : 0;
  const std::size_t colon = bracket == std::string_view::npos ? std::string_view::npos : rest.find(':', bracket);
  parts.host = std::string(rest.substr(0, colon));
  parts.port = colon == std::string_view::npos ? (parts.tls ? "443" : "80") : std::string(rest.substr(colon + 1));
  if (parts.host.starts_with('[') && parts.host.ends_with(']')) parts.host = parts.host.substr(1, parts.host.size() - 2);
  const bool good_port = !parts.port.empty() && parts.port.size() <= 5 && parts.port.find_first_not_of("0123456789") == std::string::npos;
  const bool good_host = !parts.host.empty() && parts.host.find_first_of("/?#@[] \r\n") == std::string::npos;
  if (!good_port || !good_host) return fail_with(fmt::format("\"{}\" is no URL such as http://127.0.0.1:8080", url));
  return parts;
}

Result<server::ApiResponse, Unanswered> ask_http(const HttpTarget& target, const server::ApiRequest& request) {
  const auto to = parse_url(target.url);
  if (!to) return fail(Unanswered{false, to.error().reason});
  Wire wire;
  if (const Status opened = wire.open(*to, target.tls); !opened) return fail(Unanswered{false, fmt::format("{} cannot be reached: {}", target.url, opened.error().reason)});
  // One that answers early and ends is heard all the same.
  wire.write(request_text(target, *to, request));
  return read_answer(wire, target.url);
}

}  // namespace arena::cli
