// Bytes of an HTTP/1.1 connection to requests. No sockets, no clocks. Boost.Beast reads fields and bodies; what is more
// lenient there than it may be is refused here first (http1_head.h).
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "codec/http/http1_head.h"
#include "codec/http/message.h"

namespace arena::http {

struct Http1Limits {
  std::size_t head_bytes_max = 16 << 10;  // the request line and the fields
  std::size_t fields_max = 100;
  std::size_t body_bytes_max = 1 << 20;
};

// Reads one request after the other. After a refusal it reads nothing any more.
class Http1Parser {
 public:
  enum class Step : uint8_t {
    more,       // all bytes are taken, and the request is not complete
    proceed,    // the same, and the client waits for "100 Continue" before it sends the body; said once
    complete,   // take() it; what `bytes` still has belongs to the next one
    refused,
  };

  explicit Http1Parser(const Http1Limits& limits);
  ~Http1Parser();
  Http1Parser(const Http1Parser&) = delete;
  Http1Parser& operator=(const Http1Parser&) = delete;

  // Takes what it can off the front of `bytes`.
  Step feed(std::string_view& bytes);
  // What is complete; of what is not, its head and what has come of its body: then nothing more may be read.
  Request take();
  // Of the request whose head is complete and whose body is under way; null: there is none.
  const Request* head() const;
  const Refusal& refusal() const { return *refusal_; }
  // Nothing of a request has come yet.
  bool between() const { return head_.empty() && !reading_body_; }
  std::size_t held_bytes() const;

 private:
  struct Body;  // Beast's parser, of the request under way

  void skip_empty_lines(std::string_view& bytes);
  Step feed_head(std::string_view& bytes);
  Step begin_request();
  Step feed_body(std::string_view& bytes);
  Step refuse(const Refusal& refusal) {
    refusal_ = &refusal;
    return Step::refused;
  }

  const Http1Limits limits_;
  std::string head_;       // of the request line and the fields, until they are complete
  std::unique_ptr<Body> body_;
  std::string unread_;     // of a body: the beginning of a chunk's size
  bool reading_body_ = false;
  const Refusal* refusal_ = nullptr;
};

}  // namespace arena::http
