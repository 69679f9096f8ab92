// What a client of HTTP/1.1 sends; byte 0 cuts it up. Promises: cut at any bytes it is the same requests;
// a request is within its limits, and read again as it would be written it is the same one and nothing else: nobody can take
// it for two.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "check.h"
#include "codec/http/http1_parser.h"

using namespace arena::http;

namespace {

constexpr Http1Limits kLimits = {.head_bytes_max = 1000, .fields_max = 12, .body_bytes_max = 400};

struct Read {
  std::vector<Request> requests;
  std::string refusal;   // its code
  bool between = false;  // nothing of another request is there
};

bool same(const Request& a, const Request& b) {
  return a.method == b.method && a.path == b.path && a.query == b.query && a.fields == b.fields && a.body == b.body && a.minor == b.minor &&
         a.keep_alive == b.keep_alive;
}

// `cut` 0: in one piece.
Read read(std::string_view stream, std::size_t cut) {
  Http1Parser parser(kLimits);
  Read out;
  std::string waiting;  // what the parser left
  while (true) {
    const std::size_t size = cut == 0 ? stream.size() : std::min(cut, stream.size());
    waiting.append(stream.substr(0, size));
    stream.remove_prefix(size);
    std::string_view bytes = waiting;
    Http1Parser::Step step = Http1Parser::Step::complete;
    while (step == Http1Parser::Step::complete) {
      step = parser.feed(bytes);
      if (step == Http1Parser::Step::complete) out.requests.push_back(parser.take());
    }
    FUZZ_CHECK(parser.held_bytes() <= 2 * (kLimits.head_bytes_max + kLimits.body_bytes_max) + 256);
    if (step == Http1Parser::Step::refused) {
      out.refusal = parser.refusal().code;
      return out;
    }
    waiting = std::string(bytes);
    if (stream.empty()) break;
  }
  out.between = parser.between();
  return out;
}

std::string written(const Request& request) {
  std::string out = request.method + " " + request.path + (request.query.empty() ? "" : "?" + request.query) + " HTTP/1." + std::to_string(request.minor) + "\r\n";
  for (const auto& [name, value] : request.fields) {
    if (name == "transfer-encoding" || name == "content-length" || name == "expect") continue;
    out += name + ": " + value + "\r\n";
  }
  if (!request.body.empty()) out += "content-length: " + std::to_string(request.body.size()) + "\r\n";
  return out + "\r\n" + request.body;
}

void check_request(const Request& request) {
  FUZZ_CHECK(request.path.starts_with('/'));
  FUZZ_CHECK(request.body.size() <= kLimits.body_bytes_max);
  FUZZ_CHECK(request.fields.size() <= kLimits.fields_max);
  for (const auto& [name, value] : request.fields) {
    FUZZ_CHECK(name.find_first_of("\r\n\0 :", 0, 5) == std::string::npos);
    FUZZ_CHECK(value.find_first_of("\r\n\0", 0, 3) == std::string::npos);
  }
  FUZZ_CHECK(request.field("transfer-encoding") == nullptr || request.field("content-length") == nullptr);
  const Read again = read(written(request), 0);
  FUZZ_CHECK(again.requests.size() == 1 || again.refusal == "head_too_large");  // for the length that a chunked one did not say
  if (again.requests.size() != 1) return;
  FUZZ_CHECK(again.between && again.requests[0].method == request.method && again.requests[0].path == request.path &&
             again.requests[0].query == request.query && again.requests[0].body == request.body);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, std::size_t size) {
  if (size < 1) return 0;
  const std::string_view stream(reinterpret_cast<const char*>(data) + 1, size - 1);
  const Read whole = read(stream, 0);
  const Read cut = read(stream, 1 + data[0] % 16);
  // A chunk's line that is very long is only seen to be when it comes in pieces.
  const bool long_line = cut.refusal == "bad_chunk" && cut.requests.size() < whole.requests.size();
  FUZZ_CHECK(long_line || whole.requests.size() == cut.requests.size());
  // What is wrong may be seen a few bytes later, and then something else may be, too.
  FUZZ_CHECK(long_line || whole.between == cut.between);
  for (std::size_t i = 0; i < cut.requests.size(); ++i) FUZZ_CHECK(same(whole.requests[i], cut.requests[i]));
  for (const Request& request : whole.requests) check_request(request);
  return 0;
}
