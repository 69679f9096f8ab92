#include "codec/json/slices.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <utility>

namespace arena {
namespace {

using Json = nlohmann::json;

// Names are sorted when their object ends: a table could be filled with names that fall into one place.
class Inspector final : public nlohmann::json_sax<Json> {
 public:
  explicit Inspector(int depth_max) : depth_max_(depth_max) {}
  std::string fault() && { return std::move(fault_); }

  bool null() override { return true; }
  bool boolean(bool) override { return true; }
  bool number_integer(Json::number_integer_t) override { return true; }
  bool number_unsigned(Json::number_unsigned_t) override { return true; }
  bool number_float(Json::number_float_t, const std::string&) override { return true; }
  bool string(std::string&) override { return true; }
  bool binary(Json::binary_t&) override { return true; }
  bool start_array(std::size_t) override { return open(); }
  bool end_array() override { return close(); }
  bool start_object(std::size_t) override {
    names_.resize(static_cast<std::size_t>(depth_) + 1);
    return open();
  }
  bool key(std::string& name) override {
    names_[static_cast<std::size_t>(depth_) - 1].push_back(std::move(name));
    return true;
  }
  bool end_object() override {
    std::vector<std::string>& names = names_[static_cast<std::size_t>(depth_) - 1];
    std::sort(names.begin(), names.end());
    const auto twice = std::adjacent_find(names.begin(), names.end());
    if (twice != names.end()) return refuse(fmt::format("the name \"{}\" stands twice in one object", *twice));
    names.clear();
    return close();
  }
  bool parse_error(std::size_t at, const std::string&, const nlohmann::detail::exception&) override {
    return refuse(fmt::format("what stands at byte {} is no JSON", at));
  }

 private:
  bool open() { return ++depth_ <= depth_max_ || refuse(fmt::format("nested more than {} times", depth_max_)); }
  bool close() {
    --depth_;
    return true;
  }
  bool refuse(std::string why) {
    fault_ = std::move(why);
    return false;
  }

  const int depth_max_;
  int depth_ = 0;
  std::vector<std::vector<std::string>> names_;  // of the objects that are open, by their depth
  std::string fault_;
};

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

// Up to the first of `ends` that stands in no text, array or object of it; that is taken off, too.
std::string_view take_until(std::string_view& text, std::string_view ends) {
  int depth = 0;
  bool quoted = false;
  std::size_t at = 0;
  for (; at < text.size(); ++at) {
    const char c = text[at];
    if (quoted) {
      if (c == '\\') ++at;
      if (c == '"') quoted = false;
      continue;
    }
    if (depth == 0 && ends.find(c) != std::string_view::npos) break;
    if (c == '"') quoted = true;
    if (c == '[' || c == '{') ++depth;
    if (c == ']' || c == '}') --depth;
  }
  const std::string_view taken = text.substr(0, std::min(at, text.size()));
  text.remove_prefix(std::min(at + 1, text.size()));
  return trimmed(taken);
}

// What stands between the brackets.
std::string_view inside(std::string_view value) {
  value = trimmed(value);
  return trimmed(value.substr(1, value.size() - 2));
}

}  // namespace

std::optional<std::string> json_fault(std::string_view text, int depth_max) {
  // The parser takes a zero for the end, and would not look at what follows.
  if (const std::size_t zero = text.find('\0'); zero != std::string_view::npos) return fmt::format("what stands at byte {} is no JSON", zero + 1);
  Inspector inspector(depth_max);
  if (Json::sax_parse(text, &inspector)) return std::nullopt;
  return std::move(inspector).fault();
}

JsonKind json_kind(std::string_view value) {
  switch (trimmed(value).front()) {
    case '{': return JsonKind::object;
    case '[': return JsonKind::array;
    case '"': return JsonKind::text;
    case 't':
    case 'f': return JsonKind::boolean;
    case 'n': return JsonKind::null;
    default: return JsonKind::number;
  }
}

std::vector<JsonMember> json_members(std::string_view object) {
  std::vector<JsonMember> members;
  for (std::string_view rest = inside(object); !rest.empty();) {
    const std::string_view name = take_until(rest, ":");
    members.push_back({json_string(name), take_until(rest, ",")});
  }
  return members;
}

std::vector<std::string_view> json_elements(std::string_view array) {
  std::vector<std::string_view> elements;
  for (std::string_view rest = inside(array); !rest.empty();) elements.push_back(take_until(rest, ","));
  return elements;
}

std::string json_string(std::string_view value) {
  if (value.find('\\') == std::string_view::npos) return std::string(value.substr(1, value.size() - 2));
  return Json::parse(value).get<std::string>();
}

std::optional<uint64_t> json_unsigned(std::string_view value) {
  uint64_t number = 0;
  const auto [end, fault] = std::from_chars(value.data(), value.data() + value.size(), number);
  if (fault != std::errc{} || end != value.data() + value.size()) return std::nullopt;
  return number;
}

}  // namespace arena
