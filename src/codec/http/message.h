// A request and its response, whatever version of HTTP carries them.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace arena::http {

// Names of fields are in lower case.
using Field = std::pair<std::string, std::string>;
using Fields = std::vector<Field>;

// Null: there is none of that name. The first, if there are several.
const std::string* find_field(const Fields& fields, std::string_view name);

struct Request {
  std::string method;      // "GET"
  std::string path;        // "/v1/topics/a%2Fb": as it came, with its percents
  std::string query;       // what follows the '?'
  Fields fields;
  std::string body;
  bool keep_alive = true;  // the connection may be used again
  uint8_t minor = 1;       // of HTTP/1

  const std::string* field(std::string_view name) const { return find_field(fields, name); }
};

// What kind its body is: "application/json", in lower case and without parameters; empty: it does not say.
std::string media_type(const Request& request);

// What is said again and again, as literals: it is neither copied nor checked.
using FixedField = std::pair<std::string_view, std::string_view>;

struct Response {
  int status = 200;
  Fields fields;
  std::string body;
  std::span<const FixedField> fixed = {};  // behind the others; none of their names
};

// "Not Found"; empty for what nobody knows.
std::string_view reason_phrase(int status);
// "Fri, 27 Nov 2026 12:00:00 GMT"
std::string date_text(int64_t unix_ms);

// "%41" becomes "A"; '+' stays. False: a '%' that two hexadecimal digits do not follow.
bool percent_decode(std::string_view text, std::string& out);
using Parameters = std::vector<std::pair<std::string, std::string>>;
// "a=1&b=%20" taken apart; what has no '=' has an empty value. False: as above.
bool read_query(std::string_view query, Parameters& out);
// A name that stands there twice, and is not `but`; null: none.
const std::string* find_repeated(const Parameters& parameters, std::string_view but = {});

}  // namespace arena::http
