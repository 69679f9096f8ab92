// A request of HTTP/2 as its fields and its body come, within limits. RFC 9113, 8.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "codec/http/http1_head.h"
#include "codec/http/http2_limits.h"
#include "codec/http/message.h"

namespace arena::http {

class Http2Request {
 public:
  explicit Http2Request(const Http2Limits& limits) : limits_(limits) {}

  // One after the other, as the library gives them: names in lower case, pseudo-header fields first and each once.
  void add_field(std::string_view name, std::string_view value);
  // It counts like the others, and nothing is made of it.
  void add_trailer(std::string_view name, std::string_view value) { count(name, value); }
  void end_head();
  void add_body(std::string_view bytes);
  // For another reason; what came is let go of.
  void refuse(const Refusal& refusal);

  // Not null: it is not taken.
  const Refusal* refusal() const { return refusal_; }
  // So much more than may be that nobody has sent it by mistake.
  bool is_bomb() const { return head_bytes_ > 4 * limits_.head_bytes_max || fields_ > 4 * limits_.fields_max; }
  bool expects_continue() const { return request_.field("expect") != nullptr; }
  bool is_head() const { return is_head_; }
  const Request& so_far() const { return request_; }
  Request take() { return std::move(request_); }

 private:
  bool count(std::string_view name, std::string_view value);
  void add_pseudo(std::string_view name, std::string_view value);
  const Refusal* check_head() const;

  const Http2Limits& limits_;
  Request request_;
  std::string authority_;
  std::string scheme_;
  std::size_t head_bytes_ = 0;
  std::size_t fields_ = 0;
  std::size_t body_bytes_ = 0;
  bool is_head_ = false;
  const Refusal* refusal_ = nullptr;
};

}  // namespace arena::http
