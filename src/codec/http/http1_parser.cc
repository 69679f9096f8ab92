#include "codec/http/http1_parser.h"

#include <algorithm>
#include <boost/beast/http/basic_parser.hpp>
#include <utility>

namespace arena::http {
namespace {

namespace beast = boost::beast::http;
using Code = boost::system::error_code;
using View = boost::beast::string_view;

constexpr std::size_t kChunkLineBytesMax = 64;
// "0", CRLF, CRLF: no chunked body ends with fewer, and Beast takes fewer of a last chunk for a fault of its caller.
constexpr std::size_t kLastChunkBytes = 5;

constexpr Refusal kHeadTooLarge{431, "head_too_large", "the request line and the fields are larger than http.head_bytes_max"};
constexpr Refusal kBodyTooLarge{413, "body_too_large", "the body is larger than http.body_bytes_max"};
constexpr Refusal kBadChunk{400, "bad_chunk", "a chunk is its size in hexadecimal digits, CRLF, and so many bytes; extensions and trailers are not taken"};
constexpr Refusal kMalformed{400, "malformed", "this is no request"};

char to_lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }

}  // namespace

struct Http1Parser::Body final : beast::basic_parser<true> {
  Request request;
  bool head_done = false;
  bool waits = false;  // for "100 Continue"

 private:
  void on_request_impl(beast::verb, View method, View target, int version, Code&) override {
    request.method.assign(method.data(), method.size());
    const std::string_view text(target.data(), target.size());
    const std::size_t mark = std::min(text.find('?'), text.size());
    request.path = text.substr(0, mark);
    request.query = text.substr(std::min(mark + 1, text.size()));
    request.minor = static_cast<uint8_t>(version % 10);
  }
  void on_response_impl(int, View, int, Code& code) override { code = beast::error::bad_version; }
  void on_field_impl(beast::field, View name, View value, Code& code) override {
    if (head_done) {  // a trailer
      code = beast::error::bad_chunk;
      return;
    }
    std::string lower(name.data(), name.size());
    std::transform(lower.begin(), lower.end(), lower.begin(), to_lower);
    request.fields.emplace_back(std::move(lower), std::string(value.data(), value.size()));
  }
  void on_header_impl(Code&) override {
    head_done = true;
    waits = request.minor == 1 && request.field("expect") != nullptr;
  }
  // Grows as bytes come: what a request says of its size costs nothing.
  void on_body_init_impl(boost::optional<std::uint64_t> const&, Code&) override {}
  std::size_t on_body_impl(View bytes, Code&) override {
    request.body.append(bytes.data(), bytes.size());
    return bytes.size();
  }
  void on_chunk_header_impl(std::uint64_t, View extensions, Code& code) override {
    if (!extensions.empty()) code = beast::error::bad_chunk_extension;
  }
  std::size_t on_chunk_body_impl(std::uint64_t, View bytes, Code&) override {
    request.body.append(bytes.data(), bytes.size());
    return bytes.size();
  }
  void on_finish_impl(Code&) override {}
};

Http1Parser::Http1Parser(const Http1Limits& limits) : limits_(limits) {}
Http1Parser::~Http1Parser() = default;

std::size_t Http1Parser::held_bytes() const { return head_.size() + unread_.size() + (body_ ? body_->request.body.size() : 0); }

Http1Parser::Step Http1Parser::feed(std::string_view& bytes) {
  if (refusal_ != nullptr) return Step::refused;
  if (!reading_body_) {
    const Step step = feed_head(bytes);
    if (step != Step::more || !reading_body_) return step;
  }
  const Step step = feed_body(bytes);
  // Whoever has begun to send the body does not wait.
  if (step == Step::more && body_->waits && body_->request.body.empty() && unread_.empty()) {
    body_->waits = false;
    return Step::proceed;
  }
  return step;
}

// Some clients put one behind a body.
void Http1Parser::skip_empty_lines(std::string_view& bytes) {
  if (head_ == "\r" && bytes.starts_with('\n')) {
    head_.clear();
    bytes.remove_prefix(1);
  }
  while (head_.empty() && bytes.starts_with("\r\n")) bytes.remove_prefix(2);
}

Http1Parser::Step Http1Parser::feed_head(std::string_view& bytes) {
  skip_empty_lines(bytes);
  if (bytes.empty()) return Step::more;
  const std::size_t before = head_.size();
  head_.append(bytes.substr(0, limits_.head_bytes_max + 4 - std::min(before, limits_.head_bytes_max)));
  const std::size_t end = head_.find("\r\n\r\n", before < 3 ? 0 : before - 3);
  const std::size_t size = end == std::string::npos ? head_.size() : end + 4;
  bytes.remove_prefix(size - before);
  head_.resize(size);
  if (const Refusal* refusal = check_line_ends(head_, before == 0 ? 0 : before - 1)) return refuse(*refusal);
  if (size > limits_.head_bytes_max) return refuse(kHeadTooLarge);
  return end == std::string::npos ? Step::more : begin_request();
}

// The head is complete. `more`: a body is to come.
Http1Parser::Step Http1Parser::begin_request() {
  if (const Refusal* refusal = check_lines(head_, limits_.fields_max)) return refuse(*refusal);
  body_ = std::make_unique<Body>();
  body_->eager(true);
  body_->header_limit(static_cast<std::uint32_t>(limits_.head_bytes_max + 1));
  body_->body_limit(limits_.body_bytes_max);
  Code code;
  const std::size_t taken = body_->put(boost::asio::buffer(head_), code);
  if (const Refusal* refusal = check_fields(body_->request)) return refuse(*refusal);
  if (code == beast::error::body_limit) return refuse(kBodyTooLarge);
  if ((code && code != beast::error::need_more) || taken != head_.size()) return refuse(kMalformed);
  body_->request.keep_alive = body_->keep_alive();
  head_.clear();
  head_.shrink_to_fit();  // between requests a connection holds nothing
  if (body_->is_done()) return Step::complete;
  reading_body_ = true;
  return Step::more;
}

Http1Parser::Step Http1Parser::feed_body(std::string_view& bytes) {
  const std::string joined = unread_.empty() ? std::string() : unread_ + std::string(bytes);
  std::string_view left = unread_.empty() ? bytes : std::string_view(joined);
  Code code;
  const std::size_t enough = body_->chunked() ? kLastChunkBytes : 1;
  while (left.size() >= enough && !body_->is_done()) {
    const std::size_t taken = body_->put(boost::asio::buffer(left.data(), left.size()), code);
    left.remove_prefix(taken);
    if (code || taken == 0) break;
  }
  if (code == beast::error::body_limit) return refuse(kBodyTooLarge);
  if (code && code != beast::error::need_more) return refuse(kBadChunk);
  if (body_->is_done()) {
    bytes.remove_prefix(bytes.size() - left.size());
    unread_.clear();
    return Step::complete;
  }
  if (left.size() > kChunkLineBytesMax) return refuse(kBadChunk);
  unread_ = left;
  bytes = {};
  return Step::more;
}

const Request* Http1Parser::head() const { return reading_body_ ? &body_->request : nullptr; }

Request Http1Parser::take() {
  Request request = std::move(body_->request);
  body_.reset();
  reading_body_ = false;
  return request;
}

}  // namespace arena::http
