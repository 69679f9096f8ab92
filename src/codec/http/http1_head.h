// The shapes by which two readers of one connection come to see different requests in it (request smuggling): refused
// before anything is made of them. RFC 9112.
#pragma once

#include <cstddef>
#include <string_view>

#include "codec/http/message.h"

namespace arena::http {

// What is wrong with a request, as the answer tells it. A connection ends after it: what follows cannot be trusted.
struct Refusal {
  int status = 400;
  std::string_view code;
  std::string_view text;
};

// The code of a line in which no version of a protocol stands: whoever sent it does not speak HTTP/1.
inline constexpr std::string_view kNotHttpCode = "not_http";

// The bytes of a request line and its fields, with the empty line. Null: nothing is wrong with them, and each line ends
// with CRLF, each field is a name, a colon without a space before it, and a value without control characters.
const Refusal* check_lines(std::string_view head, std::size_t fields_max);
// What has come of a head that is not complete yet: is there anything already that cannot become right?
const Refusal* check_line_ends(std::string_view head, std::size_t from);
// A path, perhaps with a query, in printable ASCII; no absolute URL and no fragment.
bool is_target(std::string_view text);
// Of the fields together: whose request is it, and where does it end?
const Refusal* check_fields(const Request& request);

}  // namespace arena::http
