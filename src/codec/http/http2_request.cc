#include "codec/http/http2_request.h"

#include <algorithm>
#include <charconv>

namespace arena::http {
namespace {

constexpr std::size_t kFieldBytes = 32;  // what a field costs beside its bytes
constexpr Refusal kHeadTooLarge{431, "head_too_large", "the fields are larger than http.head_bytes_max"};
constexpr Refusal kTooManyFields{431, "too_many_fields", "the request has more fields than http.fields_max"};
constexpr Refusal kBodyTooLarge{413, "body_too_large", "the body is larger than http.body_bytes_max"};
constexpr Refusal kBadTarget{400, "bad_path", ":path is a path; bytes beyond ASCII, spaces and '#' are percent-encoded in it"};
constexpr Refusal kBadScheme{400, "bad_scheme", ":scheme is \"http\" or \"https\""};
constexpr Refusal kBadAuthority{400, "bad_host", "Host, where there is one, says what :authority says"};
constexpr Refusal kNoTunnel{405, "method_not_allowed", "CONNECT is for proxies"};

}  // namespace

bool Http2Request::count(std::string_view name, std::string_view value) {
  head_bytes_ += name.size() + value.size() + kFieldBytes;
  ++fields_;
  if (refusal_ == nullptr && head_bytes_ > limits_.head_bytes_max) refuse(kHeadTooLarge);
  if (refusal_ == nullptr && fields_ > limits_.fields_max) refuse(kTooManyFields);
  return refusal_ == nullptr;
}

void Http2Request::add_field(std::string_view name, std::string_view value) {
  if (!count(name, value)) return;
  if (name.starts_with(':')) return add_pseudo(name, value);
  // A browser sends a cookie in crumbs, so that each is compressed; they are one field.
  if (name == "cookie") {
    const auto cookie = std::find_if(request_.fields.begin(), request_.fields.end(), [](const Field& field) { return field.first == "cookie"; });
    if (cookie != request_.fields.end()) {
      cookie->second.append("; ").append(value);
      return;
    }
  }
  request_.fields.emplace_back(name, value);
}

void Http2Request::add_pseudo(std::string_view name, std::string_view value) {
  if (name == ":method") {
    request_.method = value;
    is_head_ = value == "HEAD";
  } else if (name == ":path") {
    const std::size_t mark = std::min(value.find('?'), value.size());
    request_.path = value.substr(0, mark);
    request_.query = value.substr(std::min(mark + 1, value.size()));
  } else if (name == ":authority") {
    authority_ = value;
  } else {
    scheme_ = value;
  }
}

void Http2Request::end_head() {
  if (refusal_ != nullptr) return;
  if (const Refusal* refusal = check_head()) return refuse(*refusal);
  if (!authority_.empty() && request_.field("host") == nullptr) request_.fields.emplace_back("host", authority_);
  if (const Refusal* refusal = check_fields(request_)) return refuse(*refusal);
  const std::string* length = request_.field("content-length");
  std::size_t size = 0;
  if (length != nullptr) std::from_chars(length->data(), length->data() + length->size(), size);
  if (size > limits_.body_bytes_max) refuse(kBodyTooLarge);
}

const Refusal* Http2Request::check_head() const {
  if (request_.method == "CONNECT") return &kNoTunnel;
  if (scheme_ != "http" && scheme_ != "https") return &kBadScheme;
  if (!is_target(request_.path) || !(request_.query.empty() || is_target("/" + request_.query))) return &kBadTarget;
  const std::string* host = request_.field("host");
  if (host != nullptr && !authority_.empty() && *host != authority_) return &kBadAuthority;
  return nullptr;
}

void Http2Request::add_body(std::string_view bytes) {
  body_bytes_ += bytes.size();
  if (refusal_ == nullptr && body_bytes_ > limits_.body_bytes_max) refuse(kBodyTooLarge);
  if (refusal_ == nullptr) request_.body.append(bytes);
}

void Http2Request::refuse(const Refusal& refusal) {
  refusal_ = &refusal;
  request_ = {};
}

}  // namespace arena::http
