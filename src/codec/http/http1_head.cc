#include "codec/http/http1_head.h"

#include <algorithm>

namespace arena::http {
namespace {

constexpr Refusal kBareLineEnd{400, "bad_line_end", "a line ends with CR and LF, and neither stands alone"};
constexpr Refusal kBadRequestLine{400, "bad_request_line", "expected \"METHOD /path HTTP/1.1\"; bytes beyond ASCII, spaces and '#' are percent-encoded in a path"};
constexpr Refusal kNotHttp{400, kNotHttpCode, "what was sent is no request of HTTP"};
constexpr Refusal kBadVersion{505, "bad_version", "HTTP/1.1 and HTTP/1.0 are spoken here"};
constexpr Refusal kBadField{400, "bad_field_line", "a field is a name, a colon right behind it, and a value without control characters"};
constexpr Refusal kFolded{400, "folded_field", "a field stands on one line"};
constexpr Refusal kTooManyFields{431, "too_many_fields", "the request has more fields than http.fields_max"};
constexpr Refusal kBadHost{400, "bad_host", "a request has one Host field, and it is a name or address with or without a port"};
constexpr Refusal kBadLength{400, "bad_content_length", "Content-Length is one number, given once"};
constexpr Refusal kBadTransfer{400, "bad_transfer_encoding", "Transfer-Encoding is \"chunked\", once, in HTTP/1.1, and without a Content-Length"};
constexpr Refusal kBadExpect{417, "bad_expectation", "Expect can be \"100-continue\""};

bool is_token(char c) {
  constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~";
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || kMarks.find(c) != std::string_view::npos;
}

bool is_in_target(char c) { return c > ' ' && c < 0x7f && c != '#' && c != '\\' && c != '"' && c != '<' && c != '>'; }

bool is_value(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte == '\t' || (byte >= ' ' && byte != 0x7f);
}

template <typename Test>
bool all(std::string_view text, Test test) {
  return std::all_of(text.begin(), text.end(), test);
}

const Refusal* check_request_line(std::string_view line) {
  const std::size_t first = line.find(' ');
  const std::size_t second = first == std::string_view::npos ? first : line.find(' ', first + 1);
  if (second == std::string_view::npos) return &kBadRequestLine;
  const std::string_view method = line.substr(0, first);
  const std::string_view target = line.substr(first + 1, second - first - 1);
  const std::string_view version = line.substr(second + 1);
  if (method.empty() || !all(method, is_token)) return &kBadRequestLine;
  if (version.size() == 8 && version.starts_with("HTTP/") && version != "HTTP/1.1" && version != "HTTP/1.0") return &kBadVersion;
  if (version.find('/') == std::string_view::npos) return &kNotHttp;
  if (version != "HTTP/1.1" && version != "HTTP/1.0") return &kBadRequestLine;
  if (!is_target(target)) return &kBadRequestLine;  // no proxy: a path alone
  return nullptr;
}

const Refusal* check_field_line(std::string_view line) {
  if (line.starts_with(' ') || line.starts_with('\t')) return &kFolded;
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos || colon == 0) return &kBadField;
  return all(line.substr(0, colon), is_token) && all(line.substr(colon + 1), is_value) ? nullptr : &kBadField;
}

bool is_host(std::string_view host) {
  return !host.empty() && host.size() <= 255 && all(host, [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' || c == '-' || c == '_' || c == ':' || c == '[' || c == ']';
  });
}

bool same_word(std::string_view a, std::string_view lower) {
  return std::equal(a.begin(), a.end(), lower.begin(), lower.end(),
                    [](char x, char y) { return (x >= 'A' && x <= 'Z' ? x + ('a' - 'A') : x) == y; });
}

}  // namespace

bool is_target(std::string_view text) { return text.starts_with('/') && all(text, is_in_target); }

const Refusal* check_line_ends(std::string_view head, std::size_t from) {
  for (std::size_t at = from; at < head.size(); ++at) {
    const char c = head[at];
    if (c == '\0') return &kBadField;
    if (c == '\n' && (at == 0 || head[at - 1] != '\r')) return &kBareLineEnd;
    if (c == '\r' && at + 1 < head.size() && head[at + 1] != '\n') return &kBareLineEnd;
  }
  return nullptr;
}

const Refusal* check_lines(std::string_view head, std::size_t fields_max) {
  if (const Refusal* refusal = check_line_ends(head, 0)) return refusal;
  std::size_t lines = 0;
  while (!head.starts_with("\r\n") && !head.empty()) {
    const std::size_t end = std::min(head.find("\r\n"), head.size());
    const std::string_view line = head.substr(0, end);
    head.remove_prefix(std::min(end + 2, head.size()));
    const Refusal* refusal = lines == 0 ? check_request_line(line) : check_field_line(line);
    if (refusal != nullptr) return refusal;
    if (lines > fields_max) return &kTooManyFields;
    ++lines;
  }
  return lines == 0 ? &kBadRequestLine : nullptr;
}

const Refusal* check_fields(const Request& request) {
  std::size_t hosts = 0, lengths = 0, transfers = 0;
  for (const auto& [name, value] : request.fields) {
    if (name == "host") {
      if (++hosts > 1 || !is_host(value)) return &kBadHost;
    } else if (name == "content-length") {
      const bool digits = !value.empty() && value.size() <= 19 && all(value, [](char c) { return c >= '0' && c <= '9'; });
      if (++lengths > 1 || !digits) return &kBadLength;
    } else if (name == "transfer-encoding") {
      if (++transfers > 1 || request.minor == 0 || !same_word(value, "chunked")) return &kBadTransfer;
    } else if (name == "expect" && !same_word(value, "100-continue")) {
      return &kBadExpect;
    }
  }
  if (request.minor == 1 && hosts == 0) return &kBadHost;
  if (lengths != 0 && transfers != 0) return &kBadTransfer;
  return nullptr;
}

}  // namespace arena::http
