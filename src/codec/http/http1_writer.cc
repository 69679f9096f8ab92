#include "codec/http/http1_writer.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

namespace arena::http {
namespace {

// A line end in a value would begin a field of its own; ours are made of what was checked, or of nothing that can have one.
void append_value(std::string& out, std::string_view value) {
  if (std::none_of(value.begin(), value.end(), [](char c) { return static_cast<unsigned char>(c) < ' '; })) {
    out += value;
    return;
  }
  for (const char c : value) {
    if (c != '\r' && c != '\n' && c != '\0') out.push_back(c);
  }
}

void append_head(std::string& out, const Response& response, const Http1Framing& framing) {
  fmt::format_to(std::back_inserter(out), "HTTP/1.1 {} {}\r\n", response.status, reason_phrase(response.status));
  for (const auto& [name, value] : response.fields) {
    out += name;
    out += ": ";
    append_value(out, value);
    out += "\r\n";
  }
  for (const auto& [name, value] : response.fixed) out.append(name).append(": ").append(value).append("\r\n");
  if (!framing.keep_alive) {
    out += "connection: close\r\n";
  } else if (framing.minor == 0) {
    out += "connection: keep-alive\r\n";
  }
}

}  // namespace

void append_response(std::string& out, const Response& response, const Http1Framing& framing) {
  append_head(out, response, framing);
  const bool bodiless = response.status == 101 || response.status == 204 || response.status == 304;
  if (!bodiless) fmt::format_to(std::back_inserter(out), "content-length: {}\r\n", response.body.size());
  out += "\r\n";
  if (!bodiless && !framing.without_body) out += response.body;
}

void append_stream_head(std::string& out, const Response& response, const Http1Framing& framing) {
  append_head(out, response, framing);
  if (framing.minor == 1) out += "transfer-encoding: chunked\r\n";
  out += "\r\n";
}

void append_chunk(std::string& out, std::string_view piece, const Http1Framing& framing) {
  if (piece.empty()) return;  // that would be the last one
  if (framing.minor == 0) {
    out += piece;
    return;
  }
  fmt::format_to(std::back_inserter(out), "{:x}\r\n", piece.size());
  out += piece;
  out += "\r\n";
}

void append_last_chunk(std::string& out, const Http1Framing& framing) {
  if (framing.minor == 1) out += "0\r\n\r\n";
}

}  // namespace arena::http
