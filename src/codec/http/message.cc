#include "codec/http/message.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <ctime>
#include <vector>

namespace arena::http {

const std::string* find_field(const Fields& fields, std::string_view name) {
  const auto it = std::find_if(fields.begin(), fields.end(), [name](const Field& field) { return field.first == name; });
  return it == fields.end() ? nullptr : &it->second;
}

std::string media_type(const Request& request) {
  const std::string* field = request.field("content-type");
  if (field == nullptr) return {};
  std::string type = field->substr(0, field->find(';'));
  type.erase(type.find_last_not_of(" \t") + 1);
  for (char& c : type) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + ('a' - 'A'));
  }
  return type;
}

std::string_view reason_phrase(int status) {
  switch (status) {
    case 100: return "Continue";
    case 101: return "Switching Protocols";
    case 200: return "OK";
    case 201: return "Created";
    case 202: return "Accepted";
    case 204: return "No Content";
    case 207: return "Multi-Status";
    case 304: return "Not Modified";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 408: return "Request Timeout";
    case 409: return "Conflict";
    case 410: return "Gone";
    case 413: return "Content Too Large";
    case 414: return "URI Too Long";
    case 415: return "Unsupported Media Type";
    case 417: return "Expectation Failed";
    case 421: return "Misdirected Request";
    case 422: return "Unprocessable Content";
    case 426: return "Upgrade Required";
    case 429: return "Too Many Requests";
    case 431: return "Request Header Fields Too Large";
    case 500: return "Internal Server Error";
    case 501: return "Not Implemented";
    case 503: return "Service Unavailable";
    case 504: return "Gateway Timeout";
    case 505: return "HTTP Version Not Supported";
    case 507: return "Insufficient Storage";
    default: return {};
  }
}

std::string date_text(int64_t unix_ms) {
  // fmt writes the names of days and months by the C locale unless told otherwise.
  return fmt::format("{:%a, %d %b %Y %H:%M:%S} GMT", fmt::gmtime(static_cast<std::time_t>(unix_ms / 1000)));
}

bool percent_decode(std::string_view text, std::string& out) {
  out.clear();
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out.push_back(text[i]);
      continue;
    }
    unsigned byte = 0;
    const std::string_view digits = text.substr(i + 1, 2);
    const auto [end, fault] = std::from_chars(digits.data(), digits.data() + digits.size(), byte, 16);
    if (digits.size() != 2 || fault != std::errc{} || end != digits.data() + 2) return false;
    out.push_back(static_cast<char>(byte));
    i += 2;
  }
  return true;
}

bool read_query(std::string_view query, Parameters& out) {
  while (!query.empty()) {
    const std::size_t end = std::min(query.find('&'), query.size());
    const std::string_view one = query.substr(0, end);
    query.remove_prefix(std::min(end + 1, query.size()));
    if (one.empty()) continue;
    const std::size_t equals = std::min(one.find('='), one.size());
    std::string name, value;
    if (!percent_decode(one.substr(0, equals), name)) return false;
    if (!percent_decode(one.substr(std::min(equals + 1, one.size())), value)) return false;
    out.emplace_back(std::move(name), std::move(value));
  }
  return true;
}

const std::string* find_repeated(const Parameters& parameters, std::string_view but) {
  std::vector<const std::string*> names;
  for (const auto& [name, value] : parameters) {
    if (name != but) names.push_back(&name);
  }
  std::sort(names.begin(), names.end(), [](const std::string* a, const std::string* b) { return *a < *b; });
  const auto twice = std::adjacent_find(names.begin(), names.end(), [](const std::string* a, const std::string* b) { return *a == *b; });
  return twice == names.end() ? nullptr : *twice;
}

}  // namespace arena::http
