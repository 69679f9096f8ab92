// Responses to bytes of an HTTP/1.1 connection.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "codec/http/message.h"

namespace arena::http {

struct Http1Framing {
  bool keep_alive = true;
  bool without_body = false;  // the request was HEAD: its fields alone
  uint8_t minor = 1;          // of the request
};

// The whole response. Fields that frame it (Content-Length, Connection) are added; `response` has none of them.
void append_response(std::string& out, const Response& response, const Http1Framing& framing);
// The status line and fields of one whose body comes piece by piece: append_chunk(), at the end append_last_chunk(). A
// client of HTTP/1.0 gets the pieces as they are, and the end of the connection.
void append_stream_head(std::string& out, const Response& response, const Http1Framing& framing);
void append_chunk(std::string& out, std::string_view piece, const Http1Framing& framing);
void append_last_chunk(std::string& out, const Http1Framing& framing);

inline constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

}  // namespace arena::http
