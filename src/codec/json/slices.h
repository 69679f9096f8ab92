// JSON from outside, read without building it: what a client sends costs time and memory in proportion to its length, and values stay
// as they were written.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace arena {

// Why `text` is not taken; nullopt: it is JSON, nested at most `depth_max` times, and no object has a name twice, of which one reader
// would take the first and the next one the last.
std::optional<std::string> json_fault(std::string_view text, int depth_max);

// Of text in which json_fault() found none. Slices of it, without the space around them.
enum class JsonKind { object, array, text, number, boolean, null };
JsonKind json_kind(std::string_view value);
struct JsonMember {
  std::string name;
  std::string_view value;
};
std::vector<JsonMember> json_members(std::string_view object);
std::vector<std::string_view> json_elements(std::string_view array);
// What a text says, without its quotes and escapes.
std::string json_string(std::string_view value);
// A number without a sign, fraction or exponent, that fits; nullopt: it is none.
std::optional<uint64_t> json_unsigned(std::string_view value);

}  // namespace arena
